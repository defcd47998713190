#pragma once
// Picture files for the tests of pictures and of folders of them.
#include <png.h>

#include "autodiff/random.hpp"
#include "datasets/picture.hpp"
#include "tests/zoo/datasets_support.hpp"

namespace test_support {

/// Made with libjpeg, quality 90: 8 x 8 pixels of the colour (200, 100, 50); 8 x 16, grey 40 on the left and 220 on the right.
inline const char* const kColourJpeg =
    "ffd8ffe000104a46494600010100000100010000ffdb0043000302020302020303030304030304050805050404050a070706080c0a0c0c0b0a0b0b0d"
    "0e12100d0e110e0b0b1016101113141515150c0f171816141812141514ffc00011080008000803011100021100031100ffc400140001000000000000"
    "00000000000000000004ffc40014100100000000000000000000000000000000ffc4001501010100000000000000000000000000000708ffc4001411"
    "0100000000000000000000000000000000ffda000c03010002110311003f00203d483fffd9";
inline const char* const kGreyJpeg =
    "ffd8ffe000104a46494600010100000100010000ffdb0043000302020302020303030304030304050805050404050a070706080c0a0c0c0b0a0b0b0d"
    "0e12100d0e110e0b0b1016101113141515150c0f171816141812141514ffc0000b080008001001011100ffc400150001010000000000000000000000"
    "0000000809ffc40014100100000000000000000000000000000000ffda0008010100003f000a2f03ffd9";

inline vaezoo::Picture random_picture(vaezoo::Index height, vaezoo::Index width, vaezoo::Index channels, ad::Key key) {
  std::vector<std::uint32_t> bits(static_cast<std::size_t>(height * width * channels));
  ad::fill_bits(key, bits);
  return {height, width, channels, std::vector<std::uint8_t>(bits.begin(), bits.end())};
}

/// 1 channel: grey, 3: colour, 4: colour and opacity.
inline void write_png(const std::filesystem::path& path, const vaezoo::Picture& picture) {
  std::filesystem::create_directories(path.parent_path());
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = picture.channels == 1 ? PNG_FORMAT_GRAY : picture.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
  png_image_write_to_file(&image, path.c_str(), 0, picture.pixels.data(), 0, nullptr);
}

}  // namespace test_support
