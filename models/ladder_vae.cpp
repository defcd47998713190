// The ladder VAE: a deterministic pass up, and on the way down each layer's prior meets what x says of it.
//   Sonderby, Raiko, Maaloe, Sonderby & Winther, "Ladder Variational Autoencoders", NeurIPS 2016, section 2
#include "autodiff/elementwise.hpp"
#include "models/parts/latent_model.hpp"
#include "models/parts/hierarchical_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct LadderConfig : HierarchicalConfig {
  std::vector<std::int64_t> latent_dims{64, 32, 16, 8, 4}, hidden{512, 256, 128, 64, 32};
  bool batch_norm = true;
  NetworkConfig encoder{NetworkRole::encoder}, decoder{NetworkRole::decoder};

  LadderConfig() {
    encoder.mlp.hidden = decoder.mlp.hidden = {};
    weight.kl_weight.name = "linear";  // warm-up: deep ladders lose their upper layers without
    weight.kl_weight.length = 200;
  }
  void fields(Fields& f) {
    f("latent_dims", latent_dims, "dimension of each stochastic layer, the one nearest to x first", between(1, 65536));
    f("hidden", hidden, "width of the two hidden layers between each stochastic layer and the one below it (x for the first)",
      between(1, 65536));
    encoder.visit(f, "encoder", "network between x and the first hidden layers on the way up; none as a rule");
    decoder.visit(f, "decoder", "network from the last hidden layers on the way down to p(x | z1); a linear layer as a rule");
    f("batch_norm", batch_norm, "batch normalisation before each rectifier");
    HierarchicalConfig::fields(f);
    f.require("latent_dims", !latent_dims.empty(), "needs at least one stochastic layer");
    f.require("hidden", hidden.size() == latent_dims.size(),
              cat("has ", hidden.size(), " widths for ", latent_dims.size(), " stochastic layers (latent_dims); give one each"));
  }
};

/// max(x, 0.1 x), as in the paper.
class LeakyRectifier final : public Layer {
 public:
  explicit LeakyRectifier(const Parameters&) {}
  Var operator()(const Context&, Var x) const override { return leaky_relu(x, Real(0.1)); }
};

/// Two hidden layers of one width.
Sequential hidden_layers(Index inputs, Index width, bool batch_norm, const Parameters& p) {
  Sequential layers(p);
  for (int i = 0; i < 2; ++i) {
    layers.add<Linear>(i == 0 ? inputs : width, width);
    if (batch_norm) layers.add<BatchNorm>(width);
    layers.add<LeakyRectifier>();
  }
  return layers;
}

class LadderVae final : public HierarchicalModel {
 public:
  LadderVae(const LadderConfig& config, const DataSpec& data, Parameters p)
      : HierarchicalModel(config, vector_layers(config.latent_dims), Inference::top_down, data, p),
        encoder_(make_encoder_network(config.encoder, image_shape(data), p / "encoder")),
        decoder_(make_decoder_network(config.decoder, {1, 1, config.hidden[0]}, image_shape(data),
                                      likelihood().outputs() / data.size(), p / "decoder")) {
    Index width = encoder_->outputs().size();
    for (std::size_t i = 0; i <= top(); ++i) {
      const std::string& name = layers()[i].name;
      const Index hidden = config.hidden[i], dim = layers()[i].size();
      up_.push_back(hidden_layers(width, hidden, config.batch_norm, p / "up" / name));
      q_.emplace_back(p / "q" / name, hidden, dim, bounds(), NormalHead::Variance::softplus);
      down_.push_back(hidden_layers(dim, hidden, config.batch_norm, p / "down" / name));
      if (i < top()) p_.emplace_back(p / "p" / name, config.hidden[i + 1], dim, bounds(), NormalHead::Variance::softplus);
      width = hidden;
    }
  }

 private:
  using Estimates = std::array<DiagonalNormal, Pass::kMaxLayers>;

  /// What x says of each layer without those above: N(mean_i(d_i), variance_i(d_i)) of d_i = MLP(d_i-1), d_0 = x or a network of it.
  Estimates bottom_up(const Context& c, Var x) const {
    Estimates estimates;
    Var d = (*encoder_)(c, x);
    for (std::size_t i = 0; i <= top(); ++i) {
      d = up_[i](c, d);
      estimates[i] = q_[i](c, d);
    }
    return estimates;
  }

  DiagonalNormal q_top(const Context& c, Var x) const override { return bottom_up(c, x)[top()]; }

  Pass infer(const Context& c, Var x, Index samples, const Drawing& how) const override {
    Estimates estimates = bottom_up(c, x);
    for (std::size_t i = 0; i <= top(); ++i) estimates[i] = repeat_rows(estimates[i], samples);
    return top_down(c, x.shape()[0] * samples, Merged(c, estimates, how));
  }

  Pass top_down(const Context& c, Index, const Source& source) const override {
    Pass pass;
    DiagonalNormal p;  // empty: the top's prior is the model's
    for (std::size_t i = layers().size(); i-- > 0;) {
      pass.layers[i] = source.layer(i, p, {});
      pass.h = down_[i](c, pass.layers[i].z);
      if (i > 0) p = p_[i - 1](c, pass.h);  // p(z_i-1 | z_i)
    }
    pass.h = (*decoder_)(c, pass.h);        // p(x | z_1)
    return pass;
  }

  std::string structure() const override { return cat("ladder of ", layers().size(), " layers"); }

  // q(z_i | x, z_i+1): what x says times the prior.
  class Merged final : public Source {
   public:
    Merged(const Context& c, const Estimates& estimates, const Drawing& how) : c_(c), estimates_(estimates), how_(how) {}
    Stochastic layer(std::size_t i, const DiagonalNormal& p, Var) const override {
      const DiagonalNormal q = p.mean ? product(estimates_[i], p) : estimates_[i];
      return {draw(c_, q, i, how_), q, p};
    }

   private:
    const Context& c_;
    const Estimates& estimates_;
    const Drawing& how_;
  };

  std::vector<Sequential> up_, down_;  // x -> d_1 -> d_2 ...; z_i -> features
  std::vector<NormalHead> q_, p_;      // of d_i; of the features of z_i+1
  std::unique_ptr<Network> encoder_, decoder_;
};

}  // namespace

VAEZOO_MODEL(ladder_vae, LadderVae, LadderConfig,
             "Any number of stochastic layers: a deterministic pass up, precision-weighted with the priors on the way down",
             "Sonderby et al., NeurIPS 2016")
