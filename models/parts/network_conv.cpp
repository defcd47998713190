// Convolutional networks. An encoder halves (or so) the image with each layer; a decoder goes the same way back, and its layers' sizes
// are those that an encoder of the same kernels and strides would pass, so any image size works.
#include <algorithm>
#include <numeric>

#include "autodiff/elementwise.hpp"
#include "autodiff/image_layers.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/film.hpp"
#include "models/parts/network_kinds.hpp"

namespace vaezoo {
namespace {

using namespace ad;

/// Kernel and stride of a layer; padded by half the kernel.
struct Geometry {
  Index kernel, stride;
  Index padding() const { return (kernel - 1) / 2; }
  Index shrunk(Index side) const { return (side + 2 * padding() - kernel) / stride + 1; }
  /// Rows that a transposed convolution must add to its least size to arrive at `side`.
  Index missing(Index side) const { return side - ((shrunk(side) - 1) * stride - 2 * padding() + kernel); }
};

std::vector<Geometry> geometry(const ConvConfig& config) {
  std::vector<Geometry> g;
  for (std::size_t i = 0; i < config.channels.size(); ++i)
    g.push_back({config.kernels[config.kernels.size() == 1 ? 0 : i], config.strides[config.strides.size() == 1 ? 0 : i]});
  return g;
}

std::string text(const ImageShape& s) { return cat(s.height, " x ", s.width, " x ", s.channels); }

/// The size after each layer, the data's first. Throws ConfigError naming the layer that has nothing left to look at.
std::vector<ImageShape> shapes_down(const ImageShape& data, const std::vector<Geometry>& layers, const std::string& where) {
  if (data.height == 1 && data.channels == 1)
    throw ConfigError(
        cat(where, ": convolutions need images, these data are vectors of ", data.size(), " numbers; choose mlp or gated_mlp"));
  std::vector<ImageShape> shapes{data};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const ImageShape& in = shapes.back();
    const Geometry& g = layers[i];
    const ImageShape out{g.shrunk(in.height), g.shrunk(in.width), in.channels};
    if (std::min(in.height, in.width) + 2 * g.padding() < g.kernel || std::min(out.height, out.width) < 1)
      throw ConfigError(cat(where, ": layer ", i + 1, " of ", layers.size(), " (kernel ", g.kernel, ", stride ", g.stride,
                            ") finds an image of ", in.height, " x ", in.width, ", which is too small for it; data of ",
                            text(data), " carry ", i, " such layers"));
    shapes.push_back(out);
  }
  return shapes;
}

/// What surrounds a convolution: [norm, film,] activation, or a gate [and film].
struct Style {
  Activation activation;
  std::string norm;
  bool gated;
  Index film;

  bool fused() const { return norm == "none" && !gated && film == 0; }
  Activation inner() const { return fused() ? activation : Activation::identity; }
  bool bias() const { return norm != "batch" || gated; }  // batch norm takes the mean away, and a bias with it

  /// What follows the convolution.
  void finish(Sequential& layers, Index channels) const {
    if (norm == "batch" && !gated && film == 0) {  // in one pass
      layers.add<BatchNorm>(channels, BatchNorm::Options{.activation = activation});
      return;
    }
    if (norm == "batch" && !gated) layers.add<BatchNorm>(channels);
    if (norm == "group" && !gated) layers.add<GroupNorm>(std::gcd(channels, Index(32)), channels);
    if (film > 0) layers.add<Film>(film, channels);
    if (!gated && !fused()) layers.add<Activate>(activation);
  }
  void add_conv(Sequential& layers, Index in, Index out, const Geometry& g) const {
    const Conv2dOptions o{.stride = g.stride, .padding = g.padding(), .activation = inner(), .bias = bias()};
    if (gated)
      layers.add<GatedConv2d>(in, out, g.kernel, o);
    else
      layers.add<Conv2d>(in, out, g.kernel, o);
    finish(layers, out);
  }
};

Style style_of(const ConvSettings& s) { return {activation_from_name(s.config.activation), s.config.norm, s.gated, s.film}; }

void add_residual_blocks(Sequential& layers, const ConvSettings& s, const Style& style, Index channels) {
  const Norm norm = style.norm == "batch" ? Norm::batch : style.norm == "group" ? Norm::group : Norm::none;
  for (Index i = 0; i < s.blocks; ++i)
    layers.add<ResidualBlock>(channels, channels, ResidualBlockOptions{.activation = style.activation, .norm = norm});
}

/// Fully connected layers; returns the width that comes out.
Index add_dense(Sequential& layers, const ConvSettings& s, const Style& style, Index inputs) {
  for (const std::int64_t width : s.config.dense) {
    if (s.gated)
      layers.add<GatedLinear>(inputs, width);
    else
      layers.add<Linear>(inputs, width, style.activation);
    inputs = width;
  }
  return inputs;
}

class ConvEncoder final : public Network {
 public:
  ConvEncoder(const ConvSettings& s, const ImageShape& data, Parameters p)
      : data_(data), convs_(p / "conv"), dense_(p / "dense") {
    const Style style = style_of(s);
    const std::vector<Geometry> layers = geometry(s.config);
    const ImageShape last = shapes_down(data, layers, "model.encoder").back();
    Index channels = data.channels;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Index next = s.config.channels[i];
      style.add_conv(convs_, channels, next, layers[i]);
      add_residual_blocks(convs_, s, style, next);
      channels = next;
    }
    outputs_ = {last.height, last.width, channels};
    if (!s.config.dense.empty()) outputs_ = {1, 1, add_dense(dense_, s, style, outputs_.size())};
  }
  Var operator()(const Context& c, Var x) const override {
    const Index batch = x.shape()[0];
    const Var maps = convs_(c, reshape(x, {batch, data_.height, data_.width, data_.channels}));
    return dense_(c, reshape(maps, {batch, -1}));
  }
  ImageShape outputs() const override { return outputs_; }

