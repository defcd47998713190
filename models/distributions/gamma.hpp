#pragma once
// Gamma, beta and Dirichlet laws. Their draws are functions of the parameters that are known only through the distribution
// function F, so their gradients are those of the implicit function F(z; a) = u.
//   Figurnov, Mohamed & Mnih, "Implicit Reparameterization Gradients", NeurIPS 2018, eq. (6)
#include "models/distributions/distribution.hpp"

namespace vaezoo {

/// log z of z ~ Gamma(shape, 1), of any shape > 0; with the implicit gradient.
Var log_gamma_draw(Var shape, Key key);
/// The derivative by `shape` of log z at a fixed F(z; shape), where log z = log_z.
double log_gamma_slope(double shape, double log_z);

/// Independent gammas: log p(z) = shape log rate - log Gamma(shape) + (shape - 1) log z - rate z; both [N, Z].
class Gamma final : public Distribution {
 public:
  Var shape, rate;

  Gamma(Var shape_, Var rate_) : shape(shape_), rate(rate_) {}
  Draw rsample(Key key) const override;
  Var log_prob(Var z) const override;
  Var center() const override;  ///< the mean
  const Gamma& detached() const override;
};

/// Independent betas, of z in (0, 1); both [N, Z].
class Beta final : public Distribution {
 public:
  Var a, b;

  Beta(Var a_, Var b_) : a(a_), b(b_) {}
  Draw rsample(Key key) const override;
  Var log_prob(Var z) const override;
  Var center() const override;  ///< the mean
  const Beta& detached() const override;
};

/// Of rows of Z probabilities; concentration [N, Z].
class Dirichlet final : public Distribution {
 public:
  Var concentration;

  explicit Dirichlet(Var concentration_) : concentration(concentration_) {}
  Draw rsample(Key key) const override;
  Var log_prob(Var z) const override;
  Var center() const override;  ///< the mean
  const Dirichlet& detached() const override;
};

Var kl_per_dimension(const Gamma& q, const Gamma& p);  ///< [N, Z]
Var kl(const Gamma& q, const Gamma& p);                ///< [N]
Var kl_per_dimension(const Beta& q, const Beta& p);    ///< [N, Z]
Var kl(const Beta& q, const Beta& p);                  ///< [N]
Var kl(const Dirichlet& q, const Dirichlet& p);        ///< [N]

}  // namespace vaezoo
