#include "models/parts/hierarchical_model.hpp"

#include <algorithm>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {

using namespace ad;

namespace {

/// log q(z) - log p(z) of each dimension, [N, Z].
Var log_ratio_per_dimension(const DiagonalNormal& q, const DiagonalNormal& p, Var z) {
  return map("log_ratio",
             [](auto v, auto mq, auto lq, auto mp, auto lp) {
               const auto dq = v - mq, dp = v - mp;
               return Real(0.5) * ((dp * dp * exp(-lp) + lp) - (dq * dq * exp(-lq) + lq));
             },
             z, q.mean, q.log_variance, p.mean, p.log_variance);
}

}  // namespace

void HierarchicalConfig::fields(Fields& f) {
  likelihood.visit(f);
  prior.visit(f);
  weight.visit(f);
  objective.visit(f);
  f("samples", samples, "K > 1: short for objective iwae with K samples", between(1, 100'000));
  f.require("samples", samples == 1 || objective.name() == "elbo",
            cat("of more than 1 stands for objective iwae, and the objective is ", objective.name(), "; set one of the two"));
  f.require("free_bits", weight.free_bits == 0 || samples == 1,
            "belong to the ELBO; an importance-weighted bound (samples > 1) has no KL to free. Set one of the two");
  estimator.visit(f);
  log_variance.visit(f);
}

std::vector<LayerShape> vector_layers(const std::vector<std::int64_t>& dimensions) {
  std::vector<LayerShape> layers;
  for (const std::int64_t n : dimensions) layers.push_back({.name = cat("z", layers.size() + 1), .channels = n});
  return layers;
}

// Draws what is not given from the prior.
class HierarchicalModel::FromPrior final : public Source {
 public:
  FromPrior(const HierarchicalModel& model, const Context& c, Index rows, Var given, std::size_t keep)
      : model_(model), c_(c), rows_(rows), given_(given), keep_(keep) {}

  Stochastic layer(std::size_t i, const DiagonalNormal& p, Var) const override {
    if (i >= keep_) return {slice(given_, 1, model_.levels_[i].begin, model_.levels_[i].end), {}, p};
    const Key key = c_.key.fold("z").fold(i);
    return {i == model_.top() ? (*model_.prior_)(c_, rows_).detached().rsample(key.fold("z")).value : p.rsample(key).value, {}, p};
  }

 private:
  const HierarchicalModel& model_;
  const Context& c_;
  Index rows_;
  Var given_;
  std::size_t keep_;
};

HierarchicalModel::HierarchicalModel(const HierarchicalConfig& config, std::vector<LayerShape> layers, Inference inference,
                                     const DataSpec& data, Parameters p)
    : config_(config),
      layers_(std::move(layers)),
      inference_(inference),
      likelihood_(config.likelihood.build({data.size(), data, p / "likelihood"})) {
  if (data.vocabulary > 0)
    throw ConfigError(cat("model: a hierarchy has no decoder for the sequences of tokens of ", data.name, "; choose vae, or another model of one code"));
  if (layers_.size() > Pass::kMaxLayers)
    throw ConfigError(cat("model: ", layers_.size(), " stochastic layers; at most ", Pass::kMaxLayers, " are supported"));
  Index begin = 0;
  for (const LayerShape& s : layers_) {
    levels_.push_back({s.name, begin, begin + s.size()});
    rate_terms_.push_back(terms::level_rate(s.name));
    begin += s.size();
  }
  // With several layers, a bottom-up q(z_L | z_L-1) is no function of x.
  PosteriorOfX q;
  if (inference == Inference::top_down || layers_.size() == 1) q = [this](const Context& c, Var x) { return q_top(c, x); };
  prior_ = config.prior.build({layers_.back().size(), data, std::move(q), p / "prior"});
  require_same_support(Support::real, "normal", prior_->support(), config.prior.name());
  const ObjectiveArgs args{*this, config.weight, data, p / "objective"};
  objective_ = config.samples > 1 ? importance_weighted(args, config.samples) : config.objective.build(args);
}

Var HierarchicalModel::draw(const Context& c, const DiagonalNormal& q, std::size_t i, const Drawing& how) {
  if (how.given != nullptr) return how.given->layers[i].z;
  return how.code == Code::mean ? q.mean : q.rsample(c.key.fold("z").fold(i)).value;
}

/// Runs inference so that back-propagation yields the estimator that was chosen. stl and dreg: log q is evaluated again at the drawn codes
/// with constant weights, so that its gradient flows only through z. dreg: the densities see z scaled by `factors`, [N]; the path from a
/// code to the draws of other layers is not scaled, so that each factor counts once on every path.
Pass HierarchicalModel::infer_for_gradient(const Context& c, Var x, Index samples, std::span<Real> factors) const {
  Pass pass = infer(c, x, samples, {});
  if (!config_.estimator.through_z_alone() || !c.tape.recording()) return pass;
  const ad::WithoutEffects again(c.tape);
  if (config_.estimator.doubly_reparameterized() && samples > 1) {
    for (std::size_t i = 0; i < layers_.size(); ++i) pass.layers[i].z = scale_gradient(pass.layers[i].z, factors);
    const Pass densities = top_down(c, x.shape()[0] * samples, Given(pass));
    for (std::size_t i = 0; i < layers_.size(); ++i) pass.layers[i].p = densities.layers[i].p;
    pass.h = densities.h;
  }
  const FrozenParameters frozen(c.tape);
  const Pass constant = infer(c, x, samples, {.given = &pass});
  for (std::size_t i = 0; i < layers_.size(); ++i) pass.layers[i].q = constant.layers[i].q;
  return pass;
}

/// What q(z_i | ...) costs in each dimension, [N, Z_i]; empty where the prior does not fall into dimensions. At the means, which
/// nothing was drawn for, it is the KL in either kind of inference.
Var HierarchicalModel::kl_of(const Context& c, const Pass& pass, std::size_t i, Code code) const {
  const Stochastic& s = pass.layers[i];
  if (i == top())
    return has_kl_per_dimension(typeid(DiagonalNormal), prior_->distribution())
               ? kl_per_dimension(static_cast<const Distribution&>(s.q), (*prior_)(c, s.z.shape()[0]))
               : Var();
  if (inference_ == Inference::top_down || code == Code::mean) return kl_per_dimension(s.q, s.p);
  return log_ratio_per_dimension(s.q, s.p, s.z);
}

/// Its sum, [N]; where there is none, log q - log p at z.
Var HierarchicalModel::rate_of(const Context& c, const Pass& pass, std::size_t i, Var kl) const {
  return kl ? sum(kl, 1) : log_ratio_of(c, pass, i);
}

/// log q(z_i | ...) - log p(z_i | ...), [N].
Var HierarchicalModel::log_ratio_of(const Context& c, const Pass& pass, std::size_t i) const {
  const Stochastic& s = pass.layers[i];
  if (i == top()) return s.q.log_prob(s.z) - (*prior_)(c, s.z.shape()[0]).log_prob(s.z);
  return sum(log_ratio_per_dimension(s.q, s.p, s.z), 1);
}

bool HierarchicalModel::has_rate_per_dimension() const {
  return has_kl_per_dimension(typeid(DiagonalNormal), prior_->distribution()) && !config_.estimator.through_z_alone();
}

Trace HierarchicalModel::trace(const Context& c, const Minibatch& batch, bool) const {
  const Pass pass = infer_for_gradient(c, batch.x, 1, {});
  LevelRate* const rates = c.tape.scratch<LevelRate>(std::ssize(layers_));
  const Var log_p_x = likelihood_->log_prob(c, pass.h, batch.x, batch.mask);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Var kl = config_.estimator.through_z_alone() ? Var() : kl_of(c, pass, i, Code::sample);
    rates[i] = {rate_of(c, pass, i, kl), kl, layers_[i].channels};
  }
  return {log_p_x, {rates, layers_.size()}};
}

ImportanceSamples HierarchicalModel::weighted_draws(const Context& c, const Minibatch& batch, Index samples) const {
  const std::span<Real> factors = unit_factors(c.tape, batch.x.shape()[0] * samples);
  const Pass pass = infer_for_gradient(c, batch.x, samples, factors);
  const Var log_p_x = likelihood_->log_prob(c, pass.h, batch.x, batch.mask);
  Var* const levels = c.tape.scratch<Var>(std::ssize(layers_));
  Var log_ratio;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    levels[i] = reshape(log_ratio_of(c, pass, i), {-1, samples});
    log_ratio = log_ratio ? log_ratio + levels[i] : levels[i];
  }
  return {reshape(log_p_x, {-1, samples}), log_ratio, {levels, layers_.size()}, factors};
}

