// A convolution with stride 1 is also the adjoint of another one, from y to x, whose kernel is turned around. With few outputs
// that one is the faster to compute: its patches are as much smaller as y has fewer channels than x.
#include "autodiff/conv_kernels.hpp"

namespace ad::detail {
namespace {

ConvGeometry flipped(const ConvGeometry& g) {
  return {g.batch,
          g.out_height,
          g.out_width,
          g.out_channels,
          g.height,
          g.width,
          g.channels,
          g.kernel_height,
          g.kernel_width,
          1,
          (g.kernel_height - 1) * g.dilation - g.top,
          (g.kernel_width - 1) * g.dilation - g.left,
          g.dilation,
          1};
}

/// Calls f(i, j) for the same weight: i in [out, channel, tap], j in [channel, out, tap turned around].
template <class F>
void each_weight(const ConvGeometry& g, const F& f) {
  const Index taps = g.taps();
  for (Index o = 0; o < g.out_channels; ++o)
    for (Index c = 0; c < g.channels; ++c)
      for (Index t = 0; t < taps; ++t) f((o * g.channels + c) * taps + t, (c * g.out_channels + o) * taps + taps - 1 - t);
}

const Real* turned(Tape& tape, const ConvGeometry& g, const Real* weight) {
  Real* w = tape.scratch(g.weights());
  each_weight(g, [&](Index i, Index j) { w[j] = weight[i]; });
  return w;
}

void forward(Tape& tape, const ConvGeometry& g, const Real* x, const Real* weight, const Finish& finish, GradSlot y) {
  const ConvGeometry f = flipped(g);
  conv_kernels(f).backward_data(tape, f, x, turned(tape, g, weight), finish, y);
}

void backward_data(Tape& tape, const ConvGeometry& g, const Real* y, const Real* weight, const Finish& finish, GradSlot x) {
  const ConvGeometry f = flipped(g);
  conv_kernels(f).forward(tape, f, y, turned(tape, g, weight), finish, x);
}

void backward_weights(Tape& tape, const ConvGeometry& g, const Real* x, const Real* y, GradSlot weight) {
  const ConvGeometry f = flipped(g);
  Real* w = tape.scratch(g.weights());
  conv_kernels(f).backward_weights(tape, f, y, x, {w, false});
  each_weight(g, [&](Index i, Index j) { weight.data[i] = weight.add ? weight.data[i] + w[j] : w[j]; });
}

}  // namespace

bool better_flipped(const ConvGeometry& g) {
  constexpr Index kFew = 8;
  const ConvGeometry f = flipped(g);
  return g.stride == 1 && g.groups == 1 && g.taps() > 1 && g.out_channels <= kFew && g.channels >= 2 * g.out_channels &&
         f.top >= 0 && f.left >= 0;
}

const ConvKernels kFlippedKernels{forward, backward_data, backward_weights};

}  // namespace ad::detail
