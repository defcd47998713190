// The VAE trained on the objective miwae, which is in models/objectives/miwae.cpp.
//   Rainforth et al., "Tighter Variational Bounds are Not Necessarily Better", ICML 2018, section 5
#include "models/registry.hpp"
#include "models/vae.hpp"

namespace {

struct MiwaeConfig final : vaezoo::VaeWithObjectiveConfig {
  MiwaeConfig() : VaeWithObjectiveConfig("miwae") {}
};

}  // namespace

VAEZOO_MODEL(miwae, vaezoo::Vae, MiwaeConfig, "The mean of M importance-weighted bounds of K draws each: between VAE and IWAE",
             "Rainforth et al., ICML 2018")
