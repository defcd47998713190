#include "models/parts/latent_model.hpp"

#include <algorithm>

#include "autodiff/elementwise.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/random_ops.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {

using namespace ad;

void AutoencoderConfig::fields(Fields& f) {
  f("latent_dim", latent_dim, "dimension of z", between(1, 65536));
  corruption.visit(f);
  encoder.visit(f, "encoder", "network of q(z | x)");
  decoder.visit(f, "decoder", "network of p(x | z)");
  likelihood.visit(f);
}

void LatentConfig::fields(Fields& f) {
  AutoencoderConfig::fields(f);
  posterior.visit(f);
  prior.visit(f);
  estimator.visit(f);
  log_variance.visit(f);
}

ImageShape image_shape(const DataSpec& data) { return {data.height, data.width, data.channels, data.vocabulary}; }

void CorruptionConfig::visit(Fields& f) {
  f.one_of("corruption", name,
           {{"none", "the encoder sees x as it is", [](Fields&) {}},
            {"gaussian", "x plus normal noise", [this](Fields& g) { g("sigma", sigma, "standard deviation of the noise", at_least(0)); }},
            {"masking", "some numbers of x become 0", [this](Fields& g) { g("rate", rate, "share of the numbers", between(0, 1)); }},
            {"salt_and_pepper", "some numbers of x become 0 or 1", [this](Fields& g) { g("rate", rate, "share of the numbers", between(0, 1)); }}},
           "what training does to x before the encoder sees it; the decoder is to give x as it was");
}

Var CorruptionConfig::operator()(const Context& c, Var x) const {
  if (!c.training || name == "none") return x;
  const Key key = c.key.fold("corruption");
  if (name == "gaussian") return x + static_cast<Real>(sigma) * normal(c.tape, x.shape(), key);
  const Var gone = less(uniform(c.tape, x.shape(), key), static_cast<Real>(rate));
  const Var instead = name == "masking" ? c.tape.constant(x.shape(), Real(0)) : less(uniform(c.tape, x.shape(), key.fold("value")), Real(0.5));
  return select(gone, instead, x);
}

Encoder::Encoder(const NetworkConfig& config, const DataSpec& data, Index width, Parameters p, ConditionInputs condition,
                 const CorruptionConfig& corruption)
    : shape_(image_shape(data)), concatenated_(condition.concatenated > 0), every_pixel_(config.convolutional()), corruption_(corruption),
      network_(make_encoder_network(config, concatenated_ ? concatenated_shape(shape_, condition.concatenated, every_pixel_) : shape_, p,
                                    condition.film)),
      head_(p / "head", network_->outputs().size(), width) {
  if (data.vocabulary > 0 && corruption.name != "none")
    throw ConfigError(cat("model.corruption: ", corruption.name, " changes numbers, and ", data.name,
                          " has sequences of tokens; set it to none, and word_dropout of the decoder"));
  if (data.vocabulary > 0 && concatenated_)
    throw ConfigError(cat("model.encoder: a condition or a label cannot be concatenated to the sequences of tokens of ", data.name,
                          "; choose a model without one"));
}

Var Encoder::operator()(const Context& c, Var x) const {
  x = corruption_(c, x);
  return head_(c, (*network_)(c, concatenated_ ? concatenate_condition(x, c.condition, shape_, every_pixel_) : x));
}

namespace {

std::unique_ptr<Likelihood> build_likelihood(const LikelihoodConfig& config, const DataSpec& data, const Parameters& p) {
  if (data.vocabulary > 0 && config.name() != "tokens")
    throw ConfigError(cat("model.likelihood: ", config.name(), " is a law of numbers, and ", data.name, " has sequences of tokens; choose tokens"));
  return config.build({data.size(), data, p / "likelihood"});
}

}  // namespace

Decoder::Decoder(const NetworkConfig& network, const LikelihoodConfig& likelihood, Index latent_dim, const DataSpec& data,
                 Parameters p, ConditionInputs condition)
    : concatenated_(condition.concatenated > 0), likelihood_(build_likelihood(likelihood, data, p)),
      network_(make_decoder_network(network, {1, 1, latent_dim + condition.concatenated}, image_shape(data),
                                    likelihood_->outputs() / data.size(), p, condition.film)),
      sequence_(dynamic_cast<const SequenceNetwork*>(network_.get())) {}

