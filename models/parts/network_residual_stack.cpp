// The networks of DeepMind's VQ-VAE (Sonnet's example), whose published training curve they are compared with: strided
// convolutions of kernel 4, a convolution of kernel 3 and a stack of residual blocks; the decoder goes the same way back. Initial
// weights are Sonnet's.
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/image_layers.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/network_kinds.hpp"

namespace vaezoo {
namespace {

using namespace ad;

constexpr Index kKernel = 4, kStride = 2;

Initializer sonnet_weight(Index fan_in) { return init::truncated_normal(0, 1 / std::sqrt(static_cast<Real>(fan_in))); }

/// [B, H, W, in] -> [B, H / stride, W / stride, out].
void add_conv(Sequential& layers, Index in, Index out, Index kernel, Index stride, Activation activation) {
  layers.add<Conv2d>(in, out, kernel,
                     Conv2dOptions{.stride = stride, .padding = (kernel - 1) / 2, .activation = activation,
                                   .initial_weight = sonnet_weight(kernel * kernel * in), .initial_bias = init::zeros()});
}

/// x + conv1x1(relu(conv3x3(relu(x)))), some times, and a relu.
void add_stack(Sequential& layers, const ResidualStackConfig& config) {
  for (std::int64_t i = 0; i < config.layers; ++i)
    layers.add<Residual>([&](Sequential& body) {
      body.add<Activate>(Activation::relu);
      add_conv(body, config.hidden, config.residual_hidden, 3, 1, Activation::relu);
      add_conv(body, config.residual_hidden, config.hidden, 1, 1, Activation::identity);
    });
  layers.add<Activate>(Activation::relu);
}

/// Channels after halving i of n: the first of several has half of them.
Index channels_at(const ResidualStackConfig& config, std::int64_t i) { return i == 0 ? (config.hidden + 1) / 2 : config.hidden; }

/// The shapes of an image halved again and again, its own first. Throws ConfigError when there is nothing left to halve.
std::vector<ImageShape> halved(const ResidualStackConfig& config, const ImageShape& data, const char* where) {
  if (data.height == 1 && data.channels == 1)
    throw ConfigError(cat(where, ": residual_stack needs images, these data are vectors of ", data.size(),
                          " numbers; choose mlp or gated_mlp"));
  std::vector<ImageShape> shapes{data};
  for (std::int64_t i = 0; i < config.halvings; ++i) {
    const ImageShape& last = shapes.back();
    if (last.height < 2 || last.width < 2)
      throw ConfigError(cat(where, ".halvings: data of ", data.height, " x ", data.width, " can be halved ", i, " times, not ",
                            config.halvings));
    shapes.push_back({last.height / 2, last.width / 2, channels_at(config, i)});
  }
  return shapes;
}

class StackEncoder final : public Network {
 public:
  StackEncoder(const ResidualStackConfig& config, const ImageShape& data, const Parameters& p)
      : data_(data), center_(static_cast<Real>(config.center)), layers_(p) {
    const std::vector<ImageShape> shapes = halved(config, data, "model.encoder");
    for (std::size_t i = 1; i < shapes.size(); ++i)
      add_conv(layers_, shapes[i - 1].channels, shapes[i].channels, kKernel, kStride, Activation::relu);
    add_conv(layers_, shapes.back().channels, config.hidden, 3, 1, Activation::relu);
    add_stack(layers_, config);
    outputs_ = {shapes.back().height, shapes.back().width, config.hidden};
  }
  Var operator()(const Context& c, Var x) const override {
    const Index batch = x.shape()[0];
    return reshape(layers_(c, reshape(x - center_, {batch, data_.height, data_.width, data_.channels})),
                   {batch, outputs_.size()});
  }
  ImageShape outputs() const override { return outputs_; }

 private:
  ImageShape data_, outputs_;
  Real center_;
  Sequential layers_;
};

/// A transposed convolution to exactly `to`: twice the size, and one more row or column below and right of an odd one.
class Double final : public Layer {
 public:
  Double(const Parameters& p, Index in, Index out, const ImageShape& to, Activation activation, Real bias)
      : to_(to),
        conv_(p, in, out, kKernel,
              ConvTranspose2dOptions{.stride = kStride,
                                     .padding = 1,
                                     .output_padding = std::max(to.height % 2, to.width % 2),
                                     .activation = activation,
                                     .initial_weight = sonnet_weight(kKernel * kKernel * in),
                                     .initial_bias = init::constant(bias)}) {}
  Var operator()(const Context& c, Var x) const override {
    const Var y = conv_(c, x), rows = y.shape()[1] == to_.height ? y : slice(y, 1, 0, to_.height);
    return rows.shape()[2] == to_.width ? rows : slice(rows, 2, 0, to_.width);
  }

 private:
  ImageShape to_;
  ConvTranspose2d conv_;
};

class StackDecoder final : public Network {
 public:
  StackDecoder(const ResidualStackConfig& config, const ImageShape& input, const ImageShape& data, Index numbers,
               const Parameters& p)
      : data_(data), numbers_(numbers), layers_(p) {
    const std::vector<ImageShape> shapes = halved(config, data, "model.decoder");
    start_ = {shapes.back().height, shapes.back().width, input.spatial() ? input.channels : config.hidden};
    if (!input.spatial())
      dense_ = std::make_unique<Linear>(p / "dense", input.size(), start_.size(), Activation::relu);
    else if (input.height != start_.height || input.width != start_.width)
      throw ConfigError(cat("model.decoder: it starts from ", start_.height, " x ", start_.width, " for data of ", data.height,
                            " x ", data.width, ", but the code is ", input.height, " x ", input.width,
                            "; give it as many halvings as the encoder"));
    add_conv(layers_, start_.channels, config.hidden, 3, 1, Activation::identity);
    add_stack(layers_, config);
    Index channels = config.hidden;
    for (std::size_t i = shapes.size() - 1; i > 1; --i) {
      layers_.add<Double>(channels, shapes[i - 1].channels, shapes[i - 1], Activation::relu, Real(0));
      channels = shapes[i - 1].channels;
    }
    layers_.add<Double>(channels, numbers * data.channels, data, Activation::identity, static_cast<Real>(config.center));
  }
  Var operator()(const Context& c, Var z) const override {
    const Index batch = z.shape()[0];
    const Var y = layers_(c, reshape(dense_ ? (*dense_)(c, z) : z, {batch, start_.height, start_.width, start_.channels}));
    if (numbers_ == 1) return reshape(y, {batch, data_.size()});
    const Var split = reshape(y, {batch, data_.height * data_.width, numbers_, data_.channels});
    return reshape(permute(split, {0, 2, 1, 3}), {batch, numbers_ * data_.size()});
  }
  ImageShape outputs() const override { return {1, 1, numbers_ * data_.size()}; }

 private:
  ImageShape data_, start_;
  Index numbers_;
  std::unique_ptr<Linear> dense_;
  Sequential layers_;
};

}  // namespace

std::unique_ptr<Network> residual_stack_encoder(const ResidualStackConfig& config, const ImageShape& data, Parameters p) {
  return std::make_unique<StackEncoder>(config, data, p);
}

std::unique_ptr<Network> residual_stack_decoder(const ResidualStackConfig& config, const ImageShape& input,
                                                const ImageShape& data, Index numbers, Parameters p) {
  return std::make_unique<StackDecoder>(config, input, data, numbers, p);
}

}  // namespace vaezoo
