// The VAE with categorical latent variables: the VAE with posterior and prior `categorical`.
//   Jang, Gu & Poole, "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017, section 4.2
//   Maddison, Mnih & Teh, "The Concrete Distribution", ICLR 2017
// The loss has relaxed draws in training. Whatever is evaluated, the loss included, has one-hot draws, so the reported ELBO is a bound.
#include "models/registry.hpp"
#include "models/vae.hpp"

namespace {

using namespace vaezoo;

struct CategoricalVaeConfig final : VaeConfig {
  CategoricalVaeConfig() {
    latent_dim = 200;
    posterior.choose("categorical");
    prior.choose("categorical");
  }
  void fields(Fields& f) override {
    AutoencoderConfig::fields(f);
    posterior.visit_settings(f);
    weight.visit(f);
  }
};

}  // namespace

VAEZOO_MODEL(categorical_vae, Vae, CategoricalVaeConfig, "VAE whose code is categorical variables, by Gumbel-softmax",
             "Jang, Gu & Poole, ICLR 2017")
