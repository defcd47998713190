#pragma once
// What models with several stochastic layers share. The code is z = (z_1, ..., z_L), z_1 nearest to x, and
//   p(x, z) = p(x | z) p(z_L) prod_i p(z_i | z_i+1, ..., z_L)
// with diagonal normals below the top. A model says how codes are inferred and how they become x; the ELBO and its parts,
// importance weights, ancestral sampling and what is reported of each layer are here.
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/likelihoods/likelihood.hpp"
#include "models/objectives/variational_objective.hpp"
#include "models/parts/log_variance.hpp"
#include "models/priors/prior.hpp"

namespace vaezoo {

struct HierarchicalConfig {
  LikelihoodConfig likelihood;
  PriorConfig prior;  // of z_L
  RateWeight weight;
  ObjectiveConfig objective;
  std::int64_t samples = 1;
  Estimator estimator;
  LogVarianceBounds log_variance;

  void fields(Fields& f);
};

/// The shape of one stochastic layer: a map of height x width with `channels` numbers at each place; a plain vector is 1 x 1.
struct LayerShape {
  std::string name;  ///< "z1"
  Index height = 1, width = 1, channels = 1;
  Index size() const { return height * width * channels; }
};

/// z1, z2, ... that are vectors of these dimensions.
std::vector<LayerShape> vector_layers(const std::vector<std::int64_t>& dimensions);

/// One stochastic layer in one pass.
struct Stochastic {
  Var z;             ///< [N, Z_i]
  DiagonalNormal q;  ///< what z was drawn from; empty in a generative pass
  DiagonalNormal p;  ///< p(z_i | z_i+1 ...); empty in the top layer
};

/// All stochastic layers, the one nearest to x first, and what the decoder made of them.
struct Pass {
  static constexpr std::size_t kMaxLayers = 20;  // of which the report has a line each
  std::array<Stochastic, kMaxLayers> layers;
  Var h;  ///< the likelihood's numbers, [N, outputs]
};

/// How infer() obtains each z_i: a sample of q, its mean, or the value of another pass.
struct Drawing {
  Code code = Code::sample;
  const Pass* given = nullptr;
};

/// Where the codes of a pass from the top to x come from.
class Source {
 public:
  virtual ~Source() = default;
  /// Layer i, given p(z_i | z_i+1 ...) (empty at the top) and what the model knows of the layers above: its features, or empty.
  virtual Stochastic layer(std::size_t i, const DiagonalNormal& p, Var above) const = 0;
};

/// The codes of another pass, and what they were drawn from.
class Given final : public Source {
 public:
  explicit Given(const Pass& pass) : pass_(pass) {}
  Stochastic layer(std::size_t i, const DiagonalNormal& p, Var) const override {
    return {pass_.layers[i].z, pass_.layers[i].q, p};
  }

 private:
  const Pass& pass_;
};

class HierarchicalModel : public VariationalModel {
 public:
  Objective objective(const Context& c, const Minibatch& batch) const final {
    return (*objective_)(c, batch);
  }
  // The estimators stl and dreg infer again with constant weights, which costs another pass or two. (Batch norm makes draws depend on
  // each other; dreg, which takes them for independent, is then unbiased only in the limit of large batches.)
  Trace trace(const Context& c, const Minibatch& batch, bool per_dimension) const final;
  ImportanceSamples weighted_draws(const Context& c, const Minibatch& batch, Index samples) const final;
  std::span<const terms::Named> level_terms() const final { return rate_terms_; }
  const Estimator& estimator() const final { return config_.estimator; }
  bool has_rate_per_dimension() const final;
  bool can_weigh_draws() const final { return config_.estimator.doubly_reparameterized(); }

