#include <doctest/doctest.h>
#include <png.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "experiments/output/files.hpp"
#include "experiments/output/image.hpp"
#include "tests/zoo/output_support.hpp"

using namespace vaezoo;
using ad::Index;

namespace {

Image decode(const std::vector<std::uint8_t>& bytes) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  REQUIRE(png_image_begin_read_from_memory(&header, bytes.data(), bytes.size()));
  const bool color = (header.format & PNG_FORMAT_FLAG_COLOR) != 0;
  header.format = color ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  Image image{static_cast<Index>(header.height), static_cast<Index>(header.width), color ? 3 : 1, {}};
  image.pixels.resize(PNG_IMAGE_SIZE(header));
  REQUIRE(png_image_finish_read(&header, nullptr, image.pixels.data(), 0, nullptr));
  return image;
}

int at(const Image& image, Index y, Index x, Index c = 0) {
  return image.pixels.at(static_cast<std::size_t>((y * image.width + x) * image.channels + c));
}

std::vector<float> ramp(std::size_t n) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i % 256) / 255;
  return values;
}

}  // namespace

TEST_CASE("image: floats in [0, 1] become bytes, clamped and rounded to nearest") {
  const std::vector<float> pixels = {0, 1, -3, 7, 0.5f, 1.0f / 255, NAN, INFINITY, -INFINITY, 0.0019f};
  const Image image = to_image(pixels, 2, 5, 1);
  CHECK(image.pixels == std::vector<std::uint8_t>{0, 255, 0, 255, 128, 1, 0, 255, 0, 0});
  for (int v = 0; v < 256; ++v) CHECK(to_image(std::vector<float>{static_cast<float>(v) / 255}, 1, 1, 1).pixels[0] == v);
}

TEST_CASE("image: PNG keeps every pixel, grey and colour") {
  for (const Index channels : {1, 3}) {
    CAPTURE(channels);
    const Image image = to_image(ramp(static_cast<std::size_t>(13 * 7 * channels)), 13, 7, channels);
    const Image back = decode(encode_png(image));
    CHECK(back.height == 13);
    CHECK(back.width == 7);
    CHECK(back.channels == channels);
    CHECK(back.pixels == image.pixels);
  }
}

TEST_CASE("image: write_png writes the encoded bytes and names the path when it cannot") {
  const test_support::TempFolder folder;
  const Image image = to_image(ramp(4), 2, 2, 1);
  write_png(folder / "a.png", image);
  const std::string bytes = read_file(folder / "a.png");
  CHECK(decode({bytes.begin(), bytes.end()}).pixels == image.pixels);
  CHECK(test_support::message_of<FileError>([&] { write_png(folder / "no" / "a.png", image); }).find("no/a.png") !=
        std::string::npos);
}

TEST_CASE("image: scaling repeats pixels") {
  const Image small{1, 2, 3, {1, 2, 3, 4, 5, 6}};
  const Image large = scale_up(small, 2);
  CHECK(large.height == 2);
  CHECK(large.width == 4);
  for (Index y = 0; y < 2; ++y) {
    for (Index x = 0; x < 4; ++x) {
      for (Index c = 0; c < 3; ++c) CHECK(at(large, y, x, c) == 3 * (x / 2) + c + 1);
    }
  }
}

TEST_CASE("image: a grid holds each scaled tile at its place, with padding around") {
  // 5 tiles of 2x3, tile i all i/255: columns = ceil(sqrt 5) = 3, rows = 2, scale 2 makes the shorter side 4.
  std::vector<float> pixels;
  for (int i = 0; i < 5; ++i) pixels.insert(pixels.end(), 6, static_cast<float>(10 + i) / 255);
  const Image grid = image_grid(pixels, {5, 2, 3, 1}, {.padding = 1, .min_tile = 4, .background = 200});
  CHECK(grid.height == 1 + 2 * (4 + 1));
  CHECK(grid.width == 1 + 3 * (6 + 1));
  for (Index y = 0; y < grid.height; ++y) {
    for (Index x = 0; x < grid.width; ++x) {
      const Index tile = y / 5 * 3 + x / 7;
      const bool border = y % 5 == 0 || x % 7 == 0 || tile >= 5;
      CHECK(at(grid, y, x) == (border ? 200 : 10 + tile));
    }
  }
}

TEST_CASE("image: 8x8 digits are scaled to at least 28 pixels and 28x28 ones stay as they are") {
  CHECK(image_grid(ramp(64), {1, 8, 8, 1}, {.padding = 0}).width == 32);
  CHECK(image_grid(ramp(784), {1, 28, 28, 1}, {.padding = 0}).width == 28);
  CHECK(image_grid(ramp(27), {1, 3, 3, 3}, {.padding = 0}).width == 30);
}

TEST_CASE("image: pairs stand with the original above its reconstruction") {
  const std::vector<float> originals = {1 / 255.0f, 2 / 255.0f, 3 / 255.0f}, copies = {11 / 255.0f, 12 / 255.0f, 13 / 255.0f};
  const Image grid = pairs_grid(originals, copies, {3, 1, 1, 1}, {.columns = 2, .padding = 1, .min_tile = 1, .background = 99});
  CHECK(grid.width == 5);
  CHECK(grid.height == 1 + 3 + 4 + 3 + 1);  // padding, pair, gap of 4 paddings, pair, padding
  CHECK(at(grid, 1, 1) == 1);
  CHECK(at(grid, 3, 1) == 11);
  CHECK(at(grid, 1, 3) == 2);
  CHECK(at(grid, 3, 3) == 12);
  CHECK(at(grid, 8, 1) == 3);
  CHECK(at(grid, 10, 1) == 13);
  CHECK(std::count(grid.pixels.begin(), grid.pixels.end(), 99) == 60 - 6);
}

TEST_CASE("image: wrong sizes and channels are refused in a sentence, and no tiles make an empty canvas") {
  CHECK(test_support::message_of<std::invalid_argument>([&] {
          to_image(ramp(8), 2, 2, 2);
        }).find("1 channel (grey) or 3 (RGB), got 2") != std::string::npos);
  CHECK(test_support::message_of<std::invalid_argument>([&] {
          image_grid(ramp(7), {2, 2, 2, 1});
        }).find("[2, 2, 2, 1], got 7") != std::string::npos);
  CHECK_THROWS_AS(pairs_grid(ramp(4), ramp(5), {1, 2, 2, 1}), std::invalid_argument);
  CHECK_THROWS_AS(scale_up(to_image(ramp(1), 1, 1, 1), 0), std::invalid_argument);
  CHECK_THROWS_AS(encode_png(Image{}), std::invalid_argument);
  CHECK(image_grid({}, {0, 8, 8, 1}).height == 2);
  CHECK(pairs_grid({}, {}, {0, 8, 8, 1}).height == 4);
}
