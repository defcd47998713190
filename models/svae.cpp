// The hyperspherical VAE: a VAE with a von Mises-Fisher posterior and the uniform prior on the sphere.
//   Davidson, Falorsi, De Cao, Kipf & Tomczak, "Hyperspherical Variational Auto-Encoders", UAI 2018
#include "models/registry.hpp"
#include "models/vae.hpp"

namespace {

using namespace vaezoo;

struct SvaeConfig final : VaeConfig {
  SvaeConfig() {
    posterior.choose("von_mises_fisher");
    prior.choose("sphere");
  }
  void fields(Fields& f) override {
    AutoencoderConfig::fields(f);
    estimator.visit(f);
    weight.visit(f);
    objective.visit(f);
  }
};

}  // namespace

VAEZOO_MODEL(svae, Vae, SvaeConfig, "VAE whose codes lie on the unit sphere: von Mises-Fisher posterior, uniform prior", "Davidson et al., UAI 2018")
