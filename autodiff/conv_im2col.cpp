// Convolution as matrix products. A row of `patches` holds what one pixel of y sees of x, in the order [kernel row, kernel
// column, channel]; with the weights in the same order, y = patches W^T, x_bar = patches^T-scattered (y_bar W) and W_bar =
// y_bar^T patches. Only a tile of the patches exists at a time, small enough for the second-level cache.
#include <algorithm>
#include <span>

#include "autodiff/conv_kernels.hpp"
#include "autodiff/conv_tiles.hpp"
#include "autodiff/gemm.hpp"

namespace ad::detail {
namespace {

constexpr Index kTileSize = 1 << 16;  // numbers in a tile of patches
constexpr Index kFewestRows = 192;    // a GEMM with fewer rows packs its other operand too often
constexpr Index kTasks = 8;           // enough to share out evenly
constexpr Index kSumsSize = 1 << 20;  // numbers in all sums of a gradient of weights
constexpr Index kManyWeights = kSumsSize / 4;
constexpr Index kNarrowest = 64;  // columns of a GEMM that are worth their own task

Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }
Index patch_size(const ConvGeometry& g) { return g.taps() * g.group_in(); }

/// Is x itself the matrix of patches?
bool pointwise(const ConvGeometry& g) {
  return g.taps() == 1 && g.stride == 1 && g.top == 0 && g.left == 0 && g.out_height == g.height && g.out_width == g.width;
}

/// Pieces, a power of two, into which `columns` are cut so that `tasks` become enough.
Index column_parts(Index columns, Index tasks) {
  Index parts = 1;
  while (parts * tasks < kTasks / 2 && columns % (2 * parts) == 0 && columns / (2 * parts) >= kNarrowest) parts *= 2;
  return parts;
}

/// to [columns, rows] = the transpose of from [rows, columns], both in the first-level cache.
void transpose_small(const Real* from, Index rows, Index columns, Real* to) {
  for (Index j = 0; j < columns; ++j, to += rows)
    for (Index i = 0; i < rows; ++i) to[i] = from[i * columns + j];
}

/// The weights as [group, slice of channels, out, tap, channel]: what one GEMM reads lies together.
void pack_weights(const ConvGeometry& g, Index slices, const Real* weight, Real* packed) {
  const Index in = g.group_in(), width = in / slices, out = g.group_out(), taps = g.taps();
  parallel_blocks(g.out_channels, std::max<Index>(1, kMapGrain / std::max<Index>(1, in * taps)), [&](Index begin, Index end) {
    for (Index o = begin; o < end; ++o) {
      const Real* w = weight + o * in * taps;
      for (Index slice = 0; slice < slices; ++slice)
        transpose_small(w + slice * width * taps, width, taps,
                        packed + ((o / out * slices + slice) * out + o % out) * taps * width);
    }
  });
}

/// What a kernel row that starts at column j sees of a row of the image, into `to`: zeros outside.
void gather_kernel_row(const ConvGeometry& g, const Real* image_row, Index j, Index channel, Real* to) {
  const Index in = g.group_in();
  if (g.dilation == 1 && g.groups == 1) {  // neighbours in memory
    const Index left = std::clamp<Index>(-j, 0, g.kernel_width), right = std::clamp(g.width - j, left, g.kernel_width);
    if (left > 0) std::fill_n(to, left * in, Real(0));
    copy_few(image_row + (j + left) * in, (right - left) * in, to + left * in);
    if (right < g.kernel_width) std::fill_n(to + right * in, (g.kernel_width - right) * in, Real(0));
    return;
  }
  for (Index t = 0; t < g.kernel_width; ++t, j += g.dilation, to += in) {
    if (j >= 0 && j < g.width)
      copy_few(image_row + j * g.channels + channel, in, to);
    else
      std::fill_n(to, in, Real(0));
  }
}

/// Rows [first, first + count) of the patches of one group.
void gather_patches(const ConvGeometry& g, const Real* x, Index group, Index first, Index count, Real* patches) {
  const Index in = g.group_in(), span = g.kernel_width * in;
  for (Index r = first; r < first + count; ++r) {
    const Index column = r % g.out_width, row = r / g.out_width % g.out_height, b = r / (g.out_width * g.out_height);
    const Index j = column * g.stride - g.left;
    Index i = row * g.stride - g.top;
    for (Index t = 0; t < g.kernel_height; ++t, i += g.dilation, patches += span) {
      if (i >= 0 && i < g.height)
        gather_kernel_row(g, x + (b * g.height + i) * g.width * g.channels, j, group * in, patches);
      else
        std::fill_n(patches, span, Real(0));
    }
  }
}

void forward(Tape& tape, const ConvGeometry& g, const Real* x, const Real* weight, const Finish& finish, GradSlot y_slot) {
  Real* const y = y_slot.data;
  const Index patch = patch_size(g), out = g.group_out(), rows = g.out_pixels();
  const Index tile = even_grain(rows, std::max(kFewestRows, kTileSize / std::max<Index>(1, patch)), 8);
  const Index tiles = ceil_div(rows, tile), parts = g.groups == 1 ? column_parts(out, tiles) : 1, width = out / parts;
  const bool direct = pointwise(g);
  Real* packed = tape.workspace(g.weights() + (direct ? 0 : threads() * tile * patch));
  Real* patches = packed + g.weights();
  pack_weights(g, 1, weight, packed);
  parallel_for(tiles * parts, [&](Index task) {
    const Index first = task / parts * tile, count = std::min(tile, rows - first), part = task % parts * width;
    Real* const own = patches + omp_get_thread_num() * tile * patch;
    for (Index group = 0; group < g.groups; ++group) {
      if (!direct) gather_patches(g, x, group, first, count, own);
      const Matrix a = direct ? Matrix{x + first * g.channels + group * g.group_in(), g.channels} : Matrix{own, patch};
      const Index column = group * out + part;
      gemm_serial(count, width, patch, a, {packed + column * patch, patch, true}, y_slot.add ? 1 : 0,
                  y + first * g.out_channels + column, g.out_channels);
    }
    const Index columns = parts == 1 ? g.out_channels : width;
    finish_tile(finish, part, y + first * g.out_channels + part, count, columns, g.out_channels);
  });
}

/// A piece of x that one task of backward_data writes: rows [top, bottom) of images [first, last), from rows [from, to) of y.
struct Band {
  Index first, last, top, bottom, from, to;
};

/// How x is cut: whole images, several to a task when they are small and several tasks to an image when it is large.
struct Bands {
  Index images, rows, per_image, count;
  Index out_rows;  // the most rows of y that a band needs of each image

