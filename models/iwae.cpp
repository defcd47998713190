// The VAE trained on the objective iwae, which is in models/objectives/iwae.cpp.
//   Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, eq. (8)
#include "models/registry.hpp"
#include "models/vae.hpp"

namespace {

struct IwaeConfig final : vaezoo::VaeWithObjectiveConfig {
  IwaeConfig() : VaeWithObjectiveConfig("iwae") {}
};

}  // namespace

VAEZOO_MODEL(iwae, vaezoo::Vae, IwaeConfig, "VAE with a tighter bound: the log of the mean of K importance weights",
             "Burda et al., ICLR 2016")
