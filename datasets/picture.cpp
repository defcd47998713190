#include "datasets/picture.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "autodiff/check.hpp"

namespace vaezoo {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// What one output pixel takes from which input pixels, along one axis.
struct Taps {
  Index first = 0;
  std::vector<float> weights;  // they sum to 1
};

/// Of `count` output pixels that cover [begin, begin + length) of an axis of `size` input pixels.
std::vector<Taps> triangle_taps(double begin, double length, Index size, Index count) {
  const double scale = length / static_cast<double>(count), reach = std::max(scale, 1.0);
  std::vector<Taps> all(at(count));
  for (Index i = 0; i < count; ++i) {
    const double centre = begin + (static_cast<double>(i) + 0.5) * scale;
    const Index first = std::max<Index>(0, static_cast<Index>(std::floor(centre - reach)));
    const Index end = std::min<Index>(size, static_cast<Index>(std::ceil(centre + reach)));
    std::vector<double> weights;
    double sum = 0;
    for (Index k = first; k < end; ++k) {
      weights.push_back(std::max(0.0, 1 - std::abs(static_cast<double>(k) + 0.5 - centre) / reach));
      sum += weights.back();
    }
    all[at(i)].first = first;
    for (double weight : weights) all[at(i)].weights.push_back(static_cast<float>(weight / sum));
  }
  return all;
}

}  // namespace

Picture turned(Picture picture, int orientation) {
  AD_CHECK(orientation >= 1 && orientation <= 8, "turned", ad::cat("orientation ", orientation));
  if (orientation == 1) return picture;
  const Index H = picture.height, W = picture.width, C = picture.channels;
  Picture upright = picture;
  const bool lies = orientation >= 5;  // on its side
  if (lies) std::swap(upright.height, upright.width);
  for (Index y = 0; y < upright.height; ++y) {
    for (Index x = 0; x < upright.width; ++x) {
      const bool from_bottom = lies ? orientation == 6 || orientation == 7 : orientation == 3 || orientation == 4;
      const bool from_right = lies ? orientation == 7 || orientation == 8 : orientation == 2 || orientation == 3;
      const Index row = lies ? x : y, column = lies ? y : x;
      const Index from_y = from_bottom ? H - 1 - row : row, from_x = from_right ? W - 1 - column : column;
      std::copy_n(picture.pixels.begin() + (from_y * W + from_x) * C, C, upright.pixels.begin() + (y * upright.width + x) * C);
    }
  }
  return upright;
}

Picture to_grey(const Picture& picture) {
  if (picture.channels == 1) return picture;
  Picture grey{picture.height, picture.width, 1, std::vector<std::uint8_t>(at(picture.height * picture.width))};
  for (std::size_t i = 0; i < grey.pixels.size(); ++i) {
    const std::uint8_t* rgb = &picture.pixels[3 * i];
    grey.pixels[i] = static_cast<std::uint8_t>((299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] + 500) / 1000);
  }
  return grey;
}

Picture to_colour(const Picture& picture) {
  if (picture.channels == 3) return picture;
  Picture colour{picture.height, picture.width, 3, {}};
  colour.pixels.reserve(3 * picture.pixels.size());
  for (std::uint8_t pixel : picture.pixels) colour.pixels.insert(colour.pixels.end(), 3, pixel);
  return colour;
}

Picture crop_centre(const Picture& picture, Index side) {
  AD_CHECK(side >= 1 && side <= std::min(picture.height, picture.width), "crop_centre",
           ad::cat(side, " of ", picture.height, " x ", picture.width, " pixels"));
  const Index top = (picture.height - side) / 2, left = (picture.width - side) / 2, row = side * picture.channels;
  Picture square{side, side, picture.channels, std::vector<std::uint8_t>(at(side * row))};
  for (Index y = 0; y < side; ++y) {
    std::copy_n(picture.pixels.begin() + ((top + y) * picture.width + left) * picture.channels, row,
                square.pixels.begin() + y * row);
  }
  return square;
}

Picture resize_square(const Picture& picture, Index side) {
  AD_CHECK(side >= 1 && picture.height >= 1 && picture.width >= 1, "resize_square", ad::cat("to a side of ", side));
  if (picture.height == side && picture.width == side) return picture;
  const Index channels = picture.channels;
  const double shorter = static_cast<double>(std::min(picture.height, picture.width));
  const double top = (static_cast<double>(picture.height) - shorter) / 2;
  const double left = (static_cast<double>(picture.width) - shorter) / 2;
  const std::vector<Taps> across = triangle_taps(left, shorter, picture.width, side);
  const std::vector<Taps> down = triangle_taps(top, shorter, picture.height, side);

  std::vector<float> rows(at(picture.height * side * channels));  // each row resized; the columns are next
  for (Index y = 0; y < picture.height; ++y) {
    const std::uint8_t* from = &picture.pixels[at(y * picture.width * channels)];
    for (Index x = 0; x < side; ++x) {
      const Taps& taps = across[at(x)];
      for (Index c = 0; c < channels; ++c) {
        float sum = 0;
        for (std::size_t k = 0; k < taps.weights.size(); ++k) {
          sum += taps.weights[k] * static_cast<float>(from[(taps.first + static_cast<Index>(k)) * channels + c]);
        }
        rows[at((y * side + x) * channels + c)] = sum;
      }
    }
  }
  Picture square{side, side, channels, std::vector<std::uint8_t>(at(side * side * channels))};
  const Index row = side * channels;
  std::vector<float> sums(at(row));
  for (Index y = 0; y < side; ++y) {
    const Taps& taps = down[at(y)];
    std::ranges::fill(sums, 0.5F);  // rounds
    for (std::size_t k = 0; k < taps.weights.size(); ++k) {
      const float* from = &rows[at((taps.first + static_cast<Index>(k)) * row)];
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += taps.weights[k] * from[i];
    }
    std::ranges::transform(sums, square.pixels.begin() + y * row,
                           [](float sum) { return static_cast<std::uint8_t>(std::clamp(sum, 0.0F, 255.0F)); });
  }
  return square;
}

}  // namespace vaezoo
