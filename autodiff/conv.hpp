#pragma once
// Convolutions of images, channels last: [batch, height, width, channels]. (A convolution here is a correlation, as in all of deep
// learning.) Weights keep PyTorch's layout, so a checkpoint means the same in both.
#include <string>

#include "autodiff/linalg.hpp"

namespace ad {

/// The same along height and width; for other borders use `pad` first.
struct ConvOptions {
  Index stride = 1, padding = 0, dilation = 1, groups = 1;
};

/// `output_padding` rows and columns are added below and to the right, to choose among the sizes that a strided
/// convolution maps to the same size.
struct ConvTransposeOptions {
  Index stride = 1, padding = 0, output_padding = 0, dilation = 1, groups = 1;
};

/// y = activation(x * weight + bias); pixels outside of x are 0. groups = C is a depthwise convolution.
///   x: [B, H, W, C]   weight: [out, C / groups, kh, kw]   bias: [out], or an empty Var for none
///   returns: [B, Ho, Wo, out], Ho = (H + 2 padding - dilation (kh - 1) - 1) / stride + 1, rounded down.
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
