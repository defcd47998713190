#pragma once
// Families of q(z | x) that a model can choose in JSON: "posterior": "normal" or {"name": "iaf", "length": 8}. A new family is one file
// models/posteriors/<name>.cpp that ends in VAEZOO_PART, and one line in registry.def.
#include <memory>
#include <string>
#include <typeinfo>
#include <vector>

#include "autodiff/layers.hpp"
#include "config/part.hpp"
#include "models/distributions/distribution.hpp"
#include "models/parts/log_variance.hpp"
#include "models/parts/support.hpp"

namespace vaezoo {

/// What the numbers mean that an encoder gives.
class Posterior {
 public:
  virtual ~Posterior() = default;
  /// How many numbers it needs for each example.
  virtual Index inputs() const = 0;
  /// q(z | x) of h [N, inputs()].
  virtual const Distribution& operator()(const ad::Context& c, Var h) const = 0;
  /// The type of what operator() gives; of variables that are relaxed in training, in evaluation.
  virtual const std::type_info& distribution() const = 0;
  /// Are z's gradients scaled where the encoder's are, so that an estimator can weigh the draws? False with weights of its own.
  virtual bool all_from_encoder() const { return true; }
  /// Is log q(z | x) known at every z, not only at the draws?
  virtual bool density_everywhere() const { return true; }
  /// Of each categorical variable whose one-hot vector is in z, at its end; such variables are relaxed in training.
  virtual std::vector<Index> classes() const { return {}; }
  virtual Support support() const { return Support::real; }
  virtual double curvature() const { return 0; }  ///< c of the ball of curvature -c, where that is the support
  /// Does it have log variances, which PosteriorArgs::bounds hold?
  virtual bool has_log_variances() const { return false; }
  /// See VariationalModel::smooth_draws().
  virtual bool smooth_draws() const { return true; }
  /// "diagonal normal posterior", for Model::describe().
  virtual std::string describe() const = 0;
};

/// Of z with `latent_dim` numbers; `bounds` of the log variances.
struct PosteriorArgs {
  Index latent_dim;
  const LogVarianceBounds& bounds;
  ad::Parameters p;
};

using PosteriorEntry = PartEntry<Posterior, PosteriorArgs>;
Registry<PosteriorEntry>& posterior_registry();

struct PosteriorConfig : PartChoice<Posterior, PosteriorArgs> {
  PosteriorConfig() : PartChoice(posterior_registry(), "normal") {}
  void visit(Fields& f) { PartChoice::visit(f, "posterior", "family of q(z | x)"); }
};

}  // namespace vaezoo
