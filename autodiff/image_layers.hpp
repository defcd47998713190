#pragma once
// Layers for images, channels last. Names and initial values of weights are PyTorch's, and so is their layout.
#include <memory>
#include <optional>
#include <vector>

#include "autodiff/conv.hpp"
#include "autodiff/layers.hpp"

namespace ad {

/// The sizes of a kernel: `3` is 3 x 3.
struct Kernel {
  Index height, width;
  Kernel(Index size) : Kernel(size, size) {}  // NOLINT: Conv2d(p, 1, 32, 4) reads as in PyTorch
  Kernel(Index h, Index w) : height(h), width(w) {}
};

/// As many zeros around the image as keep its size under a kernel with stride 1; one more below and right of an even one.
Border same_padding(const Kernel& kernel, Index dilation = 1);

struct Conv2dOptions {
  Index stride = 1;
  Border padding = 0;
  Index dilation = 1, groups = 1;
  Activation activation = Activation::identity;
  bool bias = true;
  bool weight_norm = false;  ///< weight = weight_g weight_v / |weight_v|, for each output
  Initializer initial_weight = init::linear_default();
  Initializer initial_bias = nullptr;  ///< when empty init::bias_default, as in PyTorch
};

/// y = activation(conv2d(x, weight) + bias).   x: [B, H, W, in]   returns: [B, Ho, Wo, out].
/// weight: [out, in / groups, kh, kw] (or weight_v, and weight_g: [out, 1, 1, 1]), bias: [out].
class Conv2d final : public Layer {
 public:
  Conv2d(const Parameters& p, Index in, Index out, const Kernel& kernel, const Conv2dOptions& options);
  Conv2d(const Parameters& p, Index in, Index out, const Kernel& kernel) : Conv2d(p, in, out, kernel, Conv2dOptions{}) {}
  Var operator()(const Context& context, Var x) const override;

  Parameter& weight() const { return *weight_; }
  Parameter* bias() const { return bias_; }  ///< nullptr when there is none

 private:
  Parameter *weight_, *scale_ = nullptr, *bias_ = nullptr;
  ConvOptions options_;
  Activation activation_;
};

struct ConvTranspose2dOptions {
  Index stride = 1, padding = 0, output_padding = 0, dilation = 1, groups = 1;
  Activation activation = Activation::identity;
  bool bias = true;
  Initializer initial_weight = init::linear_default();
  Initializer initial_bias = nullptr;
};

/// y = activation(conv_transpose2d(x, weight) + bias).   x: [B, H, W, in]   returns: [B, Ho, Wo, out].
/// weight: [in, out / groups, kh, kw], bias: [out].
class ConvTranspose2d final : public Layer {
 public:
  ConvTranspose2d(const Parameters& p, Index in, Index out, const Kernel& kernel, const ConvTranspose2dOptions& options);
  ConvTranspose2d(const Parameters& p, Index in, Index out, const Kernel& kernel)
      : ConvTranspose2d(p, in, out, kernel, ConvTranspose2dOptions{}) {}
  Var operator()(const Context& context, Var x) const override;

  Parameter& weight() const { return *weight_; }
  Parameter* bias() const { return bias_; }

 private:
  Parameter *weight_, *bias_ = nullptr;
  ConvTransposeOptions options_;
  Activation activation_;
};

/// What a pixel of a causal convolution sees of its row and of the rows above (van den Oord et al. 2016).
enum class CausalMask {
  a,           ///< the rows above and what is left of it: the first layer of a PixelCNN
  b,           ///< and itself: the later layers
  rows_above,  ///< the rows above in full: the first layer of a vertical stack
  rows,        ///< and its own row in full: the later layers of a vertical stack
};

/// A convolution with stride 1 that keeps the image's size and sees only earlier pixels in reading order. The kernel is odd; a
/// horizontal stack is a kernel of height 1 with mask a or b. Rows (for height 1: columns) that the mask hides altogether are not
/// stored: weight is [out, in, (kh + 1) / 2, kw], for height 1 [out, in, 1, (kw + 1) / 2] under a and b.
///   x: [B, H, W, in]   returns: [B, H, W, out].
class MaskedConv2d final : public Layer {
 public:
  struct Options {
    Activation activation = Activation::identity;
    bool bias = true;
  };
  MaskedConv2d(const Parameters& p, Index in, Index out, const Kernel& kernel, CausalMask mask, const Options& options);
  MaskedConv2d(const Parameters& p, Index in, Index out, const Kernel& kernel, CausalMask mask)
      : MaskedConv2d(p, in, out, kernel, mask, Options{}) {}
  Var operator()(const Context& context, Var x) const override;

  Parameter& weight() const { return *weight_; }

 private:
  Parameter *weight_, *bias_ = nullptr;
  std::vector<Real> mask_;  // of the weight's size; empty when it hides nothing more
  ConvOptions options_;
  Activation activation_;
};

/// Group norm, Wu & He 2018, over the pixels and the channels of a group of each image.   x: [B, ..., C]   returns: the same
/// shape.
class GroupNorm final : public Layer {
 public:
  GroupNorm(const Parameters& p, Index groups, Index channels, Real epsilon = Real(1e-5));
  Var operator()(const Context& context, Var x) const override;

