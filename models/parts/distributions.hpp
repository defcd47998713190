#pragma once
// Distributions over latent codes, each written once. Densities and divergences are in nats, summed over the
// dimensions of one example: [B, Z] in, [B] out.
#include "autodiff/random.hpp"
#include "autodiff/tape.hpp"

namespace vaezoo {

using ad::Index;
using ad::Key;
using ad::Real;
using ad::Tape;
using ad::Var;

/// N(0, I).
struct StandardNormal {
  Var log_prob(Var z) const;                              ///< [B, Z] -> [B]
  Var sample(Tape& tape, Index count, Index dimensions, Key key) const;  ///< [count, dimensions]
};

/// N(mean, diag exp(log_variance)); both [B, Z].
struct DiagonalNormal {
  Var mean, log_variance;

  Var rsample(Key key) const;    ///< z = mean + sigma * eps, eps ~ N(0, I): the gradient reaches mean and variance
  Var log_prob(Var z) const;     ///< [B]
  Var entropy() const;           ///< [B]
  DiagonalNormal detached() const;  ///< the same numbers, constant for the gradient
};

/// The normal whose means, then log variances, are the halves of a head's numbers h [B, 2 Z].
DiagonalNormal normal_of(Var h);

/// Each row `samples` times, neighbouring: [B, Z] -> [B samples, Z].
DiagonalNormal repeat_rows(const DiagonalNormal& q, Index samples);

/// Of each of N codes under each of K normals: log_weight_k + log N(z_n; mean_k, diag variance_k), [N, Z] and [K, Z] in, [N, K]
/// out, with nothing of size N K Z in between.   log_weight: [K]
Var log_prob_table(Var z, const DiagonalNormal& components, Var log_weight);

/// KL(q || N(0, I)) of each dimension, [B, Z]: (mean^2 + variance - 1 - log variance) / 2.   Kingma & Welling 2014, appendix B
Var kl_per_dimension(const DiagonalNormal& q, StandardNormal p);
/// KL(q || p) of each dimension, [B, Z].
Var kl_per_dimension(const DiagonalNormal& q, const DiagonalNormal& p);
/// Its sum over dimensions, [B].
Var kl(const DiagonalNormal& q, StandardNormal p);
/// KL between two diagonal normals, [B].
Var kl(const DiagonalNormal& q, const DiagonalNormal& p);

}  // namespace vaezoo
