#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autodiff/check.hpp"
#include "autodiff/random.hpp"
#include "tests/zoo/picture_support.hpp"

using namespace vaezoo;
using namespace test_support;

namespace {

/// The triangle filter as an integral written down slowly: every input pixel of the picture, both axes at once, in double.
std::uint8_t resized_slowly(const Picture& picture, Index side, Index y, Index x, Index c) {
  const double shorter = static_cast<double>(std::min(picture.height, picture.width));
  const double scale = shorter / static_cast<double>(side), reach = std::max(1.0, scale);
  const double centre_y = (static_cast<double>(picture.height) - shorter) / 2 + (static_cast<double>(y) + 0.5) * scale;
  const double centre_x = (static_cast<double>(picture.width) - shorter) / 2 + (static_cast<double>(x) + 0.5) * scale;
  double sum = 0, weights = 0;
  for (Index i = 0; i < picture.height; ++i) {
    for (Index j = 0; j < picture.width; ++j) {
      const double far_y = std::abs(static_cast<double>(i) + 0.5 - centre_y) / reach;
      const double far_x = std::abs(static_cast<double>(j) + 0.5 - centre_x) / reach;
      const double weight = std::max(0.0, 1 - far_y) * std::max(0.0, 1 - far_x);
      weights += weight;
      sum += weight * picture.pixels[static_cast<std::size_t>((i * picture.width + j) * picture.channels + c)];
    }
  }
  return static_cast<std::uint8_t>(sum / weights + 0.5);
}

}  // namespace

TEST_CASE("read_picture: PNG files of colours, greys and palettes give back their pixels") {
  const TempFolder folder;
  const Picture colour = random_picture(5, 7, 3, Key(1)), grey = random_picture(6, 4, 1, Key(2));
  write_png(folder / "colour.png", colour);
  write_png(folder / "grey.png", grey);
  CHECK(read_picture(folder / "colour.png").pixels == colour.pixels);
  const Picture read_grey = read_picture(folder / "grey.png");
  CHECK(read_grey.pixels == grey.pixels);
  CHECK(read_grey.height == 6);
  CHECK(read_grey.width == 4);
  CHECK(read_grey.channels == 1);
  // Four channels: the last is opacity, and what is not there is black.
  const Picture clear{1, 2, 4, {10, 20, 30, 255, 10, 20, 30, 0}};
  write_png(folder / "clear.png", clear);
  CHECK(read_picture(folder / "clear.png").pixels == std::vector<std::uint8_t>{10, 20, 30, 0, 0, 0});
}

TEST_CASE("read_picture: JPEG files in colour and grey") {
  if (!can_read_jpeg()) return;
  const TempFolder folder;
  write(folder / "colour.jpg", from_hex(kColourJpeg));
  write(folder / "grey.jpeg", from_hex(kGreyJpeg));
  const Picture colour = read_picture(folder / "colour.jpg");
  CHECK(colour.height == 8);
  CHECK(colour.width == 8);
  REQUIRE(colour.channels == 3);
  for (std::size_t i = 0; i < 64; ++i) {  // quantised, so within two levels of what was stored
    CHECK(std::abs(colour.pixels[3 * i] - 200) <= 2);
    CHECK(std::abs(colour.pixels[3 * i + 1] - 100) <= 2);
    CHECK(std::abs(colour.pixels[3 * i + 2] - 50) <= 2);
  }
  const Picture grey = read_picture(folder / "grey.jpeg");
  CHECK(grey.height == 8);
  CHECK(grey.width == 16);
  REQUIRE(grey.channels == 1);
  for (std::size_t i = 0; i < 128; ++i) CHECK(std::abs(grey.pixels[i] - (i % 16 < 8 ? 40 : 220)) <= 2);
}

TEST_CASE("read_picture: damage and foreign contents give one sentence with the file's name") {
  const TempFolder folder;
  const auto error = [&](const std::string& bytes) {
    write(folder / "p.png", bytes);
    const std::string sentence = data_error([&] { read_picture(folder / "p.png"); });
    CHECK(sentence.starts_with((folder / "p.png").string() + ": "));
    return sentence;
  };
  write_png(folder / "good.png", random_picture(9, 9, 3, Key(1)));
  const std::string png = read(folder / "good.png");
  CHECK(contains(error(png.substr(0, png.size() / 2)), "is a damaged PNG file ("));
  CHECK(contains(error(png.substr(0, 10)), "is a damaged PNG file ("));
  CHECK(contains(error("<html>"), "is neither a PNG nor a JPEG file, whatever its name says"));
  CHECK(contains(error(""), "is empty"));
  CHECK(contains(data_error([&] { read_picture(folder / "none.png"); }), "none.png: cannot be read (No such file or directory)"));
  const std::string jpeg = from_hex(kColourJpeg);
  if (can_read_jpeg()) {
    CHECK(contains(error(jpeg.substr(0, jpeg.size() - 4)), "is a damaged JPEG file, or of an unusual kind ("));
    CHECK(contains(error(jpeg.substr(0, 30)), "is a damaged JPEG file, or of an unusual kind ("));
  } else {
    CHECK(contains(error(jpeg), "is a JPEG file, and this program was built without libjpeg"));
  }
}

