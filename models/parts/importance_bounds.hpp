#pragma once
// Lower bounds on log p(x) from weighted draws z_k ~ q(z | x), and how their gradient reaches the encoder.
#include <span>
#include <string>

#include "config/fields.hpp"
#include "models/model.hpp"
#include "models/posteriors/posterior.hpp"

namespace vaezoo {

/// The gradient of a bound for the parameters of q. All three have the same expectation but for the bound's own weights:
///   standard  of the bound as it is, log q(z | x) included
///   stl       log q's own dependence on its parameters is left out, which is a score of mean zero for one draw; what is left goes
///             through z. No noise remains where q is the posterior.       (Roeder, Wu & Duvenaud, "Sticking the Landing", NeurIPS 2017)
///             With several draws it is biased, as their weights are.
///   dreg      the same through z, with squared normalised weights: unbiased, and its signal does not drown in noise as the number of
///             draws grows.   (Tucker et al., "Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives", ICLR 2019, eq. 8)
/// For one draw dreg is stl.
struct Estimator {
  std::string name = "standard";

  void visit(Fields& f);
  bool through_z_alone() const { return name != "standard"; }
  bool doubly_reparameterized() const { return name == "dreg"; }
};

/// K draws of z ~ q for each example.
struct Draws {
  Var z;        ///< [B K, Z], those of an example neighbours
  Var log_q_z;  ///< log q(z_k | x), [B K] in nats; constant in q's parameters where the estimator goes only through z
  Index samples;
  std::span<Real> encoder_factors;  ///< [B K]: multiply the gradient that draw k sends to the encoder; 1 at first
};

/// [rows] factors of 1, for ad::scale_gradient: they may be set until the tape runs backward.
std::span<Real> unit_factors(Tape& tape, Index rows);

/// Draws with c.key from the q(z | x) of the encoder's numbers, [B, q.inputs()].
Draws draw(const Context& c, const Posterior& q, Var head, Index samples, const Estimator& estimator);

/// Draws and what their weights are made of; each [B, K] in nats.
struct ImportanceSamples {
  /// log p(x | z) and log p(z) of each draw, [B K].
  ImportanceSamples(const Draws& draws, Var log_p_x_given_z, Var log_p_of_z);

  Var log_p_x;  ///< log p(x | z_k)
  Var log_p_z;  ///< log p(z_k)
  Var log_q_z;  ///< log q(z_k | x)
  Var log_w;    ///< log p(x, z_k) - log q(z_k | x)
  std::span<Real> encoder_factors;  ///< the draws'

  /// `factors` of any shape with B K elements in the order of the draws; their values count.
  void scale_encoder_gradient(Var factors) const;
};

/// log (1/n sum_i e^x_i) over the last axis, without overflow.
Var log_mean_exp(Var x);

/// The objective -bound, reported with the means of log p(x | z) and log q(z | x) - log p(z).
Objective importance_objective(Var bound, const ImportanceSamples& draws);

}  // namespace vaezoo
