#pragma once
// Distributions on the unit sphere of R^m, with densities relative to its surface.
#include "models/distributions/distribution.hpp"

namespace vaezoo {

/// log of the surface of the unit sphere in R^m: log 2 + (m / 2) log pi - log Gamma(m / 2).
double log_sphere_surface(Index m);

/// The uniform distribution, of `rows` rows.
class UniformSphere final : public Distribution {
 public:
  UniformSphere(Tape& tape, Index rows, Index m) : tape_(&tape), rows_(rows), m_(m) {}
  Draw rsample(Key key) const override;
  Var log_prob(Var z) const override;
  Var center() const override;  ///< e_1: it has no mean direction
  const Distribution& detached() const override { return *this; }

 private:
  Tape* tape_;
  Index rows_, m_;
};

/// von Mises-Fisher: log p(z) = log C_m(kappa) + kappa direction . z, with log C_m(kappa) = v log kappa - (m / 2) log 2 pi - log I_v(kappa) and
/// v = m / 2 - 1.   Davidson, Falorsi, De Cao, Kipf & Tomczak, "Hyperspherical Variational Auto-Encoders", UAI 2018, eq. (9)
class VonMisesFisher final : public Distribution {
 public:
  Var direction;      ///< [N, m], of length 1
  Var concentration;  ///< kappa > 0, [N]

  VonMisesFisher(Var direction_, Var concentration_) : direction(direction_), concentration(concentration_) {}
  /// By rejection (Wood 1994); the gradient to kappa is that of the implicit function F(w; kappa) = u, which the acceptance does not bias
  /// (Figurnov, Mohamed & Mnih 2018).
  Draw rsample(Key key) const override;
  Var log_prob(Var z) const override;
  Var center() const override { return direction; }
  const VonMisesFisher& detached() const override;
};

/// kappa A + log C_m(kappa) + log of the surface, with A = I_{v+1} / I_v, [N].
Var kl(const VonMisesFisher& q, const UniformSphere& p);

/// The power spherical law: log p(z) = log C_m(kappa) + kappa log(1 + direction . z), a von Mises-Fisher whose density, draws and entropy need no
/// Bessel functions.   De Cao & Aziz, "The Power Spherical distribution", 2020, eq. (1) to (5)
class PowerSpherical final : public Distribution {
 public:
  Var direction;      ///< [N, m], of length 1
  Var concentration;  ///< kappa > 0, [N]

  PowerSpherical(Var direction_, Var concentration_) : direction(direction_), concentration(concentration_) {}
  Draw rsample(Key key) const override;
  Var log_prob(Var z) const override;
  Var center() const override { return direction; }
  const PowerSpherical& detached() const override;
};

Var kl(const PowerSpherical& q, const UniformSphere& p);  ///< [N]

/// The derivative by kappa of w = direction . z at fixed F(w; kappa).
double von_mises_fisher_slope(Index m, double kappa, double w);

}  // namespace vaezoo