  explicit Bands(const ConvGeometry& g) {
    const Index image = std::max<Index>(1, g.out_height * g.out_width), patch = std::max<Index>(1, patch_size(g));
    images = std::clamp<Index>(kTileSize / (image * patch), 1, std::max<Index>(1, g.batch));
    if (images * image < kFewestRows) images = std::clamp<Index>(ceil_div(kFewestRows, image), 1, std::max<Index>(1, g.batch));
    if (g.batch > 0) images = even_grain(g.batch, images);
    const Index most = std::max<Index>(1, image * patch / (4 * kTileSize));
    const Index wanted = std::max(most, g.batch > 0 ? kTasks / ceil_div(g.batch, images) / 2 : 1);
    rows = std::max(ceil_div(g.height, std::max<Index>(1, wanted)), std::min<Index>(g.height, 4 * g.kernel_height * g.dilation));
    per_image = ceil_div(g.height, std::max<Index>(1, rows));
    count = ceil_div(g.batch, images) * per_image;
    out_rows = std::min(g.out_height, (rows + (g.kernel_height - 1) * g.dilation) / g.stride + 1);
  }

  Band band(const ConvGeometry& g, Index i) const {
    Band b;
    b.first = i / per_image * images;
    b.last = std::min(g.batch, b.first + images);
    b.top = i % per_image * rows;
    b.bottom = std::min(g.height, b.top + rows);
    const Index reach = (g.kernel_height - 1) * g.dilation;  // rows r of y with r stride - top + [0, reach] meeting the band
    b.from = std::max<Index>(0, ceil_div(std::max<Index>(0, b.top + g.top - reach), g.stride));
    b.to = std::clamp((b.bottom - 1 + g.top) / g.stride + 1, b.from, g.out_height);
    return b;
  }
};

/// Where along one axis of x the patches of y meet it: pixel i of x is tap taps(i)[k] of pixel outs(i)[k] of y, k < count(i).
class Meetings {
 public:
  Meetings(Tape& tape, Index size, Index out_size, Index kernel, Index stride, Index before, Index dilation)
      : kernel_(kernel), counts_(tape.scratch<Index>(size)), pairs_(tape.scratch<Meeting>(size * kernel)) {
    for (Index i = 0; i < size; ++i) {
      counts_[i] = 0;
      for (Index tap = 0; tap < kernel; ++tap) {
        const Index at = i + before - tap * dilation;
        if (at >= 0 && at % stride == 0 && at / stride < out_size) pairs_[i * kernel + counts_[i]++] = {at / stride, tap};
      }
    }
  }
  struct Meeting {
    Index out, tap;
  };
  std::span<const Meeting> operator[](Index i) const {
    return {pairs_ + i * kernel_, static_cast<std::size_t>(counts_[i])};
  }