TEST_CASE("read_picture: any byte of a PNG or JPEG file may be damaged or missing without harm") {
  const TempFolder folder;
  const auto parse = [&](const std::string& bytes) {
    write(folder / "p.png", bytes);
    read_picture(folder / "p.png");
  };
  write_png(folder / "good.png", random_picture(3, 4, 3, Key(1)));
  const std::string png = read(folder / "good.png");
  CHECK(refused_damage(png, parse) > static_cast<int>(png.size()));
  const std::string jpeg = from_hex(kGreyJpeg);
  // Without checksums a changed byte is often another valid file; every prefix must be refused, up to the missing end marker.
  CHECK(refused_damage(jpeg, parse) > static_cast<int>(jpeg.size()));
  for (std::size_t size = 0; size < jpeg.size() - 2; ++size)
    CHECK_FALSE(data_error([&] { parse(jpeg.substr(0, size)); }).empty());
}

TEST_CASE("to_grey weighs the colours as BT.601 does, and to_colour repeats grey") {
  const Picture colours{1, 5, 3, {255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 10, 10}};
  CHECK(to_grey(colours).pixels == std::vector<std::uint8_t>{255, 76, 150, 29, 10});
  CHECK(to_colour(to_grey(colours)).pixels ==
        std::vector<std::uint8_t>{255, 255, 255, 76, 76, 76, 150, 150, 150, 29, 29, 29, 10, 10, 10});
}

TEST_CASE("crop_centre takes the middle") {
  Picture picture{3, 5, 1, {}};
  for (int i = 0; i < 15; ++i) picture.pixels.push_back(static_cast<std::uint8_t>(i));
  CHECK(crop_centre(picture, 3).pixels == std::vector<std::uint8_t>{1, 2, 3, 6, 7, 8, 11, 12, 13});
  CHECK(crop_centre(picture, 1).pixels == std::vector<std::uint8_t>{7});
  CHECK(crop_centre(picture, 2).pixels == std::vector<std::uint8_t>{1, 2, 6, 7});
  CHECK_THROWS_AS(crop_centre(picture, 4), ad::Error);
}

TEST_CASE("resize_square agrees with the triangle filter written down slowly, shrinking and enlarging") {
  struct Case {
    Index height, width, channels, side;
  };
  for (const Case& c :
       {Case{20, 31, 3, 7}, Case{31, 20, 1, 19}, Case{9, 9, 3, 8}, Case{5, 8, 3, 12}, Case{40, 40, 1, 1}, Case{1, 3, 1, 2}}) {
    const Picture picture = random_picture(c.height, c.width, c.channels, Key(7));
    const Picture square = resize_square(picture, c.side);
    REQUIRE(std::ssize(square.pixels) == c.side * c.side * c.channels);
    int worst = 0;
    for (Index y = 0; y < c.side; ++y) {
      for (Index x = 0; x < c.side; ++x) {
        for (Index k = 0; k < c.channels; ++k) {
          const int fast = square.pixels[static_cast<std::size_t>((y * c.side + x) * c.channels + k)];
          worst = std::max(worst, std::abs(fast - resized_slowly(picture, c.side, y, x, k)));
        }
      }
    }
    CHECK(worst <= 1);  // sums in float may round the other way
  }
}

TEST_CASE("resize_square keeps a flat picture flat, a picture of the right size as it is, and does not alias stripes") {
  const Picture flat{33, 20, 1, std::vector<std::uint8_t>(33 * 20, 137)};
  CHECK(std::ranges::all_of(resize_square(flat, 7).pixels, [](std::uint8_t pixel) { return pixel == 137; }));
  CHECK(std::ranges::all_of(resize_square(flat, 50).pixels, [](std::uint8_t pixel) { return pixel == 137; }));
  const Picture square = random_picture(6, 6, 3, Key(3));
  CHECK(resize_square(square, 6).pixels == square.pixels);
  const Picture wide = random_picture(6, 10, 1, Key(3));
  CHECK(resize_square(wide, 6).pixels == crop_centre(wide, 6).pixels);
  // Stripes of one pixel, black and white, a quarter of the size: their mean everywhere but near the border.
  Picture stripes{64, 64, 1, std::vector<std::uint8_t>(64 * 64)};
  for (std::size_t i = 0; i < stripes.pixels.size(); ++i) stripes.pixels[i] = i % 2 == 0 ? 0 : 255;
  const Picture small = resize_square(stripes, 16);
  for (std::size_t i = 0; i < small.pixels.size(); ++i) {
    if (i % 16 != 0 && i % 16 != 15) CHECK(std::abs(small.pixels[i] - 127.5) <= 0.5);
  }
}
