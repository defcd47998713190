// The adversarial autoencoder: wae_gan with the adversary at weight 1.
//   Makhzani, Shlens, Jaitly, Goodfellow & Frey, "Adversarial Autoencoders", 2016, section 2
#include "models/registry.hpp"
#include "models/wae_gan.hpp"

namespace {

struct AaeConfig final : vaezoo::WaeGanConfig {
  AaeConfig() { weight = 1; }
};

}  // namespace

VAEZOO_MODEL(aae, vaezoo::WaeGan, AaeConfig, "Adversarial autoencoder: a discriminator makes the codes look like draws of N(0, I)",
             "Makhzani et al., 2016")
