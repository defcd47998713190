// The VAE trained on the objective piwae, which is in models/objectives/piwae.cpp.
//   Rainforth et al., "Tighter Variational Bounds are Not Necessarily Better", ICML 2018, section 5
#include "models/registry.hpp"
#include "models/vae.hpp"

namespace {

struct PiwaeConfig final : vaezoo::VaeWithObjectiveConfig {
  PiwaeConfig() : VaeWithObjectiveConfig("piwae") {}
};

}  // namespace

VAEZOO_MODEL(piwae, vaezoo::Vae, PiwaeConfig, "The decoder trained on the bound of all draws, the encoder on the mean of M looser bounds",
             "Rainforth et al., ICML 2018")
