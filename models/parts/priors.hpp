#pragma once
// Priors p(z) that a model can choose in JSON: "prior": "standard_normal" or {"name": "vampprior", "components": 500}.
//   standard_normal  N(0, I)
//   mixture          sum_k w_k N(mean_k, diag variance_k), all trained
//   vampprior        mean_k q(z | u_k), the pseudo-inputs u_k trained       (Tomczak & Welling, "VAE with a VampPrior", AISTATS 2018, eq. 9)
//   conditional      N(mean(y), diag variance(y)) of what a conditional model is told, which the context has
#include <functional>
#include <memory>
#include <string>
#include <typeinfo>
#include <vector>

#include "config/fields.hpp"
#include "models/model.hpp"
#include "models/parts/log_variance.hpp"

namespace vaezoo {

struct PriorConfig {
  std::string name = "standard_normal";
  std::int64_t mixture_components = 10, pseudo_inputs = 500;
  std::vector<std::int64_t> hidden{};  // of the conditional prior's network
  bool told = false;                 // does the model have a condition? Then "conditional" is a choice

  void visit(Fields& f, const char* key = "prior");
};

/// p(z), z of `latent_dim` numbers.
class Prior {
 public:
  virtual ~Prior() = default;

  /// p(z) for `rows` rows; a conditional prior takes c.condition, of as many rows.
  virtual const Distribution& operator()(const Context& c, Index rows) const = 0;
  /// The type of what operator() gives.
  virtual const std::type_info& distribution() const = 0;

  /// What Model's functions of the same names pass on: training examples [n, D] that it starts from.
  virtual Index initial_examples() const { return 0; }
  virtual void initialize(const Context& c, Var x);

  /// "standard normal prior", for Model::describe().
  virtual std::string describe() const = 0;
};

/// x [N, D] -> q(z | x), of the level of the code that the prior is for. What it refers to must live as long as the prior.
using PosteriorOfX = std::function<DiagonalNormal(const Context& c, Var x)>;

/// `q` is for the vampprior only; a model whose posterior is not a diagonal normal given x gives none, and the vampprior is then refused
/// with ConfigError. `condition`: the numbers of the context's condition, of a conditional model, and `bounds` of the log variances that its network gives.
std::unique_ptr<Prior> make_prior(const PriorConfig& config, Index latent_dim, const DataSpec& data, PosteriorOfX q,
                                  ad::Parameters p, Index condition = 0, const LogVarianceBounds& bounds = {});

}  // namespace vaezoo
