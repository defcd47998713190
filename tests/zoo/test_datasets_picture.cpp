#include <doctest/doctest.h>
#include <sys/stat.h>

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

TEST_CASE("read_picture: 16 bits are rounded to 8, and no gamma changes the numbers") {
  const TempFolder folder;
  const auto pixels = [&](const std::string& bytes) {
    write(folder / "p.png", bytes);
    return read_picture(folder / "p.png").pixels;
  };
  // 0x8080 is a half of 65535; 1000 of 65535 is 3.9 of 255.
  const std::string deep = from_hex("00" "8080" "03e8" "ffff" "0000" "0101");
  const std::vector<std::uint8_t> as_bytes{128, 4, 255, 0, 1};
  CHECK(pixels(png_file(1, 5, 16, PNG_COLOR_TYPE_GRAY, deep)) == as_bytes);
  CHECK(pixels(png_file(1, 5, 16, PNG_COLOR_TYPE_GRAY, deep, png_chunk("gAMA", big_endian(100000)))) == as_bytes);
  CHECK(read_picture(folder / "p.png").deep);
  const std::string linear = png_chunk("gAMA", big_endian(100000));
  CHECK(pixels(png_file(1, 3, 8, PNG_COLOR_TYPE_GRAY, from_hex("00" "80" "0a" "c8"), linear)) ==
        std::vector<std::uint8_t>{128, 10, 200});
  CHECK_FALSE(read_picture(folder / "p.png").deep);
  CHECK(pixels(png_file(1, 4, 2, PNG_COLOR_TYPE_GRAY, from_hex("00" "1b"))) == std::vector<std::uint8_t>{0, 85, 170, 255});
  const std::string palette = png_chunk("PLTE", from_hex("0a141e" "c80064"));
  CHECK(pixels(png_file(1, 2, 1, PNG_COLOR_TYPE_PALETTE, from_hex("00" "40"), palette)) ==
        std::vector<std::uint8_t>{10, 20, 30, 200, 0, 100});
}

TEST_CASE("read_picture: transparent pixels are laid on black, on white, or taken as stored") {
  const TempFolder folder;
  const auto pixels = [&](Alpha alpha) { return read_picture(folder / "p.png", alpha).pixels; };
  write(folder / "p.png", png_file(1, 3, 8, PNG_COLOR_TYPE_GRAY_ALPHA, from_hex("00" "c880" "c800" "c8ff")));
  CHECK(pixels(Alpha::black) == std::vector<std::uint8_t>{100, 0, 200});
  CHECK(pixels(Alpha::white) == std::vector<std::uint8_t>{227, 255, 200});
  CHECK(pixels(Alpha::ignore) == std::vector<std::uint8_t>{200, 200, 200});
  CHECK(read_picture(folder / "p.png").transparent);
  // A palette with an entry that is not there.
  const std::string palette = png_chunk("PLTE", from_hex("0a141e" "c80064")) + png_chunk("tRNS", from_hex("00"));
  write(folder / "p.png", png_file(1, 2, 1, PNG_COLOR_TYPE_PALETTE, from_hex("00" "40"), palette));
  CHECK(pixels(Alpha::black) == std::vector<std::uint8_t>{0, 0, 0, 200, 0, 100});
  write(folder / "p.png", png_file(1, 1, 8, PNG_COLOR_TYPE_RGBA, from_hex("00" "0a141eff")));
  CHECK(pixels(Alpha::black) == std::vector<std::uint8_t>{10, 20, 30});
  CHECK_FALSE(read_picture(folder / "p.png").transparent);
}

TEST_CASE("read_picture: pictures are turned upright as EXIF says") {
  // Of the 2 x 3 pixels  a b c  seen by someone who holds the camera as the orientation says.
  //                      d e f
  const Picture picture{2, 3, 1, {'a', 'b', 'c', 'd', 'e', 'f'}};
  const auto text = [](const Picture& p) { return std::string(p.pixels.begin(), p.pixels.end()); };
  const char* const upright[] = {"abcdef", "cbafed", "fedcba", "defabc", "adbecf", "daebfc", "fcebda", "cfbead"};
  const TempFolder folder;
  for (int orientation = 1; orientation <= 8; ++orientation) {
    CAPTURE(orientation);
    const Picture expected = turned(picture, orientation);
    CHECK(text(expected) == upright[orientation - 1]);
    CHECK(expected.height == (orientation >= 5 ? 3 : 2));
    for (bool big : {false, true}) {
      const std::string block = png_chunk("eXIf", exif(orientation, big));
      write(folder / "p.png", png_file(2, 3, 8, PNG_COLOR_TYPE_GRAY, std::string("\0abc\0def", 8), block));
      CHECK(text(read_picture(folder / "p.png")) == upright[orientation - 1]);
      if (!can_read_jpeg()) continue;
      const std::string tiff = exif(orientation, big), jpeg = from_hex(kGreyJpeg);  // 8 x 16: dark left, bright right
      const auto size = static_cast<char>(2 + 6 + tiff.size());
      const std::string marker = std::string("\xFF\xE1\0", 3) + size + std::string("Exif\0\0", 6) + tiff;
      write(folder / "p.jpg", jpeg.substr(0, 2) + marker + jpeg.substr(2));
      const Picture turned_jpeg = read_picture(folder / "p.jpg");
      CHECK(turned_jpeg.height == (orientation >= 5 ? 16 : 8));
      const bool dark_first = orientation == 1 || orientation == 4 || orientation == 5 || orientation == 6;
      CHECK((turned_jpeg.pixels.front() < 100) == dark_first);
    }
  }
}

TEST_CASE("read_picture: JPEG files of four inks become colours") {
  if (!can_read_jpeg()) return;
  const TempFolder folder;
  write(folder / "ink.jpg", from_hex(kInkJpeg));
  const Picture picture = read_picture(folder / "ink.jpg");
  REQUIRE(picture.channels == 3);
  REQUIRE(picture.pixels.size() == 3 * 64);
  const int expected[] = {255 * 200 / 255, 128 * 200 / 255, 51 * 200 / 255};
  for (std::size_t i = 0; i < picture.pixels.size(); ++i) CHECK(std::abs(picture.pixels[i] - expected[i % 3]) <= 2);
}

TEST_CASE("read_picture: sizes that a file cannot hold are refused before memory is taken, and pipes before they are opened") {
  const TempFolder folder;
  write(folder / "p.png", png_file(9000, 9000, 8, PNG_COLOR_TYPE_RGB, std::string(10, '\0')));
  CHECK(contains(data_error([&] { read_picture(folder / "p.png"); }), "p.png: announces 9000 x 9000 pixels; its "));
  write(folder / "p.png", png_file(90000, 90000, 8, PNG_COLOR_TYPE_RGB, std::string(10, '\0')));
  CHECK(contains(data_error([&] { read_picture(folder / "p.png"); }), "p.png: announces 90000 x 90000 pixels; up to 100000000"));
  if (can_read_jpeg()) {
    std::string jpeg = from_hex(kGreyJpeg);
    const std::size_t frame = jpeg.find("\xFF\xC0");
    for (const std::size_t i : {5u, 7u}) jpeg[frame + i] = 0x23;  // 9000 or so
    write(folder / "p.jpg", jpeg);
    CHECK(contains(data_error([&] { read_picture(folder / "p.jpg"); }), "cannot hold them: it is damaged"));
  }
  REQUIRE(::mkfifo((folder / "pipe.png").c_str(), 0600) == 0);
  CHECK(data_error([&] { read_picture(folder / "pipe.png"); }) == (folder / "pipe.png").string() + ": is a pipe, not a file");
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
