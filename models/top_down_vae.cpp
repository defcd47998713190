// A deep hierarchy of residual blocks over several resolutions. A pass up collects features of x; on the way down each block has
// a prior given all layers above, a posterior given these and the features, and adds what its z says to the state.
//   Child, "Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images", ICLR 2021, section 3
//   Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow", NeurIPS 2016: bidirectional inference
#include <cmath>
#include <optional>

#include "autodiff/elementwise.hpp"
#include "autodiff/image_layers.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/latent_model.hpp"
#include "models/parts/hierarchical_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct TopDownConfig : HierarchicalConfig {
  std::vector<std::int64_t> scales{2, 2, 0}, channels{32, 64, 128}, blocks{1, 2, 1}, latent_channels{1, 4, 16};
  std::int64_t encoder_blocks = 1;
  double bottleneck = 0.5;
  std::string activation = "elu";

  void fields(Fields& f) {
    f("scales", scales,
      "how much smaller each resolution is than the one before it, the data's first; 0: a single pixel. Vectors are one pixel always",
      between(0, 65536));
    f("channels", channels, "features at each resolution: one entry for all, or one each", between(1, 65536));
    f("blocks", blocks, "stochastic layers at each resolution: one entry for all, or one each", between(0, 1000));
    f("latent_channels", latent_channels, "numbers of z at each pixel of a resolution: one entry for all, or one each",
      between(1, 65536));
    f("encoder_blocks", encoder_blocks, "residual blocks at each resolution on the way up", between(0, 1000));
    f("bottleneck", bottleneck, "width inside of a residual block as a part of its resolution's channels",
      Range{.low = 0, .high = 4, .low_open = true});
    f.choice("activation", activation, {"elu", "gelu", "silu", "relu", "leaky_relu"}, "in the residual blocks");
    HierarchicalConfig::fields(f);
    f.require("scales", !scales.empty(), "needs at least one resolution");
    for (const auto& [key, list] :
         {std::pair("channels", &channels), std::pair("blocks", &blocks), std::pair("latent_channels", &latent_channels)})
      f.require(
          key, list->size() == 1 || list->size() == scales.size(),
          cat("has ", list->size(), " entries for ", scales.size(), " resolutions (scales); give one for all, or one each"));
    f.require("blocks", !blocks.empty() && blocks.back() > 0, "needs at least one stochastic layer at the smallest resolution");
  }
};

/// The maps of one resolution.
struct Resolution {
  ImageShape map;
  Index scale, blocks, latent_channels;
};

/// The data as a map: a vector is one pixel with a channel for each number.
ImageShape data_map(const DataSpec& data) {
  if (data.height == 1 && data.channels == 1) return {1, 1, data.width};
  return image_shape(data);
}

std::vector<Resolution> resolutions(const TopDownConfig& config, const DataSpec& data) {
  std::vector<Resolution> all;
  ImageShape map = data_map(data);
  const auto at = [](const std::vector<std::int64_t>& list, std::size_t r) { return list[list.size() == 1 ? 0 : r]; };
  for (std::size_t r = 0; r < config.scales.size(); ++r) {
    const Index s = config.scales[r];
    const auto smaller = [s](Index side) { return s == 0 ? 1 : (side + s - 1) / s; };
    map = {smaller(map.height), smaller(map.width), at(config.channels, r)};
    all.push_back({map, s, at(config.blocks, r), at(config.latent_channels, r)});
  }
  return all;
}

/// The layer nearest to x is the last block of the largest maps.
std::vector<LayerShape> layer_shapes(const std::vector<Resolution>& all) {
  std::vector<LayerShape> shapes;
  for (const Resolution& r : all)
    for (Index b = 0; b < r.blocks; ++b) {
      const std::string size = r.map.spatial() ? cat("_", r.map.height, "x", r.map.width) : "";
      shapes.push_back({cat("z", shapes.size() + 1, size), r.map.height, r.map.width, r.latent_channels});
    }
  return shapes;
}

