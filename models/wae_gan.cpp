// The Wasserstein autoencoder with an adversary: a discriminator learns to tell codes from draws of N(0, I), and the encoder to deceive it.
//   Tolstikhin, Bousquet, Gelly & Schoelkopf, "Wasserstein Auto-Encoders", ICLR 2018, algorithm 1
#include "models/wae_gan.hpp"

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/registry.hpp"

namespace vaezoo {

using namespace ad;

void WaeGanConfig::fields(Fields& f) {
  AutoencoderConfig::fields(f);
  f("weight", weight, "of what the encoder loses to the discriminator", at_least(0));
  f("discriminator", discriminator, "network that tells draws of N(0, I) from codes; its optimiser is train.optimizers.discriminator");
}

WaeGan::WaeGan(const WaeGanConfig& config, const DataSpec& data, Parameters p)
    : Autoencoder(config, data, p), weight_(static_cast<Real>(config.weight)),
      discriminator_(config.discriminator, config.latent_dim, p / "discriminator"), of_discriminator_(p.store().groups({"discriminator"})) {}

Objective WaeGan::objective(const Context& c, const Minibatch& batch) const {
  const Var z = encode(c, batch), prior = sample_prior(c, z.shape()[0], batch);                  // z = f(x); z ~ N(0, I)
  const Var distortion = -mean(decoder().log_prob(c, z, batch.x, batch.mask));                   // -log p(x | z)
  const Var of_codes = discriminator_(c, z), of_prior = discriminator_(c, prior);
  const Var deceit = mean(softplus(-of_codes));                                                  // -E log d(z): what the encoder lowers
  return {{{terms::loss(distortion + weight_ * deceit), ~of_discriminator_},
           {{"discriminator_loss", cross_entropy(of_prior, of_codes), "nats", "cross-entropy of the discriminator; log 2 = 0.693: it sees no difference"},
            of_discriminator_}},
          {terms::reconstruction(-distortion),
           {"encoder_loss", deceit, "nats", "-log of the discriminator's belief that the codes are draws of N(0, I)"}}};
}

std::string WaeGan::describe() const {
  return cat("-log p(x|z) - ", weight_, " log d(z), z = f(x), against a discriminator of codes and N(0, I); ", decoder().likelihood().describe());
}

}  // namespace vaezoo

VAEZOO_MODEL(wae_gan, vaezoo::WaeGan, vaezoo::WaeGanConfig, "Wasserstein autoencoder: codes held to N(0, I) by a discriminator",
             "Tolstikhin et al., ICLR 2018")
