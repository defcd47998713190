// One-hot codes: the encoder gives the logits of categorical variables, which are relaxed in training.
//   Jang, Gu & Poole, "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017
#include "models/distributions/categorical.hpp"
#include "models/parts/schedules.hpp"
#include "models/posteriors/posterior.hpp"

namespace {

using namespace vaezoo;

struct CategoricalSettings {
  std::int64_t classes = 10;
  TemperatureSchedule temperature;
  bool straight_through = false;

  void fields(Fields& f) {
    f("classes", classes, "of each variable; latent_dim is a multiple of it", between(2, 65536));
    f("temperature", temperature, "of the relaxed draws that training sends to the decoder");
    f("straight_through", straight_through, "training sends one-hot draws to the decoder, and the gradient goes through the relaxed ones");
  }
  std::unique_ptr<Posterior> build(const PosteriorArgs& args) const;
};

class CategoricalPosterior final : public Posterior {
 public:
  CategoricalPosterior(Index latent_dim, const CategoricalSettings& settings) : latent_dim_(latent_dim), settings_(settings) {}
  Index inputs() const override { return latent_dim_; }
  const Distribution& operator()(const ad::Context& c, Var h) const override {
    const OneHotCategorical q = OneHotCategorical::of_logits(h, settings_.classes);
    if (!c.training) return on_tape(c.tape, q);
    return on_tape(c.tape, RelaxedOneHot(q, static_cast<Real>(settings_.temperature.at(c.progress)), settings_.straight_through));
  }
  const std::type_info& distribution() const override { return typeid(OneHotCategorical); }
  std::vector<Index> classes() const override {
    return std::vector<Index>(static_cast<std::size_t>(latent_dim_ / settings_.classes), settings_.classes);
  }
  Support support() const override { return Support::one_hot; }
  bool density_everywhere() const override { return false; }  // relaxed draws have none
  std::string describe() const override {
    return ad::cat("posterior: ", latent_dim_ / settings_.classes, " categorical variables of ", settings_.classes, " classes, ",
                   settings_.straight_through ? "straight-through " : "", "Gumbel-softmax in training");
  }

 private:
  Index latent_dim_;
  CategoricalSettings settings_;
};

std::unique_ptr<Posterior> CategoricalSettings::build(const PosteriorArgs& args) const {
  if (args.latent_dim % classes != 0)
    throw ConfigError(ad::cat("model.latent_dim: ", args.latent_dim, " is no multiple of the ", classes,
                              " classes of each categorical variable; choose one, as ", classes, " times the number of variables"));
  return std::make_unique<CategoricalPosterior>(args.latent_dim, *this);
}

}  // namespace

VAEZOO_PART(Posterior, categorical, CategoricalSettings,
            "one-hot vectors, by Gumbel-softmax in training (Jang, Gu & Poole, ICLR 2017); with prior categorical")
