#pragma once
#include "models/distributions/normal.hpp"

namespace vaezoo {

/// sum_k w_k N(mean_k, diag variance_k), of `rows` rows. Its draws are constants.
class Mixture final : public Distribution {
 public:
  /// components: K rows; log_weight: log w, [K].
  Mixture(const DiagonalNormal& components, Var log_weight, Index rows)
      : components_(components), log_weight_(log_weight), rows_(rows) {}
  Draw rsample(Key key) const override;
  Var log_prob(Var z) const override;
  Var center() const override;
  const Mixture& detached() const override;

 private:
  DiagonalNormal components_;
  Var log_weight_;
  Index rows_;
};

}  // namespace vaezoo
