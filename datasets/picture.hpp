#pragma once
// Pictures in memory: decoded from PNG and JPEG files, cut and resized.
#include <cstdint>
#include <filesystem>
#include <vector>

#include "datasets/dataset.hpp"

namespace vaezoo {

/// Bytes in [height, width, channels], 1 channel (grey) or 3 (red, green, blue).
struct Picture {
  Index height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;
  bool deep = false;         ///< the file had 16 bits per channel
  bool transparent = false;  ///< the file had pixels that are not opaque
};

/// What lies behind transparent pixels; `ignore`: their colours are taken as stored.
enum class Alpha { black, white, ignore };

/// Whether a name ends like that of a picture that can be read (.png, .jpg, .jpeg, in capitals too), and whether it ends like
/// that of one in a format that cannot.
bool is_picture_name(const std::filesystem::path& path);
bool is_foreign_picture_name(const std::filesystem::path& path);

/// Whether this program was built with libjpeg.
bool can_read_jpeg();

/// Decodes a PNG or JPEG file, told apart by content. Numbers are taken as they stand in the file, whatever gamma it states, as
/// Pillow does. Colours of 16 bits become 8 (value / 257, rounded), palettes colours and inks (CMYK) light; transparent pixels
/// are laid on black or white, without gamma too; and the picture is turned upright as EXIF says. Throws DataError naming the
/// file; one that is cut off is an error, not half a picture.
Picture read_picture(const std::filesystem::path& path, Alpha alpha = Alpha::black);

/// Upright, from a picture with EXIF's orientation of 1 to 8.
Picture turned(Picture picture, int orientation);

/// Grey as 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded.
Picture to_grey(const Picture& picture);
/// Grey three times.
Picture to_colour(const Picture& picture);

/// The square in the middle; rounded towards the upper left. `side` is at most the picture's shorter side.
Picture crop_centre(const Picture& picture, Index side);

/// The largest square in the middle, resized to `side` x `side` by a triangle filter that spans one output pixel to either side
/// when it shrinks (so it averages and does not alias) and is bilinear interpolation when it enlarges.
Picture resize_square(const Picture& picture, Index side);

}  // namespace vaezoo
