#include "datasets/sources.hpp"

namespace vaezoo {
namespace {

constexpr Index kImages = 1797, kSide = 8, kPixels = kSide * kSide;
constexpr int kTop = 16;

// 64 pixels in base 17, then the label and a zero byte, for each image; see README.md for where they come from.
constexpr char kDigits[][kPixels + 2] = {
#include "datasets/digits.inc"
};
static_assert(sizeof(kDigits) == kImages * (kPixels + 2));

constexpr int value_of(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

}  // namespace

Dataset load_digits() {
  std::vector<std::uint8_t> pixels;
  std::vector<int> labels;
  pixels.reserve(kImages * kPixels);
  labels.reserve(kImages);
  for (const auto& image : kDigits) {
    for (Index p = 0; p < kPixels; ++p) pixels.push_back(static_cast<std::uint8_t>(value_of(image[p])));
    labels.push_back(value_of(image[kPixels]));
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
