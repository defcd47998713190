#pragma once
// What the layers share.
#include "autodiff/layers.hpp"

namespace ad::detail {

/// size, when it is positive; throws ShapeError naming the layer and its place otherwise.
inline Index checked(Index size, const Parameters& p, const char* layer, const char* what) {
  AD_CHECK(size > 0, layer, cat(p.prefix(), ": ", what, " must be positive, got ", size));
  return size;
}

/// An empty Var for a parameter that a layer does without.
inline Var on_tape(const Context& context, Parameter* p) { return p == nullptr ? Var() : context.tape.parameter(*p); }

/// "bias" of as many numbers as the options ask for: none, initial_bias or PyTorch's.
template <class Options>
Parameter* add_bias(const Parameters& p, Index count, Index fan_in, const Options& options) {
  if (!options.bias) return nullptr;
  return &p.add("bias", {count}, options.initial_bias ? options.initial_bias : init::bias_default(fan_in));
}

}  // namespace ad::detail
