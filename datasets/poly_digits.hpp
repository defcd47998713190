#pragma once
// One digit in several renderings: generated data of several modalities.
#include <filesystem>
#include <string>

#include "config/fields.hpp"
#include "datasets/dataset.hpp"

namespace vaezoo {

struct PolyDigitsConfig {
  std::string base = "digits";
  std::int64_t count = 3;

  void fields(Fields& f);
};

/// Examples of `count` pictures of the same class, each another handwritten digit on another background, one below the other. The
/// recipe is that of PolyMNIST (Sutter, Daunhawer & Vogt, "Generalized Multimodal ELBO", ICLR 2021), in grey and with generated
/// backgrounds: where the digit is, the background is inverted. The splits are made before digits are paired, so that no digit
/// stands in two of them. Throws DataError.
Dataset load_poly_digits(const PolyDigitsConfig& config, const std::filesystem::path& data_dir, Key key);

}  // namespace vaezoo
