// VAEs with a chain of stochastic layers, p(x, z) = p(z_L) prod_i p(z_i | z_i+1) p(x | ...); two unless more are asked for.
//   bottom_up: q(z1 | x) q(z2 | z1) and p(x | z1)
//              Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, section 5 and eq. (8)
//   top_down:  q(z2 | x) q(z1 | x, z2) and p(x | z1, z2)
//              Tomczak & Welling, "VAE with a VampPrior", AISTATS 2018, section 4 ("HVAE")
#include "autodiff/shape_ops.hpp"
#include "models/parts/latent_model.hpp"
#include "models/parts/hierarchical_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct HvaeConfig : HierarchicalConfig {
  std::vector<std::int64_t> latent_dims{100, 50};
  NetworkConfig encoder{NetworkRole::encoder}, decoder{NetworkRole::decoder};
  NetworkConfig links{NetworkRole::encoder};
  std::string inference = "bottom_up";

  HvaeConfig() {
    for (NetworkConfig* n : {&encoder, &decoder}) {
      n->mlp.hidden = {200, 200};
      n->mlp.activation = "tanh";
    }
    links.mlp.hidden = {100, 100};
    links.mlp.activation = "tanh";
  }
  void fields(Fields& f) {
    f("latent_dims", latent_dims, "dimension of each stochastic layer, the one nearest to x first", between(1, 65536));
    encoder.visit(f, "encoder", "network of q(. | x)");
    decoder.visit(f, "decoder", "network of p(x | .)");
    links.visit(f, "between", "network of each distribution of one stochastic layer given others");
    f.choice("inference", inference, {"bottom_up", "top_down"},
             "bottom_up: q(z1|x) q(z2|z1) ..., p(x|z1); top_down: q(z2|x) q(z1|x,z2) ..., p(x|z1,z2,...)");
    HierarchicalConfig::fields(f);
    f.require("latent_dims", !latent_dims.empty(), "needs at least one stochastic layer");
    f.require("between", !links.convolutional(), "joins vectors; choose mlp or gated_mlp");
  }
};

/// A network and a normal on top.
class Conditional {
 public:
  Conditional(const NetworkConfig& config, Index inputs, Index dimensions, const LogVarianceBounds& bounds, Parameters p)
      : network_(make_encoder_network(config, {1, 1, inputs}, p)),
        head_(p / "head", network_->outputs().size(), dimensions, bounds) {}
  DiagonalNormal operator()(const Context& c, Var h) const { return head_(c, (*network_)(c, h)); }

 private:
  std::unique_ptr<Network> network_;
  NormalHead head_;
};

class Hvae final : public HierarchicalModel {
 public:
  Hvae(const HvaeConfig& config, const DataSpec& data, Parameters p)
      : HierarchicalModel(config, vector_layers(config.latent_dims),
                          config.inference == "bottom_up" ? Inference::bottom_up : Inference::top_down, data, p),
        bottom_up_(config.inference == "bottom_up") {
    // Features of x: shared by all layers' q. Bottom up, only z1 looks at them.
    encoder_ = make_encoder_network(config.encoder, image_shape(data), p / "encoder");
    const Index features = encoder_->outputs().size();
    const auto dim = [this](std::size_t i) { return layers()[i].size(); };
    for (std::size_t i = 0; i <= top(); ++i) {
      const Parameters q = p / "q" / layers()[i].name;
      if (i == (bottom_up_ ? 0 : top()))
        q_x_ = std::make_unique<NormalHead>(q / "head", features, dim(i), bounds());
      else
        q_.emplace_back(config.links, bottom_up_ ? dim(i - 1) : features + dim(i + 1), dim(i), bounds(), q);
      if (i < top()) p_.emplace_back(config.links, dim(i + 1), dim(i), bounds(), p / "p" / layers()[i].name);
    }
    const Index code = bottom_up_ ? dim(0) : latent_dim();
    const Index numbers = likelihood().outputs() / data.size();
    decoder_ = make_decoder_network(config.decoder, {1, 1, code}, image_shape(data), numbers, p / "decoder");
  }

 private:
  DiagonalNormal q_top(const Context& c, Var x) const override { return (*q_x_)(c, (*encoder_)(c, x)); }

  Pass infer(const Context& c, Var x, Index samples, const Drawing& how) const override {
    const Index rows = x.shape()[0] * samples;
    const Var h = (*encoder_)(c, x);
    const DiagonalNormal q = repeat_rows((*q_x_)(c, h), samples);
    if (!bottom_up_) return top_down(c, rows, FromX(*this, c, samples == 1 ? h : ad::repeat_rows(h, samples), q, how));
    Pass pass;
    pass.layers[0] = {draw(c, q, 0, how), q, {}};            // q(z1 | x)
    for (std::size_t i = 1; i <= top(); ++i) {
      const DiagonalNormal q_i = q_[i - 1](c, pass.layers[i - 1].z);  // q(z_i | z_i-1)
      pass.layers[i] = {draw(c, q_i, i, how), q_i, {}};
    }
    return top_down(c, rows, Given(pass));
  }

  Pass top_down(const Context& c, Index rows, const Source& source) const override;
  std::string structure() const override {
    return bottom_up_ ? "q(z1|x) q(z2|z1) ..., p(x|z1)" : "q(zL|x) q(zi|x,zi+1) ..., p(x|z)";
  }

  // Codes drawn from q(z_L | x) and then q(z_i | x, z_i+1).
  class FromX final : public Source {
   public:
    FromX(const Hvae& model, const Context& c, Var features, const DiagonalNormal& top, const Drawing& how)
        : model_(model), c_(c), features_(features), top_(top), how_(how) {}
    Stochastic layer(std::size_t i, const DiagonalNormal& p, Var above) const override {
      const DiagonalNormal q = i == model_.top() ? top_ : model_.q_[i](c_, concat({features_, above}, 1));
      return {draw(c_, q, i, how_), q, p};
    }

   private:
    const Hvae& model_;
    const Context& c_;
    Var features_;
    const DiagonalNormal& top_;
    const Drawing& how_;
  };

  bool bottom_up_;
  std::unique_ptr<Network> encoder_, decoder_;
  std::unique_ptr<NormalHead> q_x_;  // q of the layer that depends only on x
  std::vector<Conditional> q_, p_;   // of the other layers; p(z_i | z_i+1)
};

Pass Hvae::top_down(const Context& c, Index, const Source& source) const {
  Pass pass;
  std::array<Var, Pass::kMaxLayers> z;
  for (std::size_t i = layers().size(); i-- > 0;) {
    const Var above = i == top() ? Var() : z[i + 1];
    pass.layers[i] = source.layer(i, i == top() ? DiagonalNormal{} : p_[i](c, above), above);
    z[i] = pass.layers[i].z;
  }
  pass.h = (*decoder_)(c, bottom_up_ ? z[0] : concat(std::span<const Var>(z).first(layers().size()), 1));
  return pass;
}

}  // namespace

VAEZOO_MODEL(hvae, Hvae, HvaeConfig, "Two or more stochastic layers in a chain, inferred bottom-up or top-down",
             "Burda, Grosse & Salakhutdinov, ICLR 2016; Tomczak & Welling, AISTATS 2018")