Var Decoder::inputs(const Context& c, Var z) const { return concatenated_ ? concat({z, c.condition}, 1) : z; }

Var Decoder::log_prob(const Context& c, Var z, Var x, Var mask) const {
  const Var in = inputs(c, z);
  return likelihood_->log_prob(c, sequence_ != nullptr ? sequence_->given_tokens(c, in, x) : (*network_)(c, in), x, mask);
}

Var Decoder::mean(const Context& c, Var z) const {
  const Var in = inputs(c, z);
  return sequence_ != nullptr ? sequence_->generate(c, in, SequenceNetwork::Tokens::likeliest) : likelihood_->mean((*network_)(c, in));
}

Var Decoder::sample(const Context& c, Var z) const {
  const Var in = inputs(c, z);
  return sequence_ != nullptr ? sequence_->generate(c, in, SequenceNetwork::Tokens::sampled) : likelihood_->sample(c, (*network_)(c, in));
}

LatentModel::LatentModel(const LatentConfig& config, const DataSpec& data, Parameters p,
                                         const ConditionConfig* condition)
    : latent_dim_(config.latent_dim),
      posterior_(config.posterior.build({config.latent_dim, config.log_variance, p / "posterior"})),
      condition_(condition == nullptr ? std::nullopt : std::make_optional<Condition>(*condition, data, p / "condition")),
      q_(config.encoder, data, posterior_->inputs(), p / "encoder", condition_ ? condition_->inputs() : ConditionInputs{}, config.corruption),
      p_(config.decoder, config.likelihood, config.latent_dim, data, p / "decoder",
         condition_ ? condition_->inputs() : ConditionInputs{}),
      prior_(config.prior.build({latent_dim_, data, of_pseudo_inputs(), p / "prior", condition_ ? condition_->width() : 0,
                                 config.log_variance, posterior_->classes(), posterior_->curvature()})),
      posterior_name_(config.posterior.name()), prior_name_(config.prior.name()), estimator_(config.estimator) {
  if (estimator_.through_z_alone() && !posterior_->density_everywhere())
    throw ConfigError(cat("model.estimator: ", estimator_.name, " needs log q(z | x) with constant parameters, and posterior ",
                          posterior_name_, " does not have it; choose estimator standard"));
  require_same_support(posterior_->support(), posterior_name_, prior_->support(), prior_name_);
  if (!posterior_->has_log_variances() && !config.log_variance.interval.empty())
    throw ConfigError(cat("model.log_variance: has no effect, posterior ", posterior_name_, " has no log variances; leave it out"));
  if (condition_ && prior_->initial_examples() > 0)
    pseudo_conditions_ = &p.add_buffer("prior/pseudo_conditions", {prior_->initial_examples(), condition_->raw_width()}, 0);
}

/// What a VampPrior asks: q(z | u), where it is a diagonal normal.
PosteriorOfX LatentModel::of_pseudo_inputs() const {
  if (posterior_->distribution() != typeid(DiagonalNormal)) return nullptr;
  return [this](const Context& c, Var u) { return static_cast<const DiagonalNormal&>(q_z(with_pseudo_conditions(c), u)); };
}

Context LatentModel::conditioned(const Context& c, const Minibatch& given) const {
  Context other = c;
  if (condition_) other.condition = (*condition_)(c, given);
  return other;
}

/// A pseudo-input keeps the condition of the example that it started from.
Context LatentModel::with_pseudo_conditions(const Context& c) const {
  Context other = c;
  if (condition_)
    other.condition = condition_->of_raw(c, c.tape.constant(pseudo_conditions_->shape(), pseudo_conditions_->value()));
  return other;
}

void LatentModel::initialize(const Context& c, const Minibatch& examples) {
  if (pseudo_conditions_ != nullptr) {
    const std::span<const Real> y = condition_->raw(c, examples).value();
    std::ranges::copy(y.first(std::min(y.size(), pseudo_conditions_->value().size())), pseudo_conditions_->value().begin());
  }
  prior_->initialize(c, examples.x);
}

