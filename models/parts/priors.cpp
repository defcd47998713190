#include "models/parts/priors.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/distributions/mixture.hpp"

namespace vaezoo {

using namespace ad;

namespace {

class StandardNormalPrior final : public Prior {
 public:
  explicit StandardNormalPrior(Index latent_dim) : latent_dim_(latent_dim) {}
  const Distribution& operator()(const Context& c, Index rows) const override {
    return on_tape(c.tape, StandardNormal(c.tape, rows, latent_dim_));
  }
  const std::type_info& distribution() const override { return typeid(StandardNormal); }
  std::string describe() const override { return "standard normal prior"; }

 private:
  Index latent_dim_;
};

/// p(z | y): y is the context's condition, of as many rows as z.
class ConditionalPrior final : public Prior {
 public:
  ConditionalPrior(const std::vector<std::int64_t>& hidden, Index latent_dim, Index condition, const LogVarianceBounds& bounds,
                   Parameters p)
      : network_(p, sizes(hidden, latent_dim, condition), Activation::relu), bounds_(bounds) {}
  const Distribution& operator()(const Context& c, Index) const override {
    return on_tape(c.tape, bounds_(normal_of(network_(c, c.condition))));
  }
  const std::type_info& distribution() const override { return typeid(DiagonalNormal); }
  std::string describe() const override { return "prior: a normal given y"; }

 private:
  static std::vector<Index> sizes(const std::vector<std::int64_t>& hidden, Index latent_dim, Index condition) {
    std::vector<Index> all{condition};
    all.insert(all.end(), hidden.begin(), hidden.end());
    all.push_back(2 * latent_dim);
    return all;
  }

  Mlp network_;
  LogVarianceBounds bounds_;
};

class MixturePrior final : public Prior {
 public:
  MixturePrior(Index components, Index latent_dim, Parameters p)
      : mean_(p.add("mean", {components, latent_dim}, init::normal(0, 1))),  // apart, so that they can learn to differ
        log_variance_(p.add("log_variance", {components, latent_dim}, init::zeros())),
        logits_(p.add("logits", {components}, init::zeros())) {}

  const Distribution& operator()(const Context& c, Index rows) const override {
    return on_tape(c.tape, Mixture(components(c), log_weight(c), rows));
  }
  const std::type_info& distribution() const override { return typeid(Mixture); }
  std::string describe() const override { return cat("prior: mixture of ", logits_.size(), " normals"); }

 private:
  DiagonalNormal components(const Context& c) const { return {c.tape.parameter(mean_), c.tape.parameter(log_variance_)}; }
  Var log_weight(const Context& c) const { return log_softmax(c.tape.parameter(logits_)); }

  Parameter &mean_, &log_variance_, &logits_;
};

/// Its components are the posteriors of pseudo-inputs, so the encoder's weights are the prior's too.
class VampPrior final : public Prior {
 public:
  VampPrior(Index components, const DataSpec& data, PosteriorOfX q, Parameters p)
      : unit_interval_(data.unit_interval),
        pseudo_inputs_(p.add("pseudo_inputs", {components, data.size()},
                             unit_interval_ ? init::normal(Real(0.05), Real(0.01)) : init::normal(0, 1))),
        q_(std::move(q)) {}

  const Distribution& operator()(const Context& c, Index rows) const override {
    return on_tape(c.tape, Mixture(components(c), log_weight(c), rows));
  }
  const std::type_info& distribution() const override { return typeid(Mixture); }

  Index initial_examples() const override { return pseudo_inputs_.shape()[0]; }
  /// With fewer examples than pseudo-inputs the rest keep their random start.
  void initialize(const Context&, Var x) override {
    const std::span<const Real> examples = x.value();
    std::ranges::copy(examples.first(std::min(examples.size(), pseudo_inputs_.value().size())), pseudo_inputs_.value().begin());
  }
  std::string describe() const override { return cat("prior: VampPrior of ", initial_examples(), " pseudo-inputs"); }

 private:
  DiagonalNormal components(const Context& c) const {
    const Var u = c.tape.parameter(pseudo_inputs_);
    Context other = c;
    other.key = c.key.fold("pseudo_inputs");
    // Data in [0, 1] have pseudo-inputs there, through the paper's "hardtanh"; real data have real ones.
    return q_(other, unit_interval_ ? clamp(u, 0, 1) : u);
  }
  Var log_weight(const Context& c) const {
    return c.tape.constant({initial_examples()}, -std::log(static_cast<Real>(initial_examples())));
  }

  bool unit_interval_;
  Parameter& pseudo_inputs_;
  PosteriorOfX q_;
};

}  // namespace

void Prior::initialize(const Context&, Var) {}

void PriorConfig::visit(Fields& f, const char* key) {
  std::vector<Alternative> choices{
      {"standard_normal", "N(0, I); the KL in closed form", [](Fields&) {}},
      {"mixture", "a trained mixture of diagonal normals; the KL from the sampled z",
       [this](Fields& g) { g("components", mixture_components, "number of normals", between(1, 100'000)); }},
      {"vampprior",
       "the mean of the posteriors of trained pseudo-inputs, which start as training examples; the KL from the sampled z",
       [this](Fields& g) { g("components", pseudo_inputs, "number of pseudo-inputs", between(1, 100'000)); }}};
  if (told)
    choices.push_back({"conditional", "p(z | y) = N(mean(y), diag variance(y)), trained; the KL in closed form",
                       [this](Fields& g) { g("hidden", hidden, "width of each hidden layer of its network", between(1, 65536)); }});
  f.one_of(key, name, choices, told ? "p(z | y)" : "p(z)");
}

std::unique_ptr<Prior> make_prior(const PriorConfig& config, Index latent_dim, const DataSpec& data, PosteriorOfX q, Parameters p,
                                  Index condition, const LogVarianceBounds& bounds) {
  if (config.name == "mixture") return std::make_unique<MixturePrior>(config.mixture_components, latent_dim, p);
  if (config.name == "standard_normal") return std::make_unique<StandardNormalPrior>(latent_dim);
  if (config.name == "conditional") return std::make_unique<ConditionalPrior>(config.hidden, latent_dim, condition, bounds, p);
  if (!q)
    throw ConfigError(
        "model.prior: vampprior needs a q(z | x) that is a diagonal normal given x, which this model does not have; choose standard_normal or "
        "mixture");
  return std::make_unique<VampPrior>(config.pseudo_inputs, data, std::move(q), p);
}

}  // namespace vaezoo
