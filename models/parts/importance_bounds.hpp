#pragma once
// Weighted draws z_k ~ q(z | x) for lower bounds on log p(x), and how a bound's gradient reaches the encoder.
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

/// log (1/n sum_i e^x_i) over the last axis, without overflow.
Var log_mean_exp(Var x);

/// For a bound log 1/K sum_k w_k whose weights have the rate weighed by beta, and w [.., K] its normalised weights: what dreg multiplies the
/// gradient of each draw with. The bound weighs draw k by w_k; its -beta log q costs the encoder -beta w_k times the score, which is by the
/// reparameterisation -beta (w_k - w_k^2) times the gradient through z_k, so that this gradient counts w_k (1 - beta + beta w_k).
Var dreg_factors(Var w, Real beta);

}  // namespace vaezoo
