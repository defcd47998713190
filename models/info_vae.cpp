// The VAE trained on the objective info, which is in models/objectives/info.cpp. With "alpha": 1 the MMD-VAE.
//   Zhao, Song & Ermon, "InfoVAE: Balancing Learning and Inference in Variational Autoencoders", AAAI 2019
#include "models/registry.hpp"
#include "models/vae.hpp"

namespace {

using namespace vaezoo;

struct InfoVaeConfig final : VaeWithObjectiveConfig {
  InfoVaeConfig() : VaeWithObjectiveConfig("info") {}
};

}  // namespace

VAEZOO_MODEL(info_vae, Vae, InfoVaeConfig, "VAE with less KL, and q(z) held to p(z) by their maximum mean discrepancy (MMD-VAE)",
             "Zhao et al., AAAI 2019, eq. (6)")
