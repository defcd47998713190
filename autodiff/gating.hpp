#pragma once
// A unit that is multiplied by a gate between 0 and 1.
#include "autodiff/linalg.hpp"

namespace ad {

/// activation(a) sigmoid(b), a and b the first and the second half of the last axis (Dauphin et al. 2016; tanh: van den Oord
/// et al. 2016).
///   x: [..., 2 D]   returns: [..., D]. Throws ShapeError when the last size is odd, or for gelu or silu as the activation.
Var glu(Var x, Activation activation = Activation::identity);

}  // namespace ad
