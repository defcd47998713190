#pragma once
// Feature-wise linear modulation: Perez et al., "FiLM: Visual Reasoning with a General Conditioning Layer", AAAI 2018, eq. (2).
#include "autodiff/layers.hpp"

namespace vaezoo {

/// y = (1 + gamma) x + beta for each feature (the last axis of x), gamma and beta linear in the context's condition [B, width].
///   x: [B, ..., features]   returns: the same shape. Starts as the identity.   Throws ShapeError without a condition.
class Film final : public ad::Layer {
 public:
  Film(const ad::Parameters& p, ad::Index width, ad::Index features);
  ad::Var operator()(const ad::Context& c, ad::Var x) const override;

 private:
  ad::Index features_;
  ad::Linear modulation_;  // gamma, then beta
};

}  // namespace vaezoo
