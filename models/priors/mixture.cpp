// sum_k w_k N(mean_k, diag variance_k), all trained.
#include <algorithm>
#include <cmath>
#include <limits>

#include "autodiff/elementwise.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/reduce.hpp"
#include "models/distributions/mixture.hpp"
#include "models/parts/codebook.hpp"
#include "models/priors/prior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

class MixturePrior : public Prior {
 public:
  MixturePrior(Index components, Index latent_dim, Parameters p)
      : mean_(p.add("mean", {components, latent_dim}, init::normal(0, 1))),  // apart, so that they can learn to differ
        log_variance_(p.add("log_variance", {components, latent_dim}, init::zeros())),
        logits_(p.add("logits", {components}, init::zeros())) {}

  const Distribution& operator()(const Context& c, Index rows) const override {
    return on_tape(c.tape, Mixture(components(c), log_weight(c), rows));
  }
  const std::type_info& distribution() const override { return typeid(Mixture); }
  bool has_clusters() const override { return true; }
  Var log_clusters(const Context& c, Var z) const override { return log_prob_table(z, components(c), log_weight(c)); }
  std::string describe() const override { return cat("prior: mixture of ", logits_.size(), " normals"); }

 protected:
  Parameter& mean() { return mean_; }
  Parameter& log_variance() { return log_variance_; }
  Parameter& logits() { return logits_; }

 private:
  DiagonalNormal components(const Context& c) const { return {c.tape.parameter(mean_), c.tape.parameter(log_variance_)}; }
  Var log_weight(const Context& c) const { return log_softmax(c.tape.parameter(logits_)); }

  Parameter &mean_, &log_variance_, &logits_;
};

/// The same, starting from a clustering of the codes of training examples: its means, variances and shares. Of use for an encoder that has
/// learned something, see train.start_from.
class ClusterPrior final : public MixturePrior {
 public:
  ClusterPrior(Index components, Index examples, const PriorArgs& args)
      : MixturePrior(components, args.latent_dim, args.p), components_(components), examples_(examples), q_(args.q) {}

  Index initial_examples() const override { return examples_; }
  void initialize(const Context& c, Var x) override {
    const DiagonalNormal q = q_(c, x);
    const Index rows = q.mean.shape()[0], size = q.mean.shape()[1];
    if (rows < components_) throw ConfigError(cat("model.prior: clusters: ", rows, " training examples are too few for ", components_, " clusters"));
    const auto [centres, cluster] = best_clusters(c, q.mean);
    std::vector<double> count(static_cast<std::size_t>(components_), 0), square(static_cast<std::size_t>(components_ * size), 0);
    for (Index i = 0; i < rows; ++i) {
      const Index k = cluster[static_cast<std::size_t>(i)];
      ++count[static_cast<std::size_t>(k)];
      for (Index j = 0; j < size; ++j)
        square[static_cast<std::size_t>(k * size + j)] += std::pow(double(q.mean.data()[i * size + j]) - double(centres.data()[k * size + j]), 2) +
                                                          std::exp(double(q.log_variance.data()[i * size + j]));
    }
    for (std::size_t m = 0; m < square.size(); ++m) {
      mean().value()[m] = centres.data()[m];
      log_variance().value()[m] = static_cast<Real>(std::log(std::max(square[m] / std::max(count[m / static_cast<std::size_t>(size)], 1.0), 1e-6)));
    }
    for (std::size_t k = 0; k < count.size(); ++k) logits().value()[k] = static_cast<Real>(std::log(std::max(count[k], 1.0) / double(rows)));
  }

 private:
  /// The centres [K, Z] with the least sum of squared distances of ten runs of k-means, and the nearest one of each code.
  std::pair<Var, std::span<const Index>> best_clusters(const Context& c, Var codes) const {
    constexpr int kRuns = 10, kRounds = 50;
    std::pair<Var, std::span<const Index>> best;
    double least = std::numeric_limits<double>::infinity();
    for (int run = 0; run < kRuns; ++run) {
      const Clusters found = kmeans(c.key.fold("k-means").fold(static_cast<std::uint64_t>(run)), codes.value(), codes.shape()[1], components_, kRounds);
      const Var centres = c.tape.node("centres", {components_, codes.shape()[1]}, {});
      std::ranges::copy(found.centres, centres.data());
      const std::span<const Index> nearest = nearest_rows(codes, centres);
      const double inertia = double(sum(square(codes - embedding(centres, nearest))).item());
      if (inertia < least) least = inertia, best = {centres, nearest};
    }
    return best;
  }

  Index components_, examples_;
  PosteriorOfX q_;
};

struct ClustersSettings {
  std::int64_t components = 10, examples = 10'000;

  void fields(Fields& f) {
    f("components", components, "number of clusters", between(1, 100'000));
    f("examples", examples, "training examples whose codes are clustered at the start, the first ones", at_least(1));
  }
  std::unique_ptr<Prior> build(const PriorArgs& args) const {
    if (!args.q) throw ConfigError("model.prior: clusters needs a q(z | x) that is a diagonal normal; choose mixture, or posterior normal");
    return std::make_unique<ClusterPrior>(components, examples, args);
  }
};

struct MixtureSettings {
  std::int64_t components = 10;

  void fields(Fields& f) { f("components", components, "number of normals", between(1, 100'000)); }
  std::unique_ptr<Prior> build(const PriorArgs& args) const {
    return std::make_unique<MixturePrior>(components, args.latent_dim, args.p);
  }
};

}  // namespace

VAEZOO_PART(Prior, mixture, MixtureSettings, "a trained mixture of diagonal normals; the KL from the sampled z")
VAEZOO_PART(Prior, clusters, ClustersSettings, "the same, starting from a k-means clustering of training codes (Jiang et al., IJCAI 2017)")
