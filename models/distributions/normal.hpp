#pragma once
// Normal distributions, each formula written once. Densities and divergences are in nats, summed over the dimensions of one row.
#include "models/distributions/distribution.hpp"

namespace vaezoo {

/// N(0, I), of `rows` rows of `dimensions` numbers.
class StandardNormal final : public Distribution {
 public:
  StandardNormal(Tape& tape, Index rows, Index dimensions) : tape_(&tape), rows_(rows), dimensions_(dimensions) {}
  Draw rsample(Key key) const override;
  Var log_prob(Var z) const override;
  Var center() const override;
  const Distribution& detached() const override { return *this; }

 private:
  Tape* tape_;
  Index rows_, dimensions_;
};

/// N(mean, diag exp(log_variance)); both [N, Z].
class DiagonalNormal final : public Distribution {
 public:
  Var mean, log_variance;

  DiagonalNormal() = default;
  DiagonalNormal(Var mean_, Var log_variance_) : mean(mean_), log_variance(log_variance_) {}
  Draw rsample(Key key) const override;  ///< mean + sigma eps, eps ~ N(0, I)
  Var log_prob(Var z) const override;
  Var center() const override { return mean; }
  const DiagonalNormal& detached() const override;
  Var entropy() const;  ///< [N]
};

/// The normal whose means, then log variances, are the halves of a head's numbers h [N, 2 Z].
DiagonalNormal normal_of(Var h);

/// The normalised product of two normals: precisions add up, means are weighted by them.
DiagonalNormal product(const DiagonalNormal& a, const DiagonalNormal& b);

/// Each row `samples` times, neighbouring: [B, Z] -> [B samples, Z].
DiagonalNormal repeat_rows(const DiagonalNormal& q, Index samples);

/// log_weight_k + log N(z_n; mean_k, diag variance_k) of each of N codes and K normals: [N, Z] and [K, Z] in, [N, K] out, with nothing of
/// size N K Z in between.   log_weight: [K]
Var log_prob_table(Var z, const DiagonalNormal& components, Var log_weight);

/// KL(q || N(0, I)) of each dimension, [N, Z]: (mean^2 + variance - 1 - log variance) / 2.   Kingma & Welling 2014, appendix B
Var kl_per_dimension(const DiagonalNormal& q, const StandardNormal& p);
/// KL(q || p) of each dimension, [N, Z].
Var kl_per_dimension(const DiagonalNormal& q, const DiagonalNormal& p);
/// Its sum over dimensions, [N].
Var kl(const DiagonalNormal& q, const StandardNormal& p);
Var kl(const DiagonalNormal& q, const DiagonalNormal& p);

}  // namespace vaezoo