 private:
  Index kernel_;
  Index* counts_;
  Meeting* pairs_;
};

/// A row of x, `width` channels of each pixel, (+)= all that was read from it into `patches`, those of an image from row `from` of
/// y on.
void collect_row(const ConvGeometry& g, std::span<const Meetings::Meeting> rows, const Meetings& columns, Index from, Index width,
                 const Real* patches, bool add, Real* x) {
  const Index patch = g.taps() * width;
  patches -= from * g.out_width * patch;
  for (Index j = 0; j < g.width; ++j, x += g.channels) {
    const auto each_source = [&](Index c, auto f) {
      for (const auto& [out_row, row_tap] : rows) {
        const Real* of_row = patches + out_row * g.out_width * patch + row_tap * g.kernel_width * width + c;
        for (const auto& [out_column, tap] : columns[j]) f(of_row + out_column * patch + tap * width);
      }
    };
    Index c = 0;
    for (; c + 2 * kLanes <= width; c += 2 * kLanes) {
      Batch sum = add ? load(x + c) : Batch(Real(0)), next = add ? load(x + c + kLanes) : Batch(Real(0));
      each_source(c, [&](const Real* p) { sum += load(p), next += load(p + kLanes); });
      store(x + c, sum);
      store(x + c + kLanes, next);
    }
    for (; c < width; c += kLanes) {
      const Index lanes = std::min(kLanes, width - c);
      Batch sum = add ? load_part(x + c, lanes) : Batch(Real(0));
      each_source(c, [&](const Real* p) { sum += load_part(p, lanes); });
      store_part(x + c, sum, lanes);
    }
  }
}

void backward_data(Tape& tape, const ConvGeometry& g, const Real* y, const Real* weight, const Finish& finish, GradSlot x) {
  const Bands bands(g);
  const Index slices = g.groups == 1 ? column_parts(g.channels, bands.count) : 1, width = g.group_in() / slices;
  const Index patch = g.taps() * width, out = g.group_out(), image = g.out_height * g.out_width;
  const Index tile = bands.images * bands.out_rows * g.out_width * patch;
  const Meetings across_rows(tape, g.height, g.out_height, g.kernel_height, g.stride, g.top, g.dilation);
  const Meetings across_columns(tape, g.width, g.out_width, g.kernel_width, g.stride, g.left, g.dilation);
  Real* packed = tape.workspace(g.weights() + threads() * tile);
  Real* patches = packed + g.weights();
  pack_weights(g, slices, weight, packed);
  parallel_for(bands.count * slices, [&](Index task) {
    const Band band = bands.band(g, task / slices);
    const Index slice = task % slices, rows = (band.to - band.from) * g.out_width;
    Real* const own = patches + omp_get_thread_num() * tile;
    for (Index group = 0; group < g.groups; ++group) {
      const Matrix w{packed + (group * slices + slice) * out * patch, patch};
      const auto product = [&](Index first_row, Index count) {
        gemm_serial(count, patch, out, {y + first_row * g.out_channels + group * out, g.out_channels}, w, 0, own, patch);
      };
      const bool whole = band.from == 0 && band.to == g.out_height;  // then all images of the band are one matrix
      if (whole) product(band.first * image, (band.last - band.first) * image);
      const Index channel = group * g.group_in() + slice * width;
      for (Index b = band.first; b < band.last; ++b) {
        if (!whole) product(b * image + band.from * g.out_width, rows);
        const Real* from = whole ? own + (b - band.first) * image * patch : own;
        for (Index i = band.top; i < band.bottom; ++i) {
          Real* const row = x.data + (b * g.height + i) * g.width * g.channels + channel;
          collect_row(g, across_rows[i], across_columns, band.from, width, from, x.add, row);
          finish_tile(finish, channel, row, g.width, width, g.channels);
        }
      }
    }
  });
}

/// Into the weights' gradient: the sum of `runs` sums, each [out, tap, channel].
void unpack_weights(const ConvGeometry& g, Index runs, Real* sums, GradSlot weight) {
  const Index patch = patch_size(g), in = g.group_in(), taps = g.taps();
  parallel_blocks(g.out_channels, std::max<Index>(1, kMapGrain / std::max<Index>(1, runs * patch)), [&](Index begin, Index end) {
    for (Index run = 1; run < runs; ++run)
      add_to(sums + begin * patch, sums + run * g.weights() + begin * patch, (end - begin) * patch);
    for (Index o = begin; o < end; ++o) {
      const Real* sum = sums + o * patch;
      Real* to = weight.data + o * patch;
      for (Index c = 0; c < in; ++c)
        for (Index t = 0; t < taps; ++t, ++to) *to = weight.add ? *to + sum[t * in + c] : sum[t * in + c];
    }
  });
}

/// For weights too large to be summed several times: all threads fill one large tile, then each multiplies for outputs of its
/// own.
void backward_many_weights(Tape& tape, const ConvGeometry& g, const Real* x, const Real* y, GradSlot weight) {
  const Index patch = patch_size(g), rows = g.out_pixels(), out = g.out_channels;
  const Index tile = std::min(rows, std::max(kFewestRows, 8 * kTileSize / patch)), parts = column_parts(out, 1),
              width = out / parts;
  Real *sum = tape.workspace(g.weights() + tile * patch), *patches = sum + g.weights();
  for (Index first = 0; first < rows; first += tile) {
    const Index count = std::min(tile, rows - first);
    parallel_blocks(count, even_grain(count, 64), [&](Index begin, Index end) {
      gather_patches(g, x, 0, first + begin, end - begin, patches + begin * patch);
    });
    parallel_for(parts, [&](Index part) {
      gemm_serial(width, patch, count, {y + first * out + part * width, out, true}, {patches, patch}, first == 0 ? 0 : 1,
                  sum + part * width * patch, patch);
    });
  }
  if (rows == 0) std::fill_n(sum, g.weights(), Real(0));
  unpack_weights(g, 1, sum, weight);
}

/// Runs of tiles side by side, each with a sum of its own; the sums are added in order.
void backward_weights(Tape& tape, const ConvGeometry& g, const Real* x, const Real* y, GradSlot weight) {
  const Index patch = patch_size(g), rows = g.out_pixels(), out = g.group_out();
  const Index tile = even_grain(rows, std::max(kFewestRows, kTileSize / std::max<Index>(1, patch)), 8);
  const Index tiles = std::max<Index>(1, ceil_div(rows, tile));
  if (g.groups == 1 && g.weights() > kManyWeights && out % kNarrowest == 0) return backward_many_weights(tape, g, x, y, weight);
  const Index runs = std::clamp<Index>(std::min(tiles, kSumsSize / std::max<Index>(1, g.weights())), 1, kTasks);
  const bool direct = pointwise(g);
  Real* sums = tape.workspace(runs * g.weights() + (direct ? 0 : threads() * tile * patch));
  Real* patches = sums + runs * g.weights();
  parallel_for(runs, [&](Index run) {
    Real* const own = patches + omp_get_thread_num() * tile * patch;
    const Index begin = tiles * run / runs, end = tiles * (run + 1) / runs;
    for (Index t = begin; t < end; ++t) {
      const Index first = t * tile, count = std::min(tile, rows - first);
      for (Index group = 0; group < g.groups; ++group) {
        if (!direct) gather_patches(g, x, group, first, count, own);
        const Matrix b = direct ? Matrix{x + first * g.channels + group * g.group_in(), g.channels} : Matrix{own, patch};
        gemm_serial(out, patch, count, {y + first * g.out_channels + group * out, g.out_channels, true}, b, t == begin ? 0 : 1,
                    sums + run * g.weights() + group * out * patch, patch);
      }
    }
  });
  unpack_weights(g, runs, sums, weight);
}

}  // namespace

const ConvKernels kIm2colKernels{forward, backward_data, backward_weights};

}  // namespace ad::detail
