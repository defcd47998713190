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
  kl_weight.visit(f, "kl_weight", "how the weight of the KL rises to 1");
  f("free_bits", free_bits, "nats of KL per latent dimension (of a map: per channel) that cost nothing", at_least(0));
  f("samples", samples, "1: the ELBO; K > 1: the importance-weighted bound of K samples", between(1, 100'000));
  f.require("free_bits", free_bits == 0 || samples == 1,
            "belong to the ELBO; an importance-weighted bound (samples > 1) has no KL to free. Set one of the two");
  f.require("free_bits", free_bits == 0 || prior.name() == "standard_normal",
            cat("count the KL of each dimension, and with prior ", prior.name(),
                " the KL of the top layer does not fall into dimensions; set 0, or prior standard_normal"));
  estimator.visit(f);
  f.require("free_bits", free_bits == 0 || !estimator.through_z_alone(),
            cat("count the KL in closed form, and estimator ", estimator.name,
                " takes log q - log p at what was drawn; set 0, or estimator standard"));
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
  if (!config_.estimator.through_z_alone()) return pass;
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
    return has_closed_form_kl(typeid(DiagonalNormal), prior_->distribution())
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

/// The rate that counts, one number. With free bits, the mean over the batch of each dimension, of a map of each channel, is at
/// least those, so that the model has nothing to gain from collapsing it (Kingma et al. 2016, eq. 15).
Var HierarchicalModel::counted(Var kl, std::size_t i, Var rate) const {
  if (config_.free_bits == 0) return rate;
  const Index rows = kl.shape()[0];
  const Var group = sum(reshape(kl, {-1, layers_[i].channels}), 0) / static_cast<Real>(rows);
  return sum(maximum(group, group.tape().constant(group.shape(), static_cast<Real>(config_.free_bits))));
}

void HierarchicalModel::report(Objective& o, const Context& c, std::span<const Var> rates, Real beta) const {
  if (rates.size() > 1)
    for (std::size_t i = 0; i < rates.size(); ++i) o.add(rate_terms_[i](rates[i]));
  if (config_.kl_weight.name != "constant") o.add(terms::beta(c.tape.constant(Shape{}, beta)));
}

Objective HierarchicalModel::objective(const Context& c, const Position& progress, const Minibatch& batch) const {
  const Real beta = static_cast<Real>(config_.kl_weight.at(progress));
  if (config_.samples > 1) return importance_weighted(c, beta, batch);
  const Pass pass = infer_for_gradient(c, batch.x, 1, {});                       // z_i ~ q(z_i | ...)
  const Var distortion = -mean(likelihood_->log_prob(c, pass.h, batch.x));       // -E_q log p(x | z)
  std::array<Var, Pass::kMaxLayers> rates;                                       // E_q KL(q(z_i | ...) || p(z_i | z_i+1 ...))
  Var rate, counted_rate;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Var kl = config_.estimator.through_z_alone() ? Var() : kl_of(c, pass, i, Code::sample);
    rates[i] = mean(rate_of(c, pass, i, kl));
    const Var costs = counted(kl, i, rates[i]);
    rate = rate ? rate + rates[i] : rates[i];
    counted_rate = counted_rate ? counted_rate + costs : costs;
  }
  Objective o{distortion + beta * counted_rate, {terms::reconstruction(-distortion), terms::kl(rate)}};
  report(o, c, std::span(rates).first(layers_.size()), beta);
  return o;
}

Objective HierarchicalModel::importance_weighted(const Context& c, Real beta, const Minibatch& batch) const {
  const Index samples = config_.samples;
  const std::span<Real> factors = unit_factors(c.tape, batch.x.shape()[0] * samples);
  const Pass pass = infer_for_gradient(c, batch.x, samples, factors);
  const Var log_p_x = likelihood_->log_prob(c, pass.h, ad::repeat_rows(batch.x, samples));  // log p(x | z_k)
  std::array<Var, Pass::kMaxLayers> rates;
  Var log_q_p;                                                                              // log q(z_k | x) - log p(z_k)
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Var log_ratio = log_ratio_of(c, pass, i);
    rates[i] = mean(log_ratio);
    log_q_p = log_q_p ? log_q_p + log_ratio : log_ratio;
  }
  const Var log_w = reshape(log_p_x - beta * log_q_p, {-1, samples});
  // The bound weighs draw k by w~_k. Its -beta log q costs the encoder -beta w~_k times the score, which is by the reparameterisation
  // -beta (w~_k - w~_k^2) times the gradient through z_k: so that gradient counts w~_k (1 - beta + beta w~_k).
  if (config_.estimator.doubly_reparameterized())
    std::ranges::copy(((1 - beta) + beta * softmax(stop_gradient(log_w))).value(), factors.begin());
  Objective o{-mean(log_mean_exp(log_w)), {terms::reconstruction(mean(log_p_x)), terms::kl(mean(log_q_p))}};
  report(o, c, std::span(rates).first(layers_.size()), beta);
  return o;
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
  return {likelihood_->log_prob(c, pass.h, batch.x), rate, per_dimension};
}

Var HierarchicalModel::log_weights(const Context& c, const Minibatch& batch, Index samples) const {
  const Pass pass = infer(c, batch.x, samples, {});
  Var log_w = likelihood_->log_prob(c, pass.h, ad::repeat_rows(batch.x, samples));
  for (std::size_t i = 0; i < layers_.size(); ++i) log_w = log_w - log_ratio_of(c, pass, i);
  return reshape(log_w, {batch.x.shape()[0], samples});
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
  const std::string weight = config_.kl_weight.name == "constant" ? "1" : config_.kl_weight.name;
  const std::string free = config_.free_bits > 0 ? cat(", free bits ", config_.free_bits) : "";
  return cat(config_.samples > 1 ? cat("-log 1/K sum_k w_k, K ", config_.samples) : std::string("-log p(x|z) + sum of KLs"),
             ", KL weight ", weight, free,
             config_.estimator.through_z_alone() ? cat(", gradient estimator ", config_.estimator.name) : "", "; ", structure(),
             "; ", prior_->describe(), "; ", likelihood_->describe());
}

NormalHead::NormalHead(Parameters p, Index inputs, Index dimensions, const LogVarianceBounds& bounds, Variance variance)
    : linear_(p, inputs, 2 * dimensions), dimensions_(dimensions), bounds_(bounds), variance_(variance) {}

DiagonalNormal NormalHead::operator()(const Context& c, Var h) const {
  const Var numbers = linear_(c, h), raw = slice(numbers, 1, dimensions_, 2 * dimensions_);
  const auto log_softplus = [](auto v) { return log(softplus(v) + kSmallestVariance); };
  return bounds_(
      {slice(numbers, 1, 0, dimensions_), variance_ == Variance::exponential ? raw : map("log_softplus", log_softplus, raw)});
}

DiagonalNormal precision_weighted(const DiagonalNormal& a, const DiagonalNormal& b) {
  // The weight of a's mean is va^-1 / (va^-1 + vb^-1) = sigmoid(log vb - log va), the variance is va times that weight.
  const auto mean = [](auto ma, auto la, auto mb, auto lb) { return mb + (ma - mb) * sigmoid(lb - la); };
  const auto log_variance = [](auto la, auto lb) { return la - softplus(la - lb); };
  return {map("precision_weighted_mean", mean, a.mean, a.log_variance, b.mean, b.log_variance),
          map("precision_weighted_log_variance", log_variance, a.log_variance, b.log_variance)};
}

}  // namespace vaezoo