  ElboTerms elbo(const Context& c, const Minibatch& batch, Code code) const final;
  /// The means of q, layer by layer in the order of inference, each given the means before it; all layers side by side.
  Var encode(const Context& c, const Minibatch& batch) const final;
  DiagonalNormal posterior(const Context& c, const Minibatch& batch) const final;
  Var decode(const Context& c, Var z, const Minibatch& given) const final;
  Var sample_x(const Context& c, Var z, const Minibatch& given) const final;
  Var sample_prior(const Context& c, Index count, const Minibatch& given) const final;
  Var resample_below(const Context& c, Var z, std::size_t level, const Minibatch& given) const final;
  bool takes_mask() const final { return true; }
  Index latent_dim() const final { return levels_.back().end; }
  std::vector<Level> levels() const final { return levels_; }
  bool conditional_prior(std::size_t level) const final { return level < top(); }
  Index initial_examples() const final { return prior_->initial_examples(); }
  void initialize(const Context& c, const Minibatch& examples) final { prior_->initialize(c, examples.x); }
  bool has_density() const final { return true; }
  bool discrete() const final { return likelihood_->discrete(); }
  bool binary() const final { return likelihood_->binary(); }
  std::string describe() const final;

 protected:
  /// How q meets p. top_down: each q(z_i | ...) is given the layers above, so its rate at these is KL(q || p). bottom_up: it is
  /// given the layers below, and those above are drawn given z_i; its rate is log q - log p at the z_i drawn.
  enum class Inference { top_down, bottom_up };

  /// `layers` from x to the top. Throws ConfigError when the settings do not fit each other or the data.
  HierarchicalModel(const HierarchicalConfig& config, std::vector<LayerShape> layers, Inference inference, const DataSpec& data,
                    ad::Parameters p);

  /// z ~ q(z | x), `samples` draws for each example side by side (N = B samples), or as `how` says; and p(x | z) of them.
  virtual Pass infer(const Context& c, Var x, Index samples, const Drawing& how) const = 0;
  /// From z_L down to p(x | z); N rows.
  virtual Pass top_down(const Context& c, Index rows, const Source& source) const = 0;
  /// q(z_L | x), where that is a function of x: what a VampPrior asks for.
  virtual DiagonalNormal q_top(const Context& c, Var x) const = 0;
  /// The inference, for describe().
  virtual std::string structure() const = 0;

  /// z_i.
  static Var draw(const Context& c, const DiagonalNormal& q, std::size_t i, const Drawing& how);
  std::size_t top() const { return layers_.size() - 1; }
  const std::vector<LayerShape>& layers() const { return layers_; }
  const Likelihood& likelihood() const { return *likelihood_; }
  const LogVarianceBounds& bounds() const { return config_.log_variance; }  ///< of every normal that a network gives

 private:
  class FromPrior;

  Pass generate(const Context& c, Index rows, Var z, std::size_t keep) const;
  Var joined(const Pass& pass) const;
  Var kl_of(const Context& c, const Pass& pass, std::size_t i, Code code) const;
  Var rate_of(const Context& c, const Pass& pass, std::size_t i, Var kl) const;
  Var log_ratio_of(const Context& c, const Pass& pass, std::size_t i) const;
  Pass infer_for_gradient(const Context& c, Var x, Index samples, std::span<Real> factors) const;

  HierarchicalConfig config_;
  std::vector<LayerShape> layers_;
  std::vector<Level> levels_;
  std::vector<terms::Named> rate_terms_;  // "kl_z1"
  Inference inference_;
  std::unique_ptr<Likelihood> likelihood_;
  std::unique_ptr<Prior> prior_;
  std::unique_ptr<VariationalObjective> objective_;
};

/// A linear layer that gives a diagonal normal: means and, as log variances, held within bounds,
///   exponential: the layer's own numbers      softplus: log(softplus(.) + kSmallestVariance)
class NormalHead {
 public:
  enum class Variance { exponential, softplus };
  static constexpr Real kSmallestVariance = Real(1e-4);

  NormalHead(ad::Parameters p, Index inputs, Index dimensions, const LogVarianceBounds& bounds = {},
             Variance variance = Variance::exponential);
  DiagonalNormal operator()(const Context& c, Var h) const;

 private:
  ad::Linear linear_;
  Index dimensions_;
  LogVarianceBounds bounds_;
  Variance variance_;
};

}  // namespace vaezoo
