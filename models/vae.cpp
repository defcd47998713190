// The variational autoencoder: q(z | x), p(z), p(x | z) and an objective, each a part of its own. The ELBO is in models/objectives/elbo.cpp.
//   Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014
//   Rezende, Mohamed & Wierstra, "Stochastic Backpropagation ...", ICML 2014
#include "models/vae.hpp"

#include "models/registry.hpp"

namespace vaezoo {

void VaeConfig::fields(Fields& f) {
  LatentConfig::fields(f);
  weight.visit(f);
  objective.visit(f);
}

void VaeWithObjectiveConfig::fields(Fields& f) {
  LatentConfig::fields(f);
  objective.visit_settings(f);
}

}  // namespace vaezoo

VAEZOO_MODEL(vae, vaezoo::Vae, vaezoo::VaeConfig, "One latent z with an amortised posterior (diagonal normal or a flow) and a prior",
             "Kingma & Welling, ICLR 2014")
