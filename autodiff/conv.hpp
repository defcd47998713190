#pragma once
// Convolutions of images, channels last: [batch, height, width, channels]. (A convolution here is a correlation, as in all of
// deep learning.) Weights keep PyTorch's layout, so a checkpoint means the same in both.
#include <string>

#include "autodiff/linalg.hpp"

namespace ad {

/// Zeros around an image, as many on every side or {top, bottom, left, right}: `.padding = 1`, `.padding = {2, 0, 1, 1}`.
struct Border {
  Index top = 0, bottom = 0, left = 0, right = 0;

  Border(Index all) : Border(all, all, all, all) {}  // NOLINT: .padding = 1 reads as in PyTorch
  Border(Index t, Index b, Index l, Index r) : top(t), bottom(b), left(l), right(r) {}
};

/// Stride and dilation are the same along height and width.
struct ConvOptions {
  Index stride = 1;
  Border padding = 0;
  Index dilation = 1, groups = 1;
};

/// `output_padding` rows and columns are added below and to the right, to choose among the sizes that a strided
/// convolution maps to the same size.
struct ConvTransposeOptions {
  Index stride = 1, padding = 0, output_padding = 0, dilation = 1, groups = 1;
};

/// y = activation(x * weight + bias); pixels outside of x are 0. groups = C is a depthwise convolution.
///   x: [B, H, W, C]   weight: [out, C / groups, kh, kw]   bias: [out], or an empty Var for none
///   returns: [B, Ho, Wo, out], Ho = (H + top + bottom - dilation (kh - 1) - 1) / stride + 1, rounded down.
/// Throws ShapeError when the sizes do not fit.
Var conv2d(Var x, Var weight, Var bias = {}, const ConvOptions& options = {}, Activation activation = Activation::identity);

/// The adjoint of conv2d as a layer: each pixel of x adds a weighted kernel to the result.
///   x: [B, H, W, C]   weight: [C, out / groups, kh, kw]   bias: [out], or an empty Var for none
///   returns: [B, Ho, Wo, out], Ho = (H - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1.
/// Throws ShapeError when the sizes do not fit, or unless output_padding < max(stride, dilation).
Var conv_transpose2d(Var x, Var weight, Var bias = {}, const ConvTransposeOptions& options = {},
                     Activation activation = Activation::identity);

/// "oneDNN 2.6.3" or "im2col", as in use: oneDNN where it was found at build time and is faster for the shape; VAEZOO_CONV=im2col
/// or onednn in the environment overrides.
std::string conv_backend();

}  // namespace ad
