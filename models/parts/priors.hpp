#pragma once
// Priors p(z) that a model can choose in JSON: "prior": "standard_normal" or {"name": "vampprior", "components": 500}.
//   standard_normal  N(0, I)
//   mixture          sum_k w_k N(mean_k, diag variance_k), all trained
//   vampprior        mean_k q(z | u_k), the pseudo-inputs u_k trained       (Tomczak & Welling, "VAE with a VampPrior", AISTATS 2018, eq. 9)
//   conditional      N(mean(y), diag variance(y)) of what a conditional model is told, which the context has
#include <functional>
#include <memory>
#include <string>
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

/// p(z), z of `latent_dim` numbers. Densities in nats.
class Prior {
 public:
  virtual ~Prior() = default;

  virtual Var log_prob(const Context& c, Var z) const = 0;      ///< [N, Z] -> [N]
  virtual Var sample(const Context& c, Index count) const = 0;  ///< [count, Z], drawn with c.key; no gradient

  /// KL(q || p) of each dimension, [B, Z]; empty where it does not fall into dimensions in closed form.
  virtual Var kl_per_dimension(const Context& c, const DiagonalNormal& q) const;
  /// KL(q || p), [B]: in closed form where there is one, else log q(z) - log p(z), its unbiased estimate from one z ~ q.
  virtual Var kl(const Context& c, const DiagonalNormal& q, Var z) const;
  virtual bool closed_form_kl() const { return false; }

  /// What Model's functions of the same names pass on: training examples [n, D] that it starts from.
  virtual Index initial_examples() const { return 0; }
  virtual void initialize(const Context& c, Var x);

  /// "standard normal prior", for Model::describe().
  virtual std::string describe() const = 0;
};

/// x [N, D] -> q(z | x), of the level of the code that the prior is for. It must live as long as the prior.
using Posterior = std::function<DiagonalNormal(const Context& c, Var x)>;

/// `q` is asked by the vampprior alone; a model whose posterior is not a function of x alone gives none, and the vampprior is then
/// refused with ConfigError. `condition`: the numbers of the context's condition, of a conditional model, and `bounds` of the log variances that its network gives.
std::unique_ptr<Prior> make_prior(const PriorConfig& config, Index latent_dim, const DataSpec& data, Posterior q,
                                  ad::Parameters p, Index condition = 0, const LogVarianceBounds& bounds = {});

}  // namespace vaezoo
