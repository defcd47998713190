#pragma once
// Laws of real codes other than the diagonal normal.
#include "models/distributions/normal.hpp"

namespace vaezoo {

/// N(mean, L L^T), L lower triangular with the diagonal e^log_diagonal; mean and log_diagonal [N, Z], the rest of L row by row,
/// [N, Z (Z - 1) / 2].
class FullNormal final : public Distribution {
 public:
  Var mean, log_diagonal, below;  ///< `below` is empty where Z = 1

  FullNormal(Var mean_, Var log_diagonal_, Var below_) : mean(mean_), log_diagonal(log_diagonal_), below(below_) {}
  Draw rsample(Key key) const override;
  Var log_prob(Var z) const override;
  Var center() const override { return mean; }
  const FullNormal& detached() const override;
};

/// Independent Laplace laws: log p(z) = -log 2 scale - |z - location| / scale; both [N, Z].
class Laplace final : public Distribution {
 public:
  Var location, log_scale;

  Laplace(Var location_, Var log_scale_) : location(location_), log_scale(log_scale_) {}
  Draw rsample(Key key) const override;
  Var log_prob(Var z) const override;
  Var center() const override { return location; }
  const Laplace& detached() const override;
};

/// Independent Student-t laws with the same degrees of freedom; both [N, Z].
class StudentT final : public Distribution {
 public:
  Var location, log_scale;
  double freedom;

  StudentT(Var location_, Var log_scale_, double freedom_) : location(location_), log_scale(log_scale_), freedom(freedom_) {}
  Draw rsample(Key key) const override;  ///< location + scale t, where t does not depend on the parameters
  Var log_prob(Var z) const override;
  Var center() const override { return location; }
  const StudentT& detached() const override;
};

Var kl(const FullNormal& q, const StandardNormal& p);      ///< [N]
Var kl_per_dimension(const Laplace& q, const Laplace& p);  ///< [N, Z]
Var kl(const Laplace& q, const Laplace& p);                ///< [N]

}  // namespace vaezoo
