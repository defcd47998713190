// The VAE trained on the objective beta_tc, which is in models/objectives/beta_tc.cpp.
//   Chen, Li, Grosse & Duvenaud, "Isolating Sources of Disentanglement in VAEs", NeurIPS 2018, eq. (4)
#include "models/registry.hpp"
#include "models/vae.hpp"

namespace {

using namespace vaezoo;

struct BetaTcVaeConfig final : VaeWithObjectiveConfig {
  BetaTcVaeConfig() : VaeWithObjectiveConfig("beta_tc") {}
};

}  // namespace

VAEZOO_MODEL(beta_tc_vae, Vae, BetaTcVaeConfig, "VAE whose KL falls into mutual information, total correlation and dimension-wise KL, each with a weight",
             "Chen et al., NeurIPS 2018, eq. (4)")
