#include "models/parts/gaussian_latent_model.hpp"

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {

using namespace ad;

void GaussianLatentConfig::fields(Fields& f) {
  f("latent_dim", latent_dim, "dimension of z", between(1, 65536));
  encoder.visit(f, "encoder", "network of q(z | x)");
  decoder.visit(f, "decoder", "network of p(x | z)");
  likelihood.visit(f);
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
      p_(config.decoder, config.likelihood, config.latent_dim, data, p / "decoder") {}

DiagonalNormal GaussianLatentModel::q_z(const Context& c, Var x) const {
  const Var h = q_(c, x);  // [B, 2 Z]: means, then log variances
  return {slice(h, 1, 0, latent_dim_), slice(h, 1, latent_dim_, 2 * latent_dim_)};
}

ElboTerms GaussianLatentModel::elbo(const Context& c, const Minibatch& batch, Code code) const {
  const DiagonalNormal q = q_z(c, batch.x);
  const Var z = code == Code::mean ? q.mean : q.rsample(c.key.fold("z"));
  return {p_.log_prob(c, z, batch.x), kl(q, p_z()), kl_per_dimension(q, p_z())};
}

Var GaussianLatentModel::log_weights(const Context& c, const Minibatch& batch, Index samples) const {
  const DiagonalNormal q_one = q_z(c, batch.x);
  const DiagonalNormal q{repeat_rows(q_one.mean, samples), repeat_rows(q_one.log_variance, samples)};  // [B K, Z]
  const Var z = q.rsample(c.key.fold("z"));
  const Var log_w = p_.log_prob(c, z, repeat_rows(batch.x, samples)) + p_z().log_prob(z) - q.log_prob(z);
  return reshape(log_w, {batch.x.shape()[0], samples});
}

Var GaussianLatentModel::encode(const Context& c, const Minibatch& batch) const { return q_z(c, batch.x).mean; }
Var GaussianLatentModel::decode(const Context& c, Var z, const Minibatch&) const { return p_.mean(c, z); }
Var GaussianLatentModel::sample_x(const Context& c, Var z, const Minibatch&) const { return p_.sample(c, z); }
Var GaussianLatentModel::sample_prior(const Context& c, Index count, const Minibatch&) const {
  return p_z().sample(c.tape, count, latent_dim_, c.key.fold("z"));
}

Var with_free_bits(const DiagonalNormal& q, StandardNormal p, double free_bits) {
  const Var per_dimension = mean(kl_per_dimension(q, p), {0});  // [Z]
  return sum(maximum(per_dimension, q.mean.tape().constant(per_dimension.shape(), static_cast<Real>(free_bits))));
}

}  // namespace vaezoo