std::span<const Index> LatentModel::clusters(const Context& c, const Minibatch& batch) const {
  if (prior_->has_clusters()) return argmax(prior_->log_clusters(c, encode(c, batch)));
  const std::vector<Index> classes = posterior_->classes();  // one class of the code is a cluster as well
  return classes.size() == 1 ? argmax(slice(encode(c, batch), 1, latent_dim_ - classes[0], latent_dim_)) : std::span<const Index>{};
}

Var LatentModel::rate(const Distribution& q, const Distribution& p, const Draw& z) const {
  return estimator_.through_z_alone() ? q.detached().log_prob(z.value) - p.log_prob(z.value) : kl(q, p, z);
}

bool LatentModel::has_rate_per_dimension() const {
  return has_kl_per_dimension(posterior_->distribution(), prior_->distribution()) && !estimator_.through_z_alone();
}

Trace LatentModel::trace(const Context& context, const Minibatch& batch, bool per_dimension) const {
  const Context c = conditioned(context, batch);
  const Distribution &q = q_z(c, batch.x), &p = p_z(c, batch.x.shape()[0]);
  const Draw z = q.rsample(c.key.fold("z"));
  const Var log_p_x = p_.log_prob(c, z.value, batch.x, batch.mask);
  LevelRate* const level = c.tape.scratch<LevelRate>(1);
  *level = {rate(q, p, z), per_dimension ? kl_per_dimension(q, p) : Var(), latent_dim_, z.value, &q, &p};
  return {log_p_x, {level, 1}};
}

ImportanceSamples LatentModel::weighted_draws(const Context& context, const Minibatch& batch, Index samples) const {
  Context c = conditioned(context, batch);
  const Draws draws = draw(c, *posterior_, q_(c, batch.x), samples, estimator_);
  if (c.condition) c.condition = repeat_rows(c.condition, samples);
  const Var log_p_x = p_.log_prob(c, draws.z, batch.x, batch.mask), log_p_z = p_z(c, draws.z.shape()[0]).log_prob(draws.z);
  Var* const log_ratio = c.tape.scratch<Var>(1);
  *log_ratio = reshape(draws.log_q_z - log_p_z, {-1, samples});
  return {reshape(log_p_x, {-1, samples}), *log_ratio, {log_ratio, 1}, draws.encoder_factors};
}

std::string LatentModel::describe_parts() const {
  return cat(condition_ ? cat("; ", condition_->describe()) : "", "; ", p_.likelihood().describe(),
             posterior_name_ == "normal" ? "" : cat("; ", posterior_->describe()),
             prior_name_ == "standard_normal" ? "" : cat("; ", prior_->describe()),
             estimator_.through_z_alone() ? cat("; gradient estimator ", estimator_.name) : "");
}

ElboTerms LatentModel::elbo(const Context& context, const Minibatch& batch, Code code) const {
  const Context c = conditioned(context, batch);
  const Distribution &q = q_z(c, batch.x), &p = p_z(c, batch.x.shape()[0]);
  const bool closed_form = has_closed_form_kl(posterior_->distribution(), prior_->distribution());
  // An estimated KL needs a draw, even where the reconstruction is that of the mean.
  const Draw drawn = code == Code::mean && closed_form ? Draw{q.center(), {}} : q.rsample(c.key.fold("z"));
  return {p_.log_prob(c, code == Code::mean ? q.center() : drawn.value, batch.x, batch.mask), kl(q, p, drawn), kl_per_dimension(q, p)};
}

DiagonalNormal LatentModel::posterior(const Context& c, const Minibatch& batch) const {
  const Distribution& q = q_z(conditioned(c, batch), batch.x);
  if (posterior_->distribution() == typeid(DiagonalNormal)) return static_cast<const DiagonalNormal&>(q);
  return {q.center(), {}};
}
Var LatentModel::decode(const Context& c, Var z, const Minibatch& given) const { return p_.mean(conditioned(c, given), z); }
Var LatentModel::sample_x(const Context& c, Var z, const Minibatch& given) const { return p_.sample(conditioned(c, given), z); }
Var LatentModel::sample_prior(const Context& c, Index count, const Minibatch& given) const {
  return p_z(conditioned(c, given), count).detached().rsample(c.key.fold("z")).value;
}

}  // namespace vaezoo
