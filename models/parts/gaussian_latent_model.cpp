#include "models/parts/gaussian_latent_model.hpp"

#include <algorithm>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {

using namespace ad;

void AutoencoderConfig::fields(Fields& f) {
  f("latent_dim", latent_dim, "dimension of z", between(1, 65536));
  encoder.visit(f, "encoder", "network of q(z | x)");
  decoder.visit(f, "decoder", "network of p(x | z)");
  likelihood.visit(f);
}

void GaussianLatentConfig::fields(Fields& f) {
  AutoencoderConfig::fields(f);
  prior.visit(f);
  estimator.visit(f);
}

ImageShape image_shape(const DataSpec& data) { return {data.height, data.width, data.channels}; }

Encoder::Encoder(const NetworkConfig& config, const DataSpec& data, Index width, Parameters p)
    : network_(make_encoder_network(config, image_shape(data), p)), head_(p / "head", network_->outputs().size(), width) {}

Decoder::Decoder(const NetworkConfig& network, const LikelihoodConfig& likelihood, Index latent_dim, const DataSpec& data, Parameters p)
    : likelihood_(make_likelihood(likelihood, data.size(), data.unit_interval, p / "likelihood")),
      network_(make_decoder_network(network, {1, 1, latent_dim}, image_shape(data), likelihood_->outputs() / data.size(), p)) {}

GaussianLatentModel::GaussianLatentModel(const GaussianLatentConfig& config, const DataSpec& data, Parameters p)
    : latent_dim_(config.latent_dim),
      q_(config.encoder, data, 2 * config.latent_dim, p / "encoder"),
      p_(config.decoder, config.likelihood, config.latent_dim, data, p / "decoder"),
      prior_(make_prior(config.prior, latent_dim_, data, [this](const Context& c, Var x) { return q_z(c, x); }, p / "prior")),
      estimator_(config.estimator) {}

DiagonalNormal normal_of(Var h) { return {chunk(h, 2, 0), chunk(h, 2, 1)}; }

DiagonalNormal GaussianLatentModel::q_z(const Context& c, Var x) const { return normal_of(q_(c, x)); }

Var GaussianLatentModel::kl(const Context& c, const DiagonalNormal& q, Var z) const {
  return estimator_.through_z_alone() ? q.detached().log_prob(z) - p_z().log_prob(c, z) : p_z().kl(c, q, z);
}

ImportanceSamples GaussianLatentModel::draw(const Context& c, Var x, Index samples) const {
  const Index rows = x.shape()[0] * samples;
  const std::span<Real> factors(c.tape.scratch(rows), static_cast<std::size_t>(rows));
  std::ranges::fill(factors, Real(1));
  const DiagonalNormal q = normal_of(scale_gradient(repeat_rows(q_(c, x), samples), factors));  // [B K, Z]
  const Var z = q.rsample(c.key.fold("z"));
  const auto per_example = [&](Var v) { return reshape(v, {x.shape()[0], samples}); };
  const Var log_p_x = per_example(p_.log_prob(c, z, x)), log_p_z = per_example(p_z().log_prob(c, z));
  const Var log_q_z = per_example((estimator_.through_z_alone() ? q.detached() : q).log_prob(z));
  return {log_p_x, log_p_z, log_q_z, log_p_x + log_p_z - log_q_z, factors};
}

void GaussianLatentModel::require_kl_per_dimension(double free_bits) const {
  if (free_bits > 0 && (!p_z().closed_form_kl() || estimator_.through_z_alone()))
    throw ConfigError(cat("model.free_bits: they need the KL of each dimension in closed form, which there is with \"prior\": \"standard_normal\" and "
                          "\"estimator\": \"standard\" alone; set free_bits to 0 or change those"));
}

std::string GaussianLatentModel::describe_parts() const {
  return cat("; ", p_.likelihood().describe(), p_z().closed_form_kl() ? "" : cat("; ", p_z().describe()),
             estimator_.through_z_alone() ? cat("; gradient estimator ", estimator_.name) : "");
}

ElboTerms GaussianLatentModel::elbo(const Context& c, const Minibatch& batch, Code code) const {
  const DiagonalNormal q = q_z(c, batch.x);
  const Var drawn = code == Code::mean && p_z().closed_form_kl() ? q.mean : q.rsample(c.key.fold("z"));  // an estimated KL needs a draw
  return {p_.log_prob(c, code == Code::mean ? q.mean : drawn, batch.x), p_z().kl(c, q, drawn), p_z().kl_per_dimension(q)};
}

Var GaussianLatentModel::log_weights(const Context& c, const Minibatch& batch, Index samples) const {
  return draw(c, batch.x, samples).log_w;
}

Var GaussianLatentModel::encode(const Context& c, const Minibatch& batch) const { return q_z(c, batch.x).mean; }
Var GaussianLatentModel::decode(const Context& c, Var z, const Minibatch&) const { return p_.mean(c, z); }
Var GaussianLatentModel::sample_x(const Context& c, Var z, const Minibatch&) const { return p_.sample(c, z); }
Var GaussianLatentModel::sample_prior(const Context& c, Index count, const Minibatch&) const {
  return p_z().sample(c, count);
}

Var with_free_bits(const DiagonalNormal& q, const Prior& p, double free_bits) {
  const Var per_dimension = mean(p.kl_per_dimension(q), {0});  // [Z]
  return sum(maximum(per_dimension, q.mean.tape().constant(per_dimension.shape(), static_cast<Real>(free_bits))));
}

}  // namespace vaezoo
