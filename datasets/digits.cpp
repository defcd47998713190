#include <string_view>

#include "datasets/sources.hpp"

namespace vaezoo {
namespace {

// 64 pixels in base 17, then the label, for each image; see README.md for where they come from.
constexpr char kDigits[] =
#include "datasets/digits.inc"
    ;
constexpr Index kSide = 8, kPixels = kSide * kSide;
constexpr int kTop = 16;

constexpr int value_of(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

}  // namespace

Dataset load_digits() {
  constexpr std::string_view text(kDigits, sizeof(kDigits) - 1);
  static_assert(text.size() == 1797 * (kPixels + 1));
  std::vector<std::uint8_t> pixels;
  std::vector<int> labels;
  pixels.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % (kPixels + 1) == kPixels) labels.push_back(value_of(text[i]));
    else pixels.push_back(static_cast<std::uint8_t>(value_of(text[i])));
  }
  Dataset data;
  data.provenance =
      "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository (1998), "
      "https://doi.org/10.24432/C50P49, CC BY 4.0";
  data.shape = {kSide, kSide, 1};
  data.is_image = true;
  data.classes = 10;
  data.train = Examples(std::move(pixels), kPixels, kTop, std::move(labels));
  return data;
}

}  // namespace vaezoo
