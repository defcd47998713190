#include "autodiff/conv.hpp"

#include <algorithm>

#include "autodiff/conv_kernels.hpp"
#include "autodiff/conv_tiles.hpp"

namespace ad {

using namespace detail;

namespace {

void check_images(const char* op, Var x, Var weight, Index stride, const Border& padding, Index dilation, Index groups) {
  AD_CHECK(x.shape().rank() == 4, op, cat("x must be images [batch, height, width, channels], it is ", x.shape()));
  AD_CHECK(weight.shape().rank() == 4, op,
           cat("the weight must have four axes, two of channels and [kernel height, kernel width], it is ", weight.shape()));
  const auto [top, bottom, left, right] = padding;
  AD_CHECK(stride >= 1 && dilation >= 1 && groups >= 1, op,
           cat("stride, dilation and groups must be positive, they are ", stride, ", ", dilation, " and ", groups));
  AD_CHECK(std::min({top, bottom, left, right}) >= 0, op,
           cat("the padding must not be negative, it is ", top, ", ", bottom, ", ", left, ", ", right));
  AD_CHECK(weight.shape()[2] >= 1 && weight.shape()[3] >= 1, op, cat("the kernel is empty, the weight is ", weight.shape()));
}

void check_bias(const char* op, Var bias, Index out) {
  AD_CHECK(!bias || bias.shape() == Shape{out}, op, cat("the bias must be [", out, "], it is ", bias.shape()));
}

/// y_bar becomes the gradient before the activation, and the bias gets its sum over all pixels. One pass over y_bar.
void through_finish(Tape& tape, Var y, Var bias, Activation activation, Real* y_bar) {
  const GradSlot slot = bias ? tape.grad(bias) : GradSlot{};
  const Index columns = y.shape().back(), pixels = columns == 0 ? 0 : y.size() / columns;
  if (activation == Activation::identity && !slot) return;
  // Narrow images are summed several pixels at a time.
  const Index together = columns < kLanes ? kLanes : 1, width = columns * together;
  const Index rows = std::max<Index>(1, 2 * kMapGrain / std::max<Index>(1, width)) * together;  // pixels in a block
  const Index grain = even_grain(std::max<Index>(pixels, 1), rows, together), blocks = (pixels + grain - 1) / grain;
  Real* sums = tape.workspace(std::max<Index>(1, blocks * width));
  const Real* value = y.data();
  with_fused(activation, [&](auto, auto slope) {
    const bool plain = activation == Activation::identity;
    parallel_for(blocks, [&](Index block) {
      Real* const sum = sums + block * width;
      std::fill_n(sum, width, Real(0));
      const Index end = std::min(pixels, (block + 1) * grain) * columns;
      for (Index first = block * grain * columns; first < end; first += width) {
        const Index count = std::min(width, end - first);
        for (Index j = 0; j < count; j += kLanes) {
          const Index lanes = std::min(kLanes, count - j), i = first + j;
          if (lanes == kLanes) {
            Batch g = load(y_bar + i);
            if (!plain) store(y_bar + i, g = g * slope(load(value + i)));
            store(sum + j, load(sum + j) + g);
          } else {
            Batch g = load_part(y_bar + i, lanes);
            if (!plain) store_part(y_bar + i, g = g * slope(load_part(value + i, lanes)), lanes);
            store_part(sum + j, load_part(sum + j, lanes) + g, lanes);
          }
        }
      }
    });
  });
  if (!slot) return;
  for (Index c = 0; c < columns; ++c) {
    Real total = 0;
    for (Index i = 0; i < blocks * together; ++i) total += sums[i * columns + c];
    slot.data[c] = slot.add ? slot.data[c] + total : total;
  }
}

Var node(const char* op, const Shape& shape, Var x, Var weight, Var bias) {
  return bias ? x.tape().node(op, shape, {x, weight, bias}) : x.tape().node(op, shape, {x, weight});
}

Finish finish_of(Var bias, Activation activation) {
  return {bias ? bias.data() : nullptr, fused(activation) ? activation : Activation::identity};
}

}  // namespace

Var conv2d(Var x, Var weight, Var bias, const ConvOptions& options, Activation activation) {
  const auto [stride, padding, dilation, groups] = options;
  check_images("conv2d", x, weight, stride, padding, dilation, groups);
  const Shape s = x.shape(), w = weight.shape();
  AD_CHECK(s[3] == w[1] * groups && w[0] % groups == 0, "conv2d",
           cat("x is ", s, " and the weight ", w, " in ", groups, " groups: x must have ", w[1] * groups,
               " channels, and the number of outputs must be a multiple of the groups"));
  check_bias("conv2d", bias, w[0]);
  const Index height = s[1] + padding.top + padding.bottom, width = s[2] + padding.left + padding.right;
  const Index down = height - dilation * (w[2] - 1) - 1, across = width - dilation * (w[3] - 1) - 1;
  AD_CHECK(down >= 0 && across >= 0, "conv2d",
           cat("the kernel ", w[2], " x ", w[3], dilation > 1 ? cat(" with dilation ", dilation) : "",
               " is larger than the image, with its padding ", height, " x ", width));
  const ConvGeometry g{s[0],     s[1],  s[2], s[3],   down / stride + 1, across / stride + 1,
                       w[0],     w[2],  w[3], stride, padding.top,       padding.left,
                       dilation, groups};
  const Var y = node("conv2d", {g.batch, g.out_height, g.out_width, g.out_channels}, x, weight, bias);
  const Finish finish = finish_of(bias, activation);
  const ConvKernels k = conv_kernels(g);
  k.forward(x.tape(), g, x.data(), weight.data(), finish, {y.data(), false});
  if (y.live())
    x.tape().on_backward(y, [=] {
      Tape& t = y.tape();
      Real* y_bar = t.adjoint(y);
      through_finish(t, y, bias, finish.activation, y_bar);
      if (const GradSlot slot = t.grad(weight)) k.backward_weights(t, g, x.data(), y_bar, slot);
      if (const GradSlot slot = t.grad(x)) k.backward_data(t, g, y_bar, weight.data(), {}, slot);
    });
  return fused(activation) ? y : activate(y, activation);
}

Var conv_transpose2d(Var x, Var weight, Var bias, const ConvTransposeOptions& options, Activation activation) {
  const Index stride = options.stride, padding = options.padding,
              output_padding = options.output_padding;  // a lambda cannot capture bindings
  const Index dilation = options.dilation, groups = options.groups;
  check_images("conv_transpose2d", x, weight, stride, padding, dilation, groups);
  const Shape s = x.shape(), w = weight.shape();
  AD_CHECK(s[3] == w[0] && w[0] % groups == 0, "conv_transpose2d",
           cat("x is ", s, " and the weight ", w, " in ", groups, " groups: x must have ", w[0],
               " channels, a multiple of the groups"));
  const Index out = w[1] * groups;
  check_bias("conv_transpose2d", bias, out);
  AD_CHECK(output_padding >= 0 && output_padding < std::max(stride, dilation), "conv_transpose2d",
           cat("output_padding must be in [0, ", std::max(stride, dilation), "), less than stride or dilation; it is ",
               output_padding));
  const auto size = [&](Index in, Index kernel) {
    return (in - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1;
  };
  AD_CHECK(size(s[1], w[2]) >= 1 && size(s[2], w[3]) >= 1, "conv_transpose2d",
           cat("the padding ", padding, " leaves nothing of the image ", s, " under the kernel ", w[2], " x ", w[3]));
  const ConvGeometry g{s[0],
                       size(s[1], w[2]),
                       size(s[2], w[3]),
                       out,
                       s[1],
                       s[2],  // the convolution that goes the other way
                       s[3],
                       w[2],
                       w[3],
                       stride,
                       padding,
                       padding,
                       dilation,
                       groups};
  const Var y = node("conv_transpose2d", {g.batch, g.height, g.width, g.channels}, x, weight, bias);
  const Finish finish = finish_of(bias, activation);
  const ConvKernels k = conv_kernels(g);
  k.backward_data(x.tape(), g, x.data(), weight.data(), finish, {y.data(), false});
  if (y.live())
    x.tape().on_backward(y, [=] {
      Tape& t = y.tape();
      Real* y_bar = t.adjoint(y);
      through_finish(t, y, bias, finish.activation, y_bar);
      if (const GradSlot slot = t.grad(weight)) k.backward_weights(t, g, y_bar, x.data(), slot);
      if (const GradSlot slot = t.grad(x)) k.forward(t, g, y_bar, weight.data(), {}, slot);
    });
  return fused(activation) ? y : activate(y, activation);
}

}  // namespace ad
