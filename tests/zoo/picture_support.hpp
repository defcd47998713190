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

/// Four inks, 8 x 8 pixels, as Adobe's programs write them: what is not covered is 255, 128, 51 and 200.
inline const char* const kInkJpeg =
    "ffd8ffee000e41646f626500640000000000ffdb00430002010101010102010101020202020204030202020205040403040605060606050606060709"
    "08060709070606080b08090a0a0a0a0a06080b0c0b0a0c090a0a0affc000140800080008044311004d11005911004b1100ffc4001500010100000000"
    "000000000000000000000900ffc40014100100000000000000000000000000000000ffda000e0443004d0059004b00003f007f10cb240fffd9";

inline vaezoo::Picture random_picture(vaezoo::Index height, vaezoo::Index width, vaezoo::Index channels, ad::Key key) {
  std::vector<std::uint32_t> bits(static_cast<std::size_t>(height * width * channels));
  ad::fill_bits(key, bits);
  return {height, width, channels, std::vector<std::uint8_t>(bits.begin(), bits.end())};
}

inline std::string big_endian(std::uint32_t number) {
  return {static_cast<char>(number >> 24), static_cast<char>(number >> 16), static_cast<char>(number >> 8),
          static_cast<char>(number)};
}

inline std::string png_chunk(const std::string& name, const std::string& data) {
  const std::string both = name + data;
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(both.data()), static_cast<uInt>(both.size()));
  return big_endian(static_cast<std::uint32_t>(data.size())) + both + big_endian(static_cast<std::uint32_t>(sum));
}

/// A PNG file by its bytes: `rows` are the pixels, each row after a byte 0; `extra` chunks come before them.
inline std::string png_file(std::uint32_t height, std::uint32_t width, int depth, int colour_type, const std::string& rows,
                            const std::string& extra = "") {
  std::string packed(compressBound(rows.size()), '\0');
  uLongf size = packed.size();
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()), rows.size());
  packed.resize(size);
  const std::string head = big_endian(width) + big_endian(height) + static_cast<char>(depth) + static_cast<char>(colour_type);
  return "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", head + std::string(3, '\0')) + extra + png_chunk("IDAT", packed) +
         png_chunk("IEND", "");
}

/// EXIF's block, in either byte order, that says nothing but an orientation.
inline std::string exif(int orientation, bool big) {
  const std::string value(1, static_cast<char>(orientation));
  if (big) return from_hex("4d4d002a00000008" "0001" "01120003" "00000001" "00") + value + from_hex("0000" "00000000");
  return from_hex("49492a0008000000" "0100" "12010300" "01000000") + value + from_hex("000000" "00000000");
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
