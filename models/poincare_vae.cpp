// The Poincare VAE: codes in a ball with the geometry of trees.
//   Mathieu, Le Lan, Maddison, Tomioka & Teh, "Continuous Hierarchical Representations with Poincare Variational Auto-Encoders",
//   NeurIPS 2019
// The decoder takes the coordinates of z as they are; the paper's has a first layer of distances to hyperplanes of the ball.
#include "models/registry.hpp"
#include "models/vae.hpp"

namespace {

using namespace vaezoo;

struct PoincareVaeConfig final : VaeConfig {
  PoincareVaeConfig() {
    latent_dim = 2;
    posterior.choose("poincare");
    prior.choose("poincare");
  }
  void fields(Fields& f) override {
    AutoencoderConfig::fields(f);
    posterior.visit_settings(f);
    prior.visit_settings(f);
    estimator.visit(f);
    weight.visit(f);
    objective.visit(f);
  }
};

}  // namespace

VAEZOO_MODEL(poincare_vae, Vae, PoincareVaeConfig, "VAE whose codes lie in the Poincare ball, for data with a hierarchy",
             "Mathieu et al., NeurIPS 2019")