ElboTerms HierarchicalModel::elbo(const Context& c, const Minibatch& batch, Code code) const {
  const Pass pass = infer(c, batch.x, 1, {code});
  std::array<Var, Pass::kMaxLayers> kl;
  Var rate;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    kl[i] = kl_of(c, pass, i, code);
    const Var r = rate_of(c, pass, i, kl[i]);
    rate = rate ? rate + r : r;
  }
  const std::size_t known = kl[top()] ? layers_.size() : top();
  const Var per_dimension = known > 0 ? concat(std::span<const Var>(kl).first(known), 1) : Var();
  return {likelihood_->log_prob(c, pass.h, batch.x, batch.mask), rate, per_dimension};
}

Var HierarchicalModel::joined(const Pass& pass) const {
  std::array<Var, Pass::kMaxLayers> z;
  for (std::size_t i = 0; i < layers_.size(); ++i) z[i] = pass.layers[i].z;
  return concat(std::span<const Var>(z).first(layers_.size()), 1);
}

/// The layers from `keep` up are those of z; the ones below it are drawn from their priors.
Pass HierarchicalModel::generate(const Context& c, Index rows, Var z, std::size_t keep) const {
  return top_down(c, rows, FromPrior(*this, c, rows, z, keep));
}

Var HierarchicalModel::encode(const Context& c, const Minibatch& batch) const {
  return joined(infer(c, batch.x, 1, {Code::mean}));
}
DiagonalNormal HierarchicalModel::posterior(const Context& c, const Minibatch& batch) const {
  const Pass pass = infer(c, batch.x, 1, {Code::mean});
  std::array<Var, Pass::kMaxLayers> log_variance;
  for (std::size_t i = 0; i < layers_.size(); ++i) log_variance[i] = pass.layers[i].q.log_variance;
  return {joined(pass), concat(std::span<const Var>(log_variance).first(layers_.size()), 1)};
}
Var HierarchicalModel::decode(const Context& c, Var z, const Minibatch&) const {
  return likelihood_->mean(generate(c, z.shape()[0], z, 0).h);
}
Var HierarchicalModel::sample_x(const Context& c, Var z, const Minibatch&) const {
  return likelihood_->sample(c, generate(c, z.shape()[0], z, 0).h);
}
Var HierarchicalModel::sample_prior(const Context& c, Index count, const Minibatch&) const {
  return joined(generate(c, count, {}, layers_.size()));
}
Var HierarchicalModel::resample_below(const Context& c, Var z, std::size_t level, const Minibatch&) const {
  return joined(generate(c, z.shape()[0], z, level));
}

std::string HierarchicalModel::describe() const {
  return cat(objective_->describe(), config_.estimator.through_z_alone() ? cat(", gradient estimator ", config_.estimator.name) : "", "; ",
             structure(), "; ", prior_->describe(), "; ", likelihood_->describe());
}

NormalHead::NormalHead(Parameters p, Index inputs, Index dimensions, const LogVarianceBounds& bounds, Variance variance)
    : linear_(p, inputs, 2 * dimensions), dimensions_(dimensions), bounds_(bounds), variance_(variance) {}

DiagonalNormal NormalHead::operator()(const Context& c, Var h) const {
  const Var numbers = linear_(c, h), raw = slice(numbers, 1, dimensions_, 2 * dimensions_);
  const auto log_softplus = [](auto v) { return log(softplus(v) + kSmallestVariance); };
  return bounds_(
      {slice(numbers, 1, 0, dimensions_), variance_ == Variance::exponential ? raw : map("log_softplus", log_softplus, raw)});
}

}  // namespace vaezoo
