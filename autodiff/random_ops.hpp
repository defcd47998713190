#pragma once
// Random tensors on a tape: each a pure function of its key (random.hpp), a constant for the gradient.
#include "autodiff/random.hpp"
#include "autodiff/tape.hpp"

namespace ad {

Var normal(Tape& tape, const Shape& shape, Key key);                               ///< standard normal numbers
Var uniform(Tape& tape, const Shape& shape, Key key, Real low = 0, Real high = 1); ///< in [low, high)
/// 1 with probability p_i, else 0, for p_i in [0, 1]; the shape of `probability`, to which no gradient flows.
Var bernoulli(Var probability, Key key);

/// Inverted dropout (Srivastava et al. 2014): an element is 0 with probability p and x / (1 - p) otherwise; x itself when not
/// training. Throws ShapeError unless p is in [0, 1].
Var dropout(Var x, Real p, Key key, bool training);

}  // namespace ad