/// 1x1, 3x3, 3x3, 1x1 with a narrow middle, each after an activation; on a single pixel all are 1x1. `gain` scales the initial
/// weights of the last, so that many blocks that are added up start small.
class Block final {
 public:
  Block(const Parameters& p, Index in, Index middle, Index out, bool spatial, Activation activation, double gain)
      : activation_(activation), inner_(p), last_(p / "last", middle, out, small(middle, gain)) {
    inner_.add<Linear>(in, middle, activation);
    for (int i = 0; i < 2; ++i) {
      if (spatial)
        inner_.add<Conv2d>(middle, middle, 3, Conv2dOptions{.padding = 1, .activation = activation});
      else
        inner_.add<Linear>(middle, middle, activation);
    }
  }
  Var operator()(const Context& c, Var x) const { return last_(c, inner_(c, activate(x, activation_))); }

  static LinearOptions small(Index in, double gain) {
    const Real bound = static_cast<Real>(gain / std::sqrt(double(in)));
    return {.initial_weight = init::uniform(-bound, bound), .initial_bias = init::zeros()};
  }

 private:
  Activation activation_;
  Sequential inner_;
  Linear last_;
};

/// From one resolution to the next smaller one: each scale x scale patch becomes a pixel. Zeros fill up the last patches.
class Shrink final {
 public:
  Shrink(const Parameters& p, const ImageShape& from, const Resolution& to)
      : to_(to.map), dense_(to.scale == 0 || !from.spatial()) {
    if (dense_) {
      layer_ = std::make_unique<Linear>(p, from.size(), to_.channels);
      return;
    }
    const Index s = to.scale;
    const Border missing(0, to_.height * s - from.height, 0, to_.width * s - from.width);
    layer_ = std::make_unique<Conv2d>(p, from.channels, to_.channels, s == 1 ? 3 : s,
                                      Conv2dOptions{.stride = s, .padding = s == 1 ? Border(1) : missing});
  }
  Var operator()(const Context& c, Var x) const {
    if (!dense_) return (*layer_)(c, x);
    const Index rows = x.shape()[0];
    return reshape((*layer_)(c, reshape(x, {rows, -1})), {rows, 1, 1, to_.channels});
  }

 private:
  ImageShape to_;
  bool dense_;
  std::unique_ptr<Layer> layer_;
};

/// The way back: each pixel becomes a patch, of `to`; what stands over is cut.
class Grow final {
 public:
  Grow(const Parameters& p, const Resolution& from, const ImageShape& to) : to_(to), dense_(from.scale == 0 || !to.spatial()) {
    const Index s = from.scale;
    if (dense_)
      layer_ = std::make_unique<Linear>(p, from.map.channels, to.size());
    else if (s == 1)
      layer_ = std::make_unique<Conv2d>(p, from.map.channels, to.channels, 3, Conv2dOptions{.padding = 1});
    else
      layer_ = std::make_unique<ConvTranspose2d>(p, from.map.channels, to.channels, s, ConvTranspose2dOptions{.stride = s});
  }
  Var operator()(const Context& c, Var x) const {
    if (dense_) return reshape((*layer_)(c, x), {x.shape()[0], to_.height, to_.width, to_.channels});
    Var y = (*layer_)(c, x);
    if (y.shape()[1] != to_.height) y = slice(y, 1, 0, to_.height);
    return y.shape()[2] == to_.width ? y : slice(y, 2, 0, to_.width);
  }

 private:
  ImageShape to_;
  bool dense_;
  std::unique_ptr<Layer> layer_;
};

/// One stochastic layer.
struct TopDownBlock {
  std::size_t resolution;
  std::optional<Block> prior;  // state -> mean and log variance of p(z | above), and a change of the state; none at the top
  Block posterior;             // features of x, state -> mean and log variance of q(z | x, above)
  Linear project;              // z -> a change of the state
  Block refine;                // a residual block after it
};