 private:
  ImageShape data_, outputs_;
  Sequential convs_, dense_;
};

/// A transposed convolution to exactly `height` x `width`: what it makes too much is cut at the lower and right border.
class Enlarge final : public Layer {
 public:
  Enlarge(const Parameters& p, Index in, Index out, const Geometry& g, const ImageShape& to,
          Activation activation = Activation::identity, bool bias = true, bool gated = false)
      : height_(to.height), width_(to.width) {
    const ConvTranspose2dOptions o{.stride = g.stride,
                                   .padding = g.padding(),
                                   .output_padding = std::max(g.missing(to.height), g.missing(to.width)),
                                   .activation = activation,
                                   .bias = bias};
    if (gated)
      conv_ = std::make_unique<GatedConvTranspose2d>(p, in, out, g.kernel, o);
    else
      conv_ = std::make_unique<ConvTranspose2d>(p, in, out, g.kernel, o);
  }
  Var operator()(const Context& c, Var x) const override {
    Var y = (*conv_)(c, x);
    if (y.shape()[1] != height_) y = slice(y, 1, 0, height_);
    return y.shape()[2] != width_ ? slice(y, 2, 0, width_) : y;
  }

 private:
  Index height_, width_;
  std::unique_ptr<Layer> conv_;
};

class ConvDecoder final : public Network {
 public:
  ConvDecoder(const ConvSettings& s, const ImageShape& input, const ImageShape& data, Index numbers, Parameters p)
      : data_(data), numbers_(numbers), dense_(p / "dense"), convs_(p / "conv") {
    const Style style = style_of(s);
    std::vector<Geometry> layers = geometry(s.config);
    std::reverse(layers.begin(), layers.end());
    std::vector<ImageShape> shapes = shapes_down(data, layers, "model.decoder");
    std::reverse(layers.begin(), layers.end());
    std::reverse(shapes.begin(), shapes.end());  // as the decoder passes them
    start_ = {shapes.front().height, shapes.front().width, s.config.channels.front()};
    begin(s, style, input);

    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Index channels = s.config.channels[i];
      const bool makes_image = i + 1 == layers.size() && s.config.output_kernel == 0;
      add_residual_blocks(convs_, s, style, channels);
      if (makes_image) {
        convs_.add<Enlarge>(channels, numbers * data.channels, layers[i], shapes[i + 1]);
      } else {
        const Index next = s.config.channels[std::min(i + 1, layers.size() - 1)];
        convs_.add<Enlarge>(channels, next, layers[i], shapes[i + 1], style.inner(), style.bias(), style.gated);
        style.finish(convs_, next);
      }
    }
    if (const Index k = s.config.output_kernel; k > 0) {
      if (k % 2 == 0) throw ConfigError(cat("model.decoder.output_kernel: must be odd, so that the size stays; got ", k));
      convs_.add<Conv2d>(s.config.channels.back(), numbers * data.channels, k, Conv2dOptions{.padding = k / 2});
    }
  }

  Var operator()(const Context& c, Var z) const override {
    const Index batch = z.shape()[0];
    const Var start = spatial_input_ ? z : dense_(c, z);
    const Var y = convs_(c, reshape(start, {batch, start_.height, start_.width, input_channels_}));
    if (numbers_ == 1) return reshape(y, {batch, data_.size()});
    const Var split = reshape(y, {batch, data_.height * data_.width, numbers_, data_.channels});
    return reshape(permute(split, {0, 2, 1, 3}), {batch, numbers_ * data_.size()});
  }
  ImageShape outputs() const override { return {1, 1, numbers_ * data_.size()}; }

 private:
  /// From the code to the first map of features.
  void begin(const ConvSettings& s, const Style& style, const ImageShape& input) {
    spatial_input_ = input.spatial();
    input_channels_ = spatial_input_ ? input.channels : start_.channels;
    if (!spatial_input_) {
      const Index width = add_dense(dense_, s, style, input.size());
      if (s.gated)
        dense_.add<GatedLinear>(width, start_.size());
      else
        dense_.add<Linear>(width, start_.size(), style.activation);
      return;
    }
    if (input.height != start_.height || input.width != start_.width)
      throw ConfigError(cat("model.decoder: its layers start from ", start_.height, " x ", start_.width, " for data of ",
                            text(data_), ", but the code is ", input.height, " x ", input.width,
                            "; give it the kernels and strides of the encoder in reverse"));
    if (!s.config.dense.empty())
      throw ConfigError("model.decoder.dense: the code is a map of features, so there are no fully connected layers; set []");
    style.add_conv(convs_, input.channels, start_.channels, {3, 1});
  }

  ImageShape data_, start_;
  Index numbers_, input_channels_ = 0;
  bool spatial_input_ = false;
  Sequential dense_, convs_;
};

}  // namespace

std::unique_ptr<Network> conv_encoder(const ConvSettings& settings, const ImageShape& data, Parameters p) {
  return std::make_unique<ConvEncoder>(settings, data, p);
}

std::unique_ptr<Network> conv_decoder(const ConvSettings& settings, const ImageShape& input, const ImageShape& data,
                                      Index numbers, Parameters p) {
  return std::make_unique<ConvDecoder>(settings, input, data, numbers, p);
}

}  // namespace vaezoo
