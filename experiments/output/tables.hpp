#pragma once
// Arrays of numbers for other programs: NumPy files and CSV.
#include <span>
#include <string>
#include <vector>

#include "autodiff/real.hpp"

namespace vaezoo {

/// The bytes of a .npy file, version 1.0: little-endian float32 in C order. Throws std::invalid_argument when the shape holds another count.
std::string npy_bytes(const std::vector<ad::Index>& shape, std::span<const float> values);

/// A header and one line per row of `values`, [N, columns]; numbers read back exactly. With `labels`, [N], each line begins with its label and
/// the header with "label". Throws std::invalid_argument when the sizes do not fit.
std::string csv_text(const std::vector<std::string>& columns, std::span<const float> values, std::span<const int> labels = {});

}  // namespace vaezoo