class TopDownVae final : public HierarchicalModel {
 public:
  TopDownVae(const TopDownConfig& config, const DataSpec& data, Parameters p)
      : HierarchicalModel(config, layer_shapes(resolutions(config, data)), Inference::top_down, data, p),
        data_(data_map(data)), resolutions_(resolutions(config, data)), activation_(activation_from_name(config.activation)) {
    build_up(config, p / "up");
    build_down(config, p / "down");
  }

 private:
  using Features = std::array<Var, Pass::kMaxLayers>;  // of x at each resolution

  Index middle(const TopDownConfig& config, const Resolution& r) const {
    return std::max<Index>(1, static_cast<Index>(std::lround(config.bottleneck * double(r.map.channels))));
  }

  void build_up(const TopDownConfig& config, const Parameters& p) {
    ImageShape from = data_;
    const double gain = 1 / std::sqrt(std::max(1.0, double(config.encoder_blocks) * double(resolutions_.size())));
    for (std::size_t r = 0; r < resolutions_.size(); ++r) {
      const Resolution& to = resolutions_[r];
      const Parameters here = p / static_cast<Index>(r);
      shrink_.emplace_back(here / "shrink", from, to);
      std::vector<Block>& blocks = up_.emplace_back();
      for (Index b = 0; b < config.encoder_blocks; ++b)
        blocks.emplace_back(here / b, to.map.channels, middle(config, to), to.map.channels, to.map.spatial(), activation_, gain);
      from = to.map;
    }
  }

  void build_down(const TopDownConfig& config, const Parameters& p) {
    const double gain = 1 / std::sqrt(double(layers().size()));
    std::size_t i = 0;
    for (std::size_t r = 0; r < resolutions_.size(); ++r) {
      const Resolution& here = resolutions_[r];
      const Index width = here.map.channels, latent = here.latent_channels, inside = middle(config, here);
      const bool spatial = here.map.spatial();
      for (Index b = 0; b < here.blocks; ++b, ++i) {
        const Parameters place = p / layers()[i].name;
        std::optional<Block> prior;
        if (i < top()) prior.emplace(place / "prior", width, inside, 2 * latent + width, spatial, activation_, gain);
        down_.push_back({r, std::move(prior),
                         Block(place / "posterior", 2 * width, inside, 2 * latent, spatial, activation_, gain),
                         Linear(place / "project", latent, width, Block::small(latent, gain)),
                         Block(place / "refine", width, inside, width, spatial, activation_, gain)});
      }
      ImageShape to = data_;
      to.channels *= likelihood().outputs() / data_.size();
      if (r > 0) to = resolutions_[r - 1].map;
      grow_.emplace_back(p / cat("grow", r), here, to);
    }
    const ImageShape& smallest = resolutions_.back().map;
    start_ = &p.add("start", {smallest.height, smallest.width, smallest.channels}, init::normal(0, Real(0.1)));
  }

  /// [N, ..., 2 Z + more]: means, log variances, and more.
  DiagonalNormal normal(Var numbers, Index latent) const {
    const Index rows = numbers.shape()[0];
    return bounds()({reshape(slice(numbers, -1, 0, latent), {rows, -1}), reshape(slice(numbers, -1, latent, 2 * latent), {rows, -1})});
  }

  Features bottom_up(const Context& c, Var x) const {
    Features features;
    Var d = reshape(x, {x.shape()[0], data_.height, data_.width, data_.channels});
    for (std::size_t r = 0; r < resolutions_.size(); ++r) {
      d = shrink_[r](c, d);
      for (const Block& block : up_[r]) d = d + block(c, d);
      features[r] = d;
    }
    return features;
  }

  /// q(z_i | x, z_i+1 ...) of layer i at resolution r.
  DiagonalNormal q_z(const Context& c, std::size_t i, Var features, Var state) const {
    return normal(down_[i].posterior(c, concat({features, state}, -1)), layers()[i].channels);
  }

