#pragma once
// The Poincare ball of curvature -c: points z with |z| < 1 / sqrt c, at z stretched by lambda_z = 2 / (1 - c |z|^2). Densities
// are relative to the ball's own measure lambda_z^Z dz.
//   Mathieu, Le Lan, Maddison, Tomioka & Teh, "Continuous Hierarchical Representations with Poincare Variational Auto-Encoders",
//   NeurIPS 2019
#include "models/distributions/distribution.hpp"

namespace vaezoo {

/// x (+) y of rows, [N, Z] (eq. 3).
Var mobius_add(Var x, Var y, Real curvature);
/// The point to which the tangent v [N, Z] leads from the centre: tanh(sqrt c |v|) v / (sqrt c |v|).
Var exp_from_centre(Var v, Real curvature);

/// The wrapped normal: u ~ N(0, diag e^2 log_scale), carried from the centre to the mean and along the geodesic there (eq. 10):
/// log p(z) = log N(u; 0, diag) - (Z - 1) log (sinh(sqrt c r) / (sqrt c r)), r = |u| the distance of z from the mean.
class WrappedNormal final : public Distribution {
 public:
  Var mean, log_scale;  ///< [N, Z]; the mean in the ball
  Real curvature;

  WrappedNormal(Var mean_, Var log_scale_, Real curvature_) : mean(mean_), log_scale(log_scale_), curvature(curvature_) {}
  Draw rsample(Key key) const override;
  Var log_prob(Var z) const override;
  Var center() const override { return mean; }
  const WrappedNormal& detached() const override;

 private:
  Var log_prob_of_tangent(Var u) const;
};

}  // namespace vaezoo
