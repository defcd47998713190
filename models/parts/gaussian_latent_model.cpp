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
  log_variance.visit(f);
}

ImageShape image_shape(const DataSpec& data) { return {data.height, data.width, data.channels}; }

Encoder::Encoder(const NetworkConfig& config, const DataSpec& data, Index width, Parameters p, Telling told)
    : shape_(image_shape(data)), beside_(told.beside > 0), every_pixel_(config.convolutional()),
      network_(make_encoder_network(config, beside_ ? shape_beside(shape_, told.beside, every_pixel_) : shape_, p, told.film)),
      head_(p / "head", network_->outputs().size(), width) {}

Var Encoder::operator()(const Context& c, Var x) const {
  return head_(c, (*network_)(c, beside_ ? beside(x, c.condition, shape_, every_pixel_) : x));
}

Decoder::Decoder(const NetworkConfig& network, const LikelihoodConfig& likelihood, Index latent_dim, const DataSpec& data,
                 Parameters p, Telling told)
    : beside_(told.beside > 0), likelihood_(make_likelihood(likelihood, data.size(), data, p / "likelihood")),
      network_(make_decoder_network(network, {1, 1, latent_dim + told.beside}, image_shape(data),
                                    likelihood_->outputs() / data.size(), p, told.film)) {}

Var Decoder::outputs(const Context& c, Var z) const { return (*network_)(c, beside_ ? concat({z, c.condition}, 1) : z); }

GaussianLatentModel::GaussianLatentModel(const GaussianLatentConfig& config, const DataSpec& data, Parameters p,
                                         const ConditionConfig* condition)
    : latent_dim_(config.latent_dim),
      condition_(condition == nullptr ? std::nullopt : std::make_optional<Condition>(*condition, data, p / "condition")),
      q_(config.encoder, data, 2 * config.latent_dim, p / "encoder", condition_ ? condition_->telling() : Telling{}),
      p_(config.decoder, config.likelihood, config.latent_dim, data, p / "decoder",
         condition_ ? condition_->telling() : Telling{}),
      prior_(make_prior(
          config.prior, latent_dim_, data, [this](const Context& c, Var x) { return q_z(beside_pseudo_inputs(c), x); },
          p / "prior", condition_ ? condition_->width() : 0, config.log_variance)),
      prior_name_(config.prior.name), estimator_(config.estimator), bounds_(config.log_variance) {
  if (condition_ && prior_->initial_examples() > 0)
    pseudo_conditions_ = &p.add_buffer("prior/pseudo_conditions", {prior_->initial_examples(), condition_->raw_width()}, 0);
}

Context GaussianLatentModel::told(const Context& c, const Minibatch& given) const {
  Context other = c;
  if (condition_) other.condition = (*condition_)(c, given);
  return other;
}

/// A pseudo-input keeps the condition of the example that it started from.
Context GaussianLatentModel::beside_pseudo_inputs(const Context& c) const {
  Context other = c;
  if (condition_)
    other.condition = condition_->of_raw(c, c.tape.constant(pseudo_conditions_->shape(), pseudo_conditions_->value()));
  return other;
}

void GaussianLatentModel::initialize(const Context& c, const Minibatch& examples) {
  prior_->initialize(c, examples.x);
  if (pseudo_conditions_ == nullptr) return;
  const std::span<const Real> y = condition_->raw(c, examples).value();
  std::ranges::copy(y.first(std::min(y.size(), pseudo_conditions_->value().size())), pseudo_conditions_->value().begin());
}

DiagonalNormal GaussianLatentModel::q_z(const Context& c, Var x) const { return bounds_(normal_of(q_(c, x))); }

Var GaussianLatentModel::kl(const Context& c, const DiagonalNormal& q, Var z) const {
  return estimator_.through_z_alone() ? q.detached().log_prob(z) - p_z().log_prob(c, z) : p_z().kl(c, q, z);
}

ImportanceSamples GaussianLatentModel::draw(const Context& c, Var x, Index samples) const {
  const Draws draws = vaezoo::draw(c, q_(c, x), samples, estimator_, bounds_);
  Context each = c;
  if (c.condition) each.condition = repeat_rows(c.condition, samples);
  return {draws, p_.log_prob(each, draws.z, x), p_z().log_prob(each, draws.z)};
}

void GaussianLatentModel::require_kl_per_dimension(double free_bits) const {
  if (free_bits > 0 && (!p_z().closed_form_kl() || estimator_.through_z_alone()))
    throw ConfigError(cat(
        "model.free_bits: they need the KL of each dimension in closed form, which there is with \"prior\": \"standard_normal\" and "
        "\"estimator\": \"standard\" alone; set free_bits to 0 or change those"));
}

std::string GaussianLatentModel::describe_parts() const {
  return cat(condition_ ? cat("; ", condition_->describe()) : "", "; ", p_.likelihood().describe(),
             prior_name_ == "standard_normal" ? "" : cat("; ", p_z().describe()),
             estimator_.through_z_alone() ? cat("; gradient estimator ", estimator_.name) : "");
}

ElboTerms GaussianLatentModel::elbo(const Context& context, const Minibatch& batch, Code code) const {
  const Context c = told(context, batch);
  const DiagonalNormal q = q_z(c, batch.x);
  const Var drawn =
      code == Code::mean && p_z().closed_form_kl() ? q.mean : q.rsample(c.key.fold("z"));  // an estimated KL needs a draw
  return {p_.log_prob(c, code == Code::mean ? q.mean : drawn, batch.x), p_z().kl(c, q, drawn), p_z().kl_per_dimension(c, q)};
}

Var GaussianLatentModel::log_weights(const Context& c, const Minibatch& batch, Index samples) const {
  return draw(told(c, batch), batch.x, samples).log_w;
}

DiagonalNormal GaussianLatentModel::posterior(const Context& c, const Minibatch& batch) const {
  return q_z(told(c, batch), batch.x);
}
Var GaussianLatentModel::decode(const Context& c, Var z, const Minibatch& given) const { return p_.mean(told(c, given), z); }
Var GaussianLatentModel::sample_x(const Context& c, Var z, const Minibatch& given) const { return p_.sample(told(c, given), z); }
Var GaussianLatentModel::sample_prior(const Context& c, Index count, const Minibatch& given) const {
  return p_z().sample(told(c, given), count);
}

Var with_free_bits(const Context& c, const DiagonalNormal& q, const Prior& p, double free_bits) {
  const Var per_dimension = mean(p.kl_per_dimension(c, q), {0});  // [Z]
  return sum(maximum(per_dimension, q.mean.tape().constant(per_dimension.shape(), static_cast<Real>(free_bits))));
}

}  // namespace vaezoo
