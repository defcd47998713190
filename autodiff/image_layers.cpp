#include "autodiff/image_layers.hpp"

#include <numeric>
#include <utility>

#include "autodiff/elementwise.hpp"
#include "autodiff/gating.hpp"
#include "autodiff/layer_support.hpp"
#include "autodiff/normalization.hpp"
#include "autodiff/pooling.hpp"
#include "autodiff/resampling.hpp"
#include "autodiff/shape_ops.hpp"
#include "autodiff/weight_norm.hpp"

namespace ad {

using detail::add_bias, detail::checked, detail::on_tape;

namespace {

void check_groups(const Parameters& p, const char* layer, Index in, Index out, Index groups) {
  AD_CHECK(groups >= 1 && in % groups == 0 && out % groups == 0, layer,
           cat(p.prefix(), ": in and out must be multiples of the groups, they are ", in, ", ", out, " and ", groups));
}

Shape conv_shape(const Parameters& p, const char* layer, Index first, Index second, const Kernel& kernel) {
  return {first, second, checked(kernel.height, p, layer, "the kernel"), checked(kernel.width, p, layer, "the kernel")};
}

/// The options of a convolution with twice the outputs, whose activation is left to glu.
template <class Options>
Options without_activation(Options options) {
  options.activation = Activation::identity;
  return options;
}

}  // namespace

Border same_padding(const Kernel& kernel, Index dilation) {
  const Index down = dilation * (kernel.height - 1), across = dilation * (kernel.width - 1);
  return {down / 2, down - down / 2, across / 2, across - across / 2};
}

Conv2d::Conv2d(const Parameters& p, Index in, Index out, const Kernel& kernel, const Conv2dOptions& options)
    : options_{options.stride, options.padding, options.dilation, options.groups}, activation_(options.activation) {
  check_groups(p, "Conv2d", checked(in, p, "Conv2d", "in"), checked(out, p, "Conv2d", "out"), options.groups);
  const Shape shape = conv_shape(p, "Conv2d", out, in / options.groups, kernel);
  weight_ = &p.add(options.weight_norm ? "weight_v" : "weight", shape, options.initial_weight);
  if (options.weight_norm) scale_ = &p.add("weight_g", {out, 1, 1, 1}, init::row_lengths(*weight_));
  bias_ = add_bias(p, out, init::fans(shape).in, options);
}

Var Conv2d::operator()(const Context& context, Var x) const {
  Var weight = on_tape(context, weight_);
  if (scale_ != nullptr) weight = weight_norm(weight, on_tape(context, scale_));
  return conv2d(x, weight, on_tape(context, bias_), options_, activation_);
}

ConvTranspose2d::ConvTranspose2d(const Parameters& p, Index in, Index out, const Kernel& kernel,
                                 const ConvTranspose2dOptions& options)
    : options_{options.stride, options.padding, options.output_padding, options.dilation, options.groups},
      activation_(options.activation) {
  check_groups(p, "ConvTranspose2d", checked(in, p, "ConvTranspose2d", "in"), checked(out, p, "ConvTranspose2d", "out"),
               options.groups);
  const Shape shape = conv_shape(p, "ConvTranspose2d", in, out / options.groups, kernel);
  weight_ = &p.add("weight", shape, options.initial_weight);
  bias_ = add_bias(p, out, init::fans(shape).in, options);
}

Var ConvTranspose2d::operator()(const Context& context, Var x) const {
  return conv_transpose2d(x, on_tape(context, weight_), on_tape(context, bias_), options_, activation_);
}

MaskedConv2d::MaskedConv2d(const Parameters& p, Index in, Index out, const Kernel& kernel, CausalMask mask,
                           const Options& options)
    : activation_(options.activation) {
  AD_CHECK(kernel.height % 2 == 1 && kernel.width % 2 == 1 && kernel.height > 0 && kernel.width > 0, "MaskedConv2d",
           cat(p.prefix(), ": the kernel must be odd, it is ", kernel.height, " x ", kernel.width));
  const bool own_row_masked = mask == CausalMask::a || mask == CausalMask::b, flat = kernel.height == 1 && own_row_masked;
  const Index above = kernel.height / 2, left = kernel.width / 2;
  const Kernel seen(above + 1, flat ? left + 1 : kernel.width);
  options_.padding = {above, 0, left, flat ? 0 : left};
  const Shape shape =
      conv_shape(p, "MaskedConv2d", checked(out, p, "MaskedConv2d", "out"), checked(in, p, "MaskedConv2d", "in"), seen);
  weight_ = &p.add("weight", shape, init::linear_default());
  bias_ = add_bias(p, out, init::fans(shape).in, Conv2dOptions{.bias = options.bias});
  if (mask == CausalMask::rows || (mask == CausalMask::b && flat)) return;
  // The last row of the kernel is the pixel's own; of it, the mask leaves the first `open` columns.
  const Index open = mask == CausalMask::a ? left : mask == CausalMask::b ? left + 1 : 0;
  mask_.assign(static_cast<std::size_t>(shape.size()), Real(1));
  for (Index i = 0; i < shape.size(); ++i)
    if (i / seen.width % seen.height == above && i % seen.width >= open) mask_[static_cast<std::size_t>(i)] = 0;
}

Var MaskedConv2d::operator()(const Context& context, Var x) const {
  Var weight = on_tape(context, weight_);
  if (!mask_.empty())
    weight = map(
        "mask", [](auto w, auto m) { return w * m; }, weight, context.tape.constant(weight.shape(), mask_));
  return conv2d(x, weight, on_tape(context, bias_), options_, activation_);
}

GroupNorm::GroupNorm(const Parameters& p, Index groups, Index channels, Real epsilon)
    : weight_(&p.add("weight", {checked(channels, p, "GroupNorm", "channels")}, init::ones())),
      bias_(&p.add("bias", {channels}, init::zeros())),
      groups_(groups),
      epsilon_(epsilon) {
  AD_CHECK(groups >= 1 && channels % groups == 0, "GroupNorm",
           cat(p.prefix(), ": the channels must be a multiple of the groups, they are ", channels, " and ", groups));
}

Var GroupNorm::operator()(const Context& context, Var x) const {
  return group_norm(x, on_tape(context, weight_), on_tape(context, bias_), groups_, epsilon_);
}

WeightNormLinear::WeightNormLinear(const Parameters& p, Index in, Index out, const LinearOptions& options)
    : direction_(&p.add("weight_v", {checked(out, p, "WeightNormLinear", "out"), checked(in, p, "WeightNormLinear", "in")},
                        options.initial_weight)),
      scale_(&p.add("weight_g", {out, 1}, init::row_lengths(*direction_))),
      bias_(add_bias(p, out, in, options)),
      activation_(options.activation) {}

Var WeightNormLinear::operator()(const Context& context, Var x) const {
  return linear(x, weight_norm(on_tape(context, direction_), on_tape(context, scale_)), on_tape(context, bias_), activation_);
}

GatedLinear::GatedLinear(const Parameters& p, Index in, Index out, Activation activation)
    : both_(p, in, 2 * out), activation_(activation) {}

Var GatedLinear::operator()(const Context& context, Var x) const { return glu(both_(context, x), activation_); }

GatedConv2d::GatedConv2d(const Parameters& p, Index in, Index out, const Kernel& kernel, const Conv2dOptions& options)
    : both_(p, in, 2 * out, kernel, without_activation(options)), activation_(options.activation) {}

Var GatedConv2d::operator()(const Context& context, Var x) const { return glu(both_(context, x), activation_); }

GatedConvTranspose2d::GatedConvTranspose2d(const Parameters& p, Index in, Index out, const Kernel& kernel,
                                           const ConvTranspose2dOptions& options)
    : both_(p, in, 2 * out, kernel, without_activation(options)), activation_(options.activation) {}

Var GatedConvTranspose2d::operator()(const Context& context, Var x) const { return glu(both_(context, x), activation_); }

SqueezeExcite::SqueezeExcite(const Parameters& p, Index channels, Index reduction)
    : squeeze_(p / "fc1", channels, std::max<Index>(1, channels / checked(reduction, p, "SqueezeExcite", "reduction")),
               Activation::relu),
      excite_(p / "fc2", std::max<Index>(1, channels / reduction), channels, Activation::sigmoid) {}

Var SqueezeExcite::operator()(const Context& context, Var x) const {
  const Var scale = excite_(context, squeeze_(context, global_avg_pool(x)));
  return x * reshape(scale, {x.shape()[0], 1, 1, x.shape()[3]});
}

namespace {

/// A norm and the activation after it.
class NormAndActivation final : public Layer {
 public:
  NormAndActivation(const Parameters& p, Index channels, const ResidualBlockOptions& options) : activation_(options.activation) {
    if (options.norm == Norm::batch)
      norm_ = std::make_unique<BatchNorm>(p, channels,
                                          BatchNorm::Options{.activation = std::exchange(activation_, Activation::identity)});
    if (options.norm == Norm::group)
      norm_ = std::make_unique<GroupNorm>(p, std::gcd(channels, checked(options.norm_groups, p, "ResidualBlock", "norm_groups")),
                                          channels);
  }
  Var operator()(const Context& context, Var x) const override { return activate(norm_ ? (*norm_)(context, x) : x, activation_); }

