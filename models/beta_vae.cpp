// The beta-VAE in its two forms: the VAE with another objective or another weight of the KL.
//   weight:   Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework", ICLR 2017, eq. (4)
//   capacity: Burgess et al., "Understanding disentangling in beta-VAE", 2018, eq. (8)
#include "models/registry.hpp"
#include "models/vae.hpp"

namespace {

using namespace vaezoo;

struct BetaVaeConfig final : VaeConfig {
  std::string form = "weight";
  ObjectiveConfig capacity{"capacity"};

  BetaVaeConfig() { weight.beta = 4; }
  void fields(Fields& f) override {
    LatentConfig::fields(f);
    f.one_of("objective", form,
             {{"weight", "-log p(x|z) + beta KL", [this](Fields& g) { weight.visit(g); }},
              {"capacity", "-log p(x|z) + gamma |KL - C|, the capacity C rising linearly", [this](Fields& g) { capacity.visit_settings(g); }}},
             "what is minimised");
  }
  std::unique_ptr<VariationalObjective> build_objective(ObjectiveArgs args) const override {
    return form == "capacity" ? capacity.build(args) : VaeConfig::build_objective(args);
  }
};

}  // namespace

VAEZOO_MODEL(beta_vae, Vae, BetaVaeConfig, "VAE with a weighted KL, or with a capacity that the KL is held to",
             "Higgins et al., ICLR 2017; Burgess et al., 2018")
