#pragma once
// Priors p(z) that a model can choose in JSON: "prior": "standard_normal" or {"name": "vampprior", "components": 500}. A new one is one file
// models/priors/<name>.cpp that ends in VAEZOO_PART, and one line in registry.def.
#include <functional>
#include <memory>
#include <string>
#include <typeinfo>
#include <vector>

#include "config/part.hpp"
#include "models/model.hpp"
#include "models/parts/log_variance.hpp"
#include "models/parts/support.hpp"

namespace vaezoo {

/// p(z), z of `latent_dim` numbers.
class Prior {
 public:
  virtual ~Prior() = default;

  /// p(z) for `rows` rows; a conditional prior takes c.condition, of as many rows.
  virtual const Distribution& operator()(const Context& c, Index rows) const = 0;
  /// The type of what operator() gives.
  virtual const std::type_info& distribution() const = 0;

  virtual Support support() const { return Support::real; }

  /// What Model's functions of the same names pass on: training examples [n, D] that it starts from.
  virtual Index initial_examples() const { return 0; }
  virtual void initialize(const Context&, Var /*x*/) {}

  /// Is it made of clusters? Then log p(k) p(z | k) of each cluster k, [N, K], at z [N, Z].
  virtual bool has_clusters() const { return false; }
  virtual Var log_clusters(const Context&, Var /*z*/) const { return {}; }

  /// "standard normal prior", for Model::describe().
  virtual std::string describe() const = 0;
};

/// x [N, D] -> q(z | x), of the level of the code that the prior is for. What it refers to must live as long as the prior.
using PosteriorOfX = std::function<DiagonalNormal(const Context& c, Var x)>;

struct PriorArgs {
  Index latent_dim;
  const DataSpec& data;
  /// For the vampprior; empty in a model whose posterior is not a diagonal normal given x, where the vampprior throws ConfigError.
  PosteriorOfX q;
  ad::Parameters p;
  Index condition = 0;          ///< numbers of a conditional model's condition
  LogVarianceBounds bounds{};   ///< of the log variances that a network gives
  std::vector<Index> classes{};  ///< of each categorical variable in z, see Posterior::classes()
  double curvature = 0;          ///< c of the ball of curvature -c, where that is the posterior's support
};

using PriorEntry = PartEntry<Prior, PriorArgs>;
Registry<PriorEntry>& prior_registry();

struct PriorConfig : PartChoice<Prior, PriorArgs> {
  bool conditional = false;  ///< does the model have a condition? Then "conditional" is a choice

  PriorConfig() : PartChoice(prior_registry(), "standard_normal") {}
  void visit(Fields& f) {
    if (conditional) return PartChoice::visit(f, "prior", "p(z | y)");
    PartChoice::visit(f, "prior", "p(z)", {"conditional"});
  }
};

}  // namespace vaezoo
