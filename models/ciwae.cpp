// The VAE trained on the objective ciwae, which is in models/objectives/ciwae.cpp.
//   Rainforth et al., "Tighter Variational Bounds are Not Necessarily Better", ICML 2018, section 5
#include "models/registry.hpp"
#include "models/vae.hpp"

namespace {

struct CiwaeConfig final : vaezoo::VaeWithObjectiveConfig {
  CiwaeConfig() : VaeWithObjectiveConfig("ciwae") {}
};

}  // namespace

VAEZOO_MODEL(ciwae, vaezoo::Vae, CiwaeConfig, "A mixture of the ELBO and the bound of the IWAE",
             "Rainforth et al., ICML 2018")
