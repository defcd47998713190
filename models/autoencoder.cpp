// The deterministic autoencoder, its codes free or held together by a penalty (models/penalties): no density.
//   Hinton & Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 2006
#include "models/autoencoder.hpp"

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/registry.hpp"

namespace vaezoo {

using namespace ad;

void PenalizedConfig::fields(Fields& f) {
  AutoencoderConfig::fields(f);
  f("decoder_l2", decoder_l2, "weight of half the square of the decoder's weights, a penalty like that of the codes", at_least(0));
  penalty.visit(f);
}

void PresetPenaltyConfig::fields(Fields& f) {
  AutoencoderConfig::fields(f);
  penalty.visit_settings(f);
}

Autoencoder::Autoencoder(const PenalizedConfig& config, const DataSpec& data, Parameters p)
    : latent_dim_(config.latent_dim), decoder_l2_(static_cast<Real>(config.decoder_l2)), penalty_(config.penalty.build({})),
      encoder_(config.encoder, data, config.latent_dim, p / "encoder", {}, config.corruption),
      decoder_(config.decoder, config.likelihood, config.latent_dim, data, p / "decoder") {
  if (decoder_l2_ == 0) return;
  for (Parameter& w : p.store().all())
    if (w.path().starts_with("decoder/") && w.path().ends_with("weight")) decoder_weights_.push_back(&w);
}

Objective Autoencoder::objective(const Context& c, const Minibatch& batch) const {
  const Var z = encoder_(c, batch.x);
  const Var distortion = -mean(decoder_.log_prob(c, z, batch.x, batch.mask));  // -log p(x | z = f(x))
  const Var penalty = (*penalty_)(c, z);
  Var loss = penalty ? distortion + penalty : distortion;
  for (Parameter* const w : decoder_weights_) loss = loss + decoder_l2_ / 2 * sum(square(c.tape.parameter(*w)));
  Objective o{loss, {terms::reconstruction(-distortion)}};
  if (penalty) o.add({"penalty", penalty, "", "what the distribution of the codes costs, weighted"});
  return o;
}

ElboTerms Autoencoder::elbo(const Context& c, const Minibatch& batch, Code) const {
  const Var z = encoder_(c, batch.x);
  return {decoder_.log_prob(c, z, batch.x, batch.mask), c.tape.constant({batch.x.shape()[0]}, 0), c.tape.constant(z.shape(), 0)};
}

Var Autoencoder::log_weights(const Context&, const Minibatch&, Index) const {
  throw Error("[autoencoder] has no density: importance sampling needs a prior and a posterior");
}

Var Autoencoder::sample_prior(const Context& c, Index count, const Minibatch&) const {
  return StandardNormal(c.tape, count, latent_dim_).rsample(c.key.fold("z")).value;
}

std::string Autoencoder::describe() const {
  const std::string penalty = penalty_->describe();
  return cat("-log p(x|z), z = f(x)", penalty.empty() ? "" : cat(" + ", penalty), decoder_l2_ > 0 ? cat(" + ", decoder_l2_, " |decoder|^2 / 2") : "", "; ",
             decoder_.likelihood().describe());
}

}  // namespace vaezoo

VAEZOO_MODEL(autoencoder, vaezoo::Autoencoder, vaezoo::PenalizedConfig,
             "Deterministic autoencoder, no density; its codes free or held together by a penalty",
             "Hinton & Salakhutdinov, Science 2006")
