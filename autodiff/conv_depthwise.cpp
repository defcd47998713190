// Each channel with a kernel of its own (groups = channels): no sum over channels, so no GEMM; vectors run along the channels.
#include <algorithm>

#include "autodiff/conv_kernels.hpp"
#include "autodiff/conv_tiles.hpp"

namespace ad::detail {
namespace {

Batch read(const Real* p, Index count) { return count == kLanes ? load(p) : load_part(p, count); }
void write(Real* p, const Batch& v, Index count) { count == kLanes ? store(p, v) : store_part(p, v, count); }
void put(const GradSlot& slot, Index i, const Batch& v, Index count) {
  write(slot.data + i, slot.add ? read(slot.data + i, count) + v : v, count);
}

/// [tap, channel] from [channel, tap].
const Real* pack(const ConvGeometry& g, const Real* weight, Real* packed) {
  for (Index c = 0; c < g.channels; ++c)
    for (Index t = 0; t < g.taps(); ++t) packed[t * g.channels + c] = weight[c * g.taps() + t];
  return packed;
}

/// Calls f(tap, position in x) for the pixels of image b that pixel (i, j) of y sees.
template <class F>
void each_seen(const ConvGeometry& g, Index b, Index i, Index j, const F& f) {
  for (Index u = 0; u < g.kernel_height; ++u) {
    const Index row = i * g.stride - g.top + u * g.dilation;
    if (row < 0 || row >= g.height) continue;
    for (Index v = 0; v < g.kernel_width; ++v) {
      const Index column = j * g.stride - g.left + v * g.dilation;
      if (column >= 0 && column < g.width) f(u * g.kernel_width + v, ((b * g.height + row) * g.width + column) * g.channels);
    }
  }
}

/// Calls f(tap, position in y) for the pixels of y that see pixel (i, j) of image b.
template <class F>
void each_seeing(const ConvGeometry& g, Index b, Index i, Index j, const F& f) {
  for (Index u = 0; u < g.kernel_height; ++u) {
    const Index down = i + g.top - u * g.dilation;
    if (down < 0 || down % g.stride != 0 || down / g.stride >= g.out_height) continue;
    for (Index v = 0; v < g.kernel_width; ++v) {
      const Index across = j + g.left - v * g.dilation;
      if (across < 0 || across % g.stride != 0 || across / g.stride >= g.out_width) continue;
      f(u * g.kernel_width + v, ((b * g.out_height + down / g.stride) * g.out_width + across / g.stride) * g.channels);
    }
  }
}

/// to (+)= finish(sum of weight times from over what `each` calls), for images of height x width; rows in parallel.
template <class Each>
void gather(const ConvGeometry& g, Index height, Index width, const Real* from, const Real* weight, const Finish& finish,
            GradSlot to, const Each& each) {
  parallel_blocks(
      g.batch * height, std::max<Index>(1, kMapGrain / std::max<Index>(1, width * g.channels)), [&](Index begin, Index end) {
        for (Index row = begin; row < end; ++row) {
          for (Index j = 0; j < width; ++j)
            for (Index c = 0; c < g.channels; c += kLanes) {
              const Index count = std::min(kLanes, g.channels - c);
              Batch sum(Real(0));
              each(g, row / height, row % height, j,
                   [&](Index tap, Index at) { sum += read(from + at + c, count) * read(weight + tap * g.channels + c, count); });
              put(to, (row * width + j) * g.channels + c, sum, count);
            }
          finish_tile(finish, 0, to.data + row * width * g.channels, width, g.channels, g.channels);
        }
      });
}

void forward(Tape& tape, const ConvGeometry& g, const Real* x, const Real* weight, const Finish& finish, GradSlot y) {
  gather(g, g.out_height, g.out_width, x, pack(g, weight, tape.workspace(g.weights())), finish, y,
         [](auto&&... arguments) { each_seen(arguments...); });
}

void backward_data(Tape& tape, const ConvGeometry& g, const Real* y, const Real* weight, const Finish& finish, GradSlot x) {
  gather(g, g.height, g.width, y, pack(g, weight, tape.workspace(g.weights())), finish, x,
         [](auto&&... arguments) { each_seeing(arguments...); });
}

void backward_weights(Tape& tape, const ConvGeometry& g, const Real* x, const Real* y, GradSlot weight) {
  const Index size = g.weights(), taps = g.taps();
  Real* sums = tape.workspace(std::max<Index>(1, g.batch * size));  // of each image [tap, channel], then added in order
  parallel_for(g.batch, [&](Index b) {
    Real* const sum = sums + b * size;
    std::fill_n(sum, size, Real(0));
    for (Index i = 0; i < g.out_height; ++i)
      for (Index j = 0; j < g.out_width; ++j) {
        const Real* y_bar = y + ((b * g.out_height + i) * g.out_width + j) * g.channels;
        each_seen(g, b, i, j, [&](Index tap, Index at) {
          for (Index c = 0; c < g.channels; c += kLanes) {
            const Index count = std::min(kLanes, g.channels - c);
            Real* to = sum + tap * g.channels + c;
            write(to, read(to, count) + read(y_bar + c, count) * read(x + at + c, count), count);
          }
        });
      }
  });
  for (Index c = 0; c < g.channels; ++c)
    for (Index t = 0; t < taps; ++t) {
      Real total = 0;
      for (Index b = 0; b < g.batch; ++b) total += sums[b * size + t * g.channels + c];
      Real& to = weight.data[c * taps + t];
      to = weight.add ? to + total : total;
    }
}

}  // namespace

const ConvKernels kDepthwiseKernels{forward, backward_data, backward_weights};

}  // namespace ad::detail
