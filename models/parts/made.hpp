#pragma once
// An autoregressive network.
//   Germain, Gregor, Murray & Larochelle, "MADE: Masked Autoencoder for Distribution Estimation", ICML 2015
#include <optional>
#include <vector>

#include "autodiff/layers.hpp"

namespace vaezoo {

using ad::Index;
using ad::Real;
using ad::Var;

/// A linear layer of which output i sees input j only if i's degree is above j's (strict), or not below it; and every output all
/// of the context.
class MaskedLinear {
 public:
  MaskedLinear(const ad::Parameters& p, const std::vector<Index>& in, const std::vector<Index>& out, bool strict, Index context);
  Var operator()(const ad::Context& c, Var x, Var context) const;
  ad::Linear& layer() { return layer_; }

 private:
  ad::Linear layer_;
  std::optional<ad::Linear> of_context_;
  std::vector<Real> mask_;
};

/// Two numbers for each dimension of z, [N, Z] -> [N, 2 Z]: those of dimension i depend on the dimensions before it, in their
/// order or the reverse one, and on a context of `context` numbers (0: none). Hidden layers with ELU.
class Made {
 public:
  Made(const ad::Parameters& p, Index dimensions, const std::vector<std::int64_t>& hidden, Index context, bool reversed);
  Var operator()(const ad::Context& c, Var z, Var context = {}) const;
  /// The last layer's weights become zeros: all numbers are 0 at first.
  void start_at_zero();

 private:
  std::vector<MaskedLinear> layers_;
};

}  // namespace vaezoo
