#include "experiments/output/image.hpp"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "experiments/output/files.hpp"

namespace vaezoo {
namespace {

using ad::Index;

void check_size(const char* where, std::size_t got, Index height, Index width, Index channels, Index count = 1) {
  if (channels != 1 && channels != 3) {
    throw std::invalid_argument(fmt::format("[{}] a picture has 1 channel (grey) or 3 (RGB), got {}", where, channels));
  }
  if (height < 1 || width < 1 || count < 0 || static_cast<Index>(got) != count * height * width * channels) {
    throw std::invalid_argument(
        fmt::format("[{}] pixels must be [{}, {}, {}, {}], got {} values", where, count, height, width, channels, got));
  }
}

std::uint8_t to_byte(float pixel) {
  return pixel > 0 ? static_cast<std::uint8_t>(std::lround(255 * std::min(pixel, 1.0f))) : std::uint8_t{0};  // false for NaN
}

void paste(const Image& tile, Image& canvas, Index top, Index left) {
  const Index row = tile.width * tile.channels;
  for (Index y = 0; y < tile.height; ++y) {
    std::copy_n(tile.pixels.begin() + y * row, row, canvas.pixels.begin() + ((top + y) * canvas.width + left) * canvas.channels);
  }
}

/// Where tiles go: `rows` x `columns` of them, each `height` x `width` after scaling by `factor`.
struct Layout {
  Index rows, columns, factor, height, width, padding;
  Index left(Index column) const { return padding + column * (width + padding); }
  Index canvas_width() const { return left(columns); }
};

Layout layout(const TileShape& shape, const GridOptions& options, Index default_columns) {
  const Index columns = std::max<Index>(1, std::min(options.columns > 0 ? options.columns : default_columns, shape.count));
  const Index shorter = std::min(shape.height, shape.width);
  const Index factor = std::max<Index>(1, (options.min_tile + shorter - 1) / shorter);
  const Index rows = (shape.count + columns - 1) / columns;
  return {rows, columns, factor, shape.height * factor, shape.width * factor, options.padding};
}

Image canvas(Index height, Index width, Index channels, std::uint8_t background) {
  return {height, width, channels, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width * channels), background)};
}

Image tile_at(std::span<const float> pixels, const TileShape& shape, Index i, Index factor) {
  const auto size = static_cast<std::size_t>(shape.tile_size());
  return scale_up(to_image(pixels.subspan(static_cast<std::size_t>(i) * size, size), shape.height, shape.width, shape.channels),
                  factor);
}

}  // namespace

Image to_image(std::span<const float> pixels, Index height, Index width, Index channels) {
  check_size("to_image", pixels.size(), height, width, channels);
  Image image{height, width, channels, std::vector<std::uint8_t>(pixels.size())};
  std::transform(pixels.begin(), pixels.end(), image.pixels.begin(), to_byte);
  return image;
}

Image scale_up(const Image& image, Index factor) {
  check_size("scale_up", image.pixels.size(), image.height, image.width, image.channels);
  if (factor < 1) throw std::invalid_argument(fmt::format("[scale_up] the factor must be at least 1, got {}", factor));
  Image out = canvas(image.height * factor, image.width * factor, image.channels, 0);
  auto to = out.pixels.begin();
  for (Index y = 0; y < out.height; ++y) {
    for (Index x = 0; x < out.width; ++x) {
      const auto from = image.pixels.begin() + (y / factor * image.width + x / factor) * image.channels;
      to = std::copy_n(from, image.channels, to);
    }
  }
  return out;
}

Image image_grid(std::span<const float> pixels, const TileShape& shape, const GridOptions& options) {
  check_size("image_grid", pixels.size(), shape.height, shape.width, shape.channels, shape.count);
  const auto square = static_cast<Index>(std::ceil(std::sqrt(static_cast<double>(shape.count))));
  const Layout at = layout(shape, options, square);
  Image grid = canvas(at.padding + at.rows * (at.height + at.padding), at.canvas_width(), shape.channels, options.background);
  for (Index i = 0; i < shape.count; ++i) {
    const Index top = at.padding + i / at.columns * (at.height + at.padding);
    paste(tile_at(pixels, shape, i, at.factor), grid, top, at.left(i % at.columns));
  }
  return grid;
}

Image pairs_grid(std::span<const float> originals, std::span<const float> reconstructions, const TileShape& shape,
                 const GridOptions& options) {
  check_size("pairs_grid", originals.size(), shape.height, shape.width, shape.channels, shape.count);
  check_size("pairs_grid", reconstructions.size(), shape.height, shape.width, shape.channels, shape.count);
  const Layout at = layout(shape, options, 10);
  const Index gap = 4 * at.padding;
  const Index pair_height = 2 * at.height + at.padding + gap;  // original, padding, reconstruction, gap
  const Index height = at.rows == 0 ? 2 * at.padding : 2 * at.padding + at.rows * pair_height - gap;
  Image grid = canvas(height, at.canvas_width(), shape.channels, options.background);
  for (Index i = 0; i < shape.count; ++i) {
    const Index top = at.padding + i / at.columns * pair_height;
    const Index left = at.left(i % at.columns);
    paste(tile_at(originals, shape, i, at.factor), grid, top, left);
    paste(tile_at(reconstructions, shape, i, at.factor), grid, top + at.height + at.padding, left);
  }
  return grid;
}

std::vector<std::uint8_t> encode_png(const Image& image) {
  check_size("encode_png", image.pixels.size(), image.height, image.width, image.channels);
  // libpng's simplified interface: no setjmp, which does not go with C++ destructors.
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = image.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  std::vector<std::uint8_t> bytes(PNG_IMAGE_PNG_SIZE_MAX(header));
  png_alloc_size_t size = bytes.size();
  const int ok = png_image_write_to_memory(&header, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr);
  const std::string reason = header.message;
  png_image_free(&header);
  if (!ok)
    throw std::runtime_error(fmt::format("[encode_png] libpng cannot encode {} x {}: {}", image.height, image.width, reason));
  bytes.resize(size);
  return bytes;
}

void write_png(const std::filesystem::path& path, const Image& image) { atomic_write(path, encode_png(image)); }

}  // namespace vaezoo
