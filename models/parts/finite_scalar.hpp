#pragma once
// Finite scalar quantisation: each number of a vector is bounded and rounded to one of L levels (Mentzer et al., "Finite Scalar
// Quantization: VQ-VAE Made Simple", ICLR 2024).
#include <span>
#include <vector>

#include "autodiff/tape.hpp"

namespace vaezoo {

using ad::Index;
using ad::Real;
using ad::Var;

/// A fixed grid of L_1 x ... x L_d codes.
class FiniteScalar {
 public:
  explicit FiniteScalar(const std::vector<std::int64_t>& levels);

  /// z [N, d], each number brought into the range that rounds to L levels (appendix A.1 of the paper):
  ///   h = (L - 1)(1 - 0.001) / 2,   o = 1/2 for an even L and 0 for an odd one,   b(z) = tanh(z + tan(o / h)) h - o
  Var bound(Var z) const;
  /// round(b(z)) / floor(L / 2), in [-1, 1]; its gradient is that of b(z) / floor(L / 2) (straight-through). [N, d]
  Var operator()(Var z) const;

  /// Of vectors on the grid [N, d]: their codes, sum_i (level of number i) L_1 ... L_(i-1). Lives in the tape.
  std::span<const Index> codes(Var on_grid) const;
  /// The inverse, [N, d].
  Var embed(ad::Tape& tape, std::span<const Index> codes) const;

  Index width() const { return static_cast<Index>(levels_.size()); }
  Index codes() const { return codes_; }

 private:
  std::vector<Index> levels_;
  Index codes_ = 1;
  std::vector<Real> half_, offset_, shift_, inverse_half_width_;  // [d]: h, o, tan(o / h), 1 / floor(L / 2)
};

}  // namespace vaezoo