  Var start(const Context& c, Index rows) const {
    const ImageShape& s = resolutions_.back().map;
    return broadcast_to(c.tape.parameter(*start_), {rows, s.height, s.width, s.channels});
  }

  DiagonalNormal q_top(const Context& c, Var x) const override {
    return q_z(c, top(), bottom_up(c, x)[resolutions_.size() - 1], start(c, x.shape()[0]));
  }

  Pass infer(const Context& c, Var x, Index samples, const Drawing& how) const override {
    Features features = bottom_up(c, x);
    if (samples > 1)
      for (std::size_t r = 0; r < resolutions_.size(); ++r) features[r] = ad::repeat_rows(features[r], samples);
    return top_down(c, x.shape()[0] * samples, FromFeatures(*this, c, features, how));
  }

  Pass top_down(const Context& c, Index rows, const Source& source) const override {
    Pass pass;
    Var h = start(c, rows);
    std::size_t i = layers().size();
    for (std::size_t r = resolutions_.size(); r-- > 0;) {
      const Resolution& here = resolutions_[r];
      for (Index b = 0; b < here.blocks; ++b) {
        const TopDownBlock& block = down_[--i];
        const Var numbers = block.prior ? (*block.prior)(c, h) : Var();
        pass.layers[i] = source.layer(i, numbers ? normal(numbers, here.latent_channels) : DiagonalNormal{}, h);
        if (numbers) h = h + slice(numbers, -1, 2 * here.latent_channels, numbers.shape().back());
        h = h + block.project(c, reshape(pass.layers[i].z, {rows, here.map.height, here.map.width, here.latent_channels}));
        h = h + block.refine(c, h);
      }
      h = grow_[r](c, r == 0 ? activate(h, activation_) : h);
    }
    pass.h = numbers_of(h, rows);
    return pass;
  }

  /// [N, H, W, numbers C] -> [N, numbers H W C]: all first numbers, then all second ones ...
  Var numbers_of(Var h, Index rows) const {
    const Index numbers = likelihood().outputs() / data_.size();
    if (numbers == 1) return reshape(h, {rows, data_.size()});
    const Var split = reshape(h, {rows, data_.height * data_.width, numbers, data_.channels});
    return reshape(permute(split, {0, 2, 1, 3}), {rows, likelihood().outputs()});
  }

  std::string structure() const override {
    const ImageShape &small = resolutions_.back().map, &large = resolutions_.front().map;
    return cat("top-down blocks, ", layers().size(), " over ", resolutions_.size(), " resolutions from ", small.height, " x ",
               small.width, " up to ", large.height, " x ", large.width);
  }

  // z_i ~ q(z_i | features of x, state).
  class FromFeatures final : public Source {
   public:
    FromFeatures(const TopDownVae& model, const Context& c, const Features& features, const Drawing& how)
        : model_(model), c_(c), features_(features), how_(how) {}
    Stochastic layer(std::size_t i, const DiagonalNormal& p, Var state) const override {
      const DiagonalNormal q = model_.q_z(c_, i, features_[model_.down_[i].resolution], state);
      return {draw(c_, q, i, how_), q, p};
    }

   private:
    const TopDownVae& model_;
    const Context& c_;
    const Features& features_;
    const Drawing& how_;
  };

  ImageShape data_;
  std::vector<Resolution> resolutions_;  // the largest first
  Activation activation_;
  std::vector<Shrink> shrink_;
  std::vector<std::vector<Block>> up_;
  std::vector<TopDownBlock> down_;       // of each stochastic layer, the one nearest to x first
  std::vector<Grow> grow_;
  Parameter* start_;                     // the state above all layers
};

}  // namespace

VAEZOO_MODEL(top_down_vae, TopDownVae, TopDownConfig, "Residual top-down blocks with spatial codes at several resolutions",
             "Child, ICLR 2021; Kingma et al., NeurIPS 2016")
