#pragma once
// What a convolution computes, on raw memory, and the two ways to compute it. conv2d and conv_transpose2d are made of the same
// three kernels: the forward of one is the adjoint of the other.
#include "autodiff/linalg.hpp"

namespace ad::detail {

/// A convolution from x [batch, height, width, channels] to y [batch, out_height, out_width, out_channels] with a
/// weight [out_channels, channels / groups, kernel_height, kernel_width].
struct ConvGeometry {
  Index batch, height, width, channels;
  Index out_height, out_width, out_channels;
  Index kernel_height, kernel_width;
  Index stride, top, left, dilation, groups;  // top, left: zeros around x; below and to the right the sizes tell

  Index pixels() const { return batch * height * width; }              ///< of x
  Index out_pixels() const { return batch * out_height * out_width; }  ///< of y
  Index group_in() const { return channels / groups; }
  Index group_out() const { return out_channels / groups; }
  Index taps() const { return kernel_height * kernel_width; }
  Index weights() const { return out_channels * group_in() * taps(); }
  friend bool operator==(const ConvGeometry&, const ConvGeometry&) = default;
};

/// What becomes of the sum: activation(sum + bias), bias nullptr for none. The activation is one that `fused` knows.
struct Finish {
  const Real* bias = nullptr;
  Activation activation = Activation::identity;
};

/// The three products. Each is the same function in every backend; workspace comes from the tape.
struct ConvKernels {
  /// y (+)= finish(x * weight)
  void (*forward)(Tape&, const ConvGeometry&, const Real* x, const Real* weight, const Finish&, GradSlot y);
  /// x (+)= finish(the adjoint of `forward` at y)
  void (*backward_data)(Tape&, const ConvGeometry&, const Real* y, const Real* weight, const Finish&, GradSlot x);
  /// weight (+)= the gradient with y at the result of `forward`
  void (*backward_weights)(Tape&, const ConvGeometry&, const Real* x, const Real* y, GradSlot weight);
};

/// Patches of x as the rows of a matrix, a tile that fits the second-level cache at a time, and GEMM: always there, for all
/// shapes.
extern const ConvKernels kIm2colKernels;

/// For groups = channels = out_channels.
extern const ConvKernels kDepthwiseKernels;

/// For few channels in x and whole vectors of them in y; for those that are `narrow`.
extern const ConvKernels kNarrowKernels;
bool narrow(const ConvGeometry&);

/// By the convolution that goes the other way; for those where better_flipped.
extern const ConvKernels kFlippedKernels;
bool better_flipped(const ConvGeometry&);

/// oneDNN's, nullptr where it was not found at build time. What it cannot do, it leaves to im2col.
const ConvKernels* onednn_kernels();

/// The fastest of them for this geometry, by rules that were measured (conv_choice.cpp), or what VAEZOO_CONV in the environment
/// asks for.
ConvKernels conv_kernels(const ConvGeometry&);

}  // namespace ad::detail
