#pragma once
// Pictures: pixels of a model to 8-bit images, grids of them, PNG.
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "autodiff/real.hpp"

namespace vaezoo {

/// 8-bit grey (1 channel) or sRGB (3 channels), row by row from the top, channels last.
struct Image {
  ad::Index height = 0, width = 0, channels = 1;
  std::vector<std::uint8_t> pixels;  ///< height * width * channels
};

/// N pictures of one size, stored as [count, height, width, channels].
struct TileShape {
  ad::Index count = 0, height = 0, width = 0, channels = 1;
  ad::Index tile_size() const { return height * width * channels; }
};

struct GridOptions {
  ad::Index columns = 0;      ///< 0: as square as possible (pairs: at most 10)
  ad::Index padding = 2;      ///< pixels between tiles and around them, after scaling
  ad::Index min_tile = 28;    ///< tiles are scaled up by the smallest whole factor that makes the shorter side at least this
  std::uint8_t background = 128;
};

/// Pixels in [0, 1] as bytes: clamped, times 255, rounded to nearest; NaN becomes 0. `pixels` is [height, width, channels].
/// Throws std::invalid_argument when the span has another size or channels is neither 1 nor 3, as all functions here do.
Image to_image(std::span<const float> pixels, ad::Index height, ad::Index width, ad::Index channels);

/// Each pixel becomes a factor x factor block, so that small pictures stay sharp.
Image scale_up(const Image& image, ad::Index factor);

/// The pictures [count, height, width, channels] row by row.
Image image_grid(std::span<const float> pixels, const TileShape& shape, const GridOptions& options = {});

/// Two rows at a time: originals above their reconstructions, with a wider gap between one pair of rows and the next.
Image pairs_grid(std::span<const float> originals, std::span<const float> reconstructions, const TileShape& shape,
                 const GridOptions& options = {});

std::vector<std::uint8_t> encode_png(const Image& image);
/// Atomic. Throws FileError.
void write_png(const std::filesystem::path& path, const Image& image);

}  // namespace vaezoo