 private:
  std::unique_ptr<Layer> norm_;
  Activation activation_;  // what the norm does not do itself
};

}  // namespace

ResidualBlock::ResidualBlock(const Parameters& p, Index in, Index out, const ResidualBlockOptions& options) {
  const auto conv = [&](Index stride, const Kernel& kernel, Activation activation = Activation::identity) {
    AD_CHECK(kernel.height % 2 == 1 && kernel.width % 2 == 1, "ResidualBlock",
             cat(p.prefix(), ": the kernels must be odd, one is ", kernel.height, " x ", kernel.width));
    return Conv2dOptions{.stride = stride, .padding = same_padding(kernel), .activation = activation, .bias = options.bias};
  };
  const Index hidden = options.hidden == 0 ? out : options.hidden;
  // Without a norm between them, the first convolution applies the second activation itself.
  const bool plain = options.norm == Norm::none;
  before_ = std::make_unique<NormAndActivation>(p / "norm1", in, options);
  conv1_.emplace(p / "conv1", in, hidden, options.kernel,
                 conv(options.stride, options.kernel, plain ? options.activation : Activation::identity));
  if (!plain) between_ = std::make_unique<NormAndActivation>(p / "norm2", hidden, options);
  conv2_.emplace(p / "conv2", hidden, out, options.second_kernel, conv(1, options.second_kernel));
  if (in != out || options.stride != 1) skip_.emplace(p / "skip", in, out, 1, conv(options.stride, 1));
  if (options.squeeze_excite != 0) squeeze_excite_.emplace(p / "squeeze_excite", out, options.squeeze_excite);
}

Var ResidualBlock::operator()(const Context& context, Var x) const {
  Var h = (*conv1_)(context, (*before_)(context, x));
  if (between_) h = (*between_)(context, h);
  h = (*conv2_)(context, h);
  if (squeeze_excite_) h = (*squeeze_excite_)(context, h);
  return (skip_ ? (*skip_)(context, x) : x) + h;
}

ResidualStack::ResidualStack(const Parameters& p, Index channels, Index hidden, Index count) {
  for (Index i = 0; i < count; ++i)
    blocks_.emplace_back(p / i, channels, channels, ResidualBlockOptions{.hidden = hidden, .second_kernel = 1});
}

Var ResidualStack::operator()(const Context& context, Var x) const {
  for (const ResidualBlock& block : blocks_) x = block(context, x);
  return relu(x);
}

Upsample::Upsample(const Parameters& p, Index factor, Resampling kind)
    : factor_(checked(factor, p, "Upsample", "the factor")), kind_(kind) {}

Var Upsample::operator()(const Context&, Var x) const {
  const Shape& s = x.shape();
  AD_CHECK(s.rank() == 4, "Upsample", cat("x must be images [batch, height, width, channels], it is ", s));
  const auto resample = kind_ == Resampling::nearest ? upsample_nearest : upsample_bilinear;
  return resample(x, s[1] * factor_, s[2] * factor_);
}

}  // namespace ad