 private:
  Parameter *weight_, *bias_;
  Index groups_;
  Real epsilon_;
};

/// y = activation(W x + b) with each row of W as weight_g weight_v / |weight_v| (Salimans & Kingma 2016).
/// weight_v: [out, in], weight_g: [out, 1], at first |weight_v|; bias: [out].
class WeightNormLinear final : public Layer {
 public:
  WeightNormLinear(const Parameters& p, Index in, Index out, const LinearOptions& options);
  WeightNormLinear(const Parameters& p, Index in, Index out, Activation activation = Activation::identity)
      : WeightNormLinear(p, in, out, LinearOptions{.activation = activation}) {}
  Var operator()(const Context& context, Var x) const override;

 private:
  Parameter *direction_, *scale_, *bias_ = nullptr;
  Activation activation_;
};

/// y = activation(h) sigmoid(g), h and g the two halves of one linear layer's 2 out units (Tomczak & Welling 2018; Dauphin et al.
/// 2016).
///   x: [..., in]   returns: [..., out].   weight: [2 out, in], bias: [2 out].
class GatedLinear final : public Layer {
 public:
  GatedLinear(const Parameters& p, Index in, Index out, Activation activation = Activation::identity);
  Var operator()(const Context& context, Var x) const override;

 private:
  Linear both_;
  Activation activation_;
};

/// y = activation(h) sigmoid(g), h and g the two halves of one convolution's 2 out channels. The activation of the options is
/// h's.
///   x: [B, H, W, in]   returns: [B, Ho, Wo, out].   weight: [2 out, in / groups, kh, kw], bias: [2 out].
class GatedConv2d final : public Layer {
 public:
  GatedConv2d(const Parameters& p, Index in, Index out, const Kernel& kernel, const Conv2dOptions& options);
  GatedConv2d(const Parameters& p, Index in, Index out, const Kernel& kernel)
      : GatedConv2d(p, in, out, kernel, Conv2dOptions{}) {}
  Var operator()(const Context& context, Var x) const override;

 private:
  Conv2d both_;
  Activation activation_;
};

/// The same for a transposed convolution.   weight: [in, 2 out / groups, kh, kw], bias: [2 out].
class GatedConvTranspose2d final : public Layer {
 public:
  GatedConvTranspose2d(const Parameters& p, Index in, Index out, const Kernel& kernel, const ConvTranspose2dOptions& options);
  Var operator()(const Context& context, Var x) const override;

 private:
  ConvTranspose2d both_;
  Activation activation_;
};

/// y = x s, s = sigmoid(fc2(relu(fc1(mean of x over the pixels)))), one number for each channel (Hu et al. 2018).
///   x: [B, H, W, C]   returns: the same shape.   fc1: C -> max(C / reduction, 1), fc2: back.
class SqueezeExcite final : public Layer {
 public:
  SqueezeExcite(const Parameters& p, Index channels, Index reduction = 16);
  Var operator()(const Context& context, Var x) const override;

 private:
  Linear squeeze_, excite_;
};

enum class Norm { none, batch, group };

struct ResidualBlockOptions {
  Index hidden = 0;                      ///< channels between the two convolutions; 0: as many as come out
  Index stride = 1;                      ///< of the first convolution; the skip is then strided too
  Kernel kernel = 3, second_kernel = 3;  ///< odd
  Activation activation = Activation::relu;
  Norm norm = Norm::none;
  Index norm_groups = 8;  ///< of group norm; fewer when the channels are no multiple
  bool bias = true;
  Index squeeze_excite = 0;  ///< the reduction of a SqueezeExcite after it; 0: none
};

/// y = skip(x) + conv2(f(norm2(conv1(f(norm1(x)))))), f the activation: the pre-activation block of He et al. 2016 (b). The skip
/// is x itself or, where the shape changes, a 1 x 1 convolution.
///   x: [B, H, W, in]   returns: [B, Ho, Wo, out].   Names: norm1, conv1, norm2, conv2, skip, squeeze_excite.
class ResidualBlock final : public Layer {
 public:
  ResidualBlock(const Parameters& p, Index in, Index out, const ResidualBlockOptions& options);
  ResidualBlock(const Parameters& p, Index in, Index out) : ResidualBlock(p, in, out, ResidualBlockOptions{}) {}
  Var operator()(const Context& context, Var x) const override;

 private:
  std::unique_ptr<Layer> before_, between_;  // norm and activation
  std::optional<Conv2d> conv1_, conv2_, skip_;
  std::optional<SqueezeExcite> squeeze_excite_;
};

/// The residual stack of DeepMind's VQ-VAE (Sonnet): `count` blocks x + conv1x1(relu(conv3x3(relu(x)))), then a relu.
///   x: [B, H, W, channels]   returns: the same shape.
class ResidualStack final : public Layer {
 public:
  ResidualStack(const Parameters& p, Index channels, Index hidden, Index count);
  Var operator()(const Context& context, Var x) const override;

 private:
  std::vector<ResidualBlock> blocks_;
};

enum class Resampling { nearest, bilinear };

/// An image `factor` times as high and wide.   x: [B, H, W, C]   returns: [B, H factor, W factor, C].
class Upsample final : public Layer {
 public:
  Upsample(const Parameters& p, Index factor, Resampling kind = Resampling::nearest);
  Var operator()(const Context& context, Var x) const override;

 private:
  Index factor_;
  Resampling kind_;
};

}  // namespace ad
