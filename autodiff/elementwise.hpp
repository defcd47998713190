#pragma once
// Elementwise ops. Each is a `map`: the formula is the whole op. Operators broadcast (visibly, by broadcast_to nodes);
// named ops of two tensors want equal shapes.
#include <span>

#include "autodiff/map.hpp"

namespace ad {

// ---- arithmetic; shapes broadcast as in NumPy
Var operator+(Var a, Var b);
Var operator-(Var a, Var b);
Var operator*(Var a, Var b);
Var operator/(Var a, Var b);
Var operator+(Var a, Real b);
Var operator-(Var a, Real b);
Var operator*(Var a, Real b);
Var operator/(Var a, Real b);
Var operator+(Real a, Var b);
Var operator-(Real a, Var b);
Var operator*(Real a, Var b);
Var operator/(Real a, Var b);
Var operator-(Var x);

// ---- functions, elementwise: any shape in, the same shape out
Var exp(Var x);
Var log(Var x);                            ///< x > 0
Var log1p(Var x);                          ///< log(1 + x), exact near 0
Var expm1(Var x);                          ///< e^x - 1, exact near 0
Var sqrt(Var x);                           ///< slope infinite at 0
Var square(Var x);
Var pow(Var x, Real exponent);             ///< x > 0, or any x when the exponent is an integer
Var pow(Var x, Var exponent);              ///< x > 0
Var abs(Var x);                            ///< slope 0 at 0
Var sin(Var x);
Var cos(Var x);
Var erf(Var x);
Var lgamma(Var x);                         ///< log Gamma(x), x > 0
Var digamma(Var x);                        ///< d/dx log Gamma(x), x > 0
Var tanh(Var x);
Var sigmoid(Var x);
Var softplus(Var x);                       ///< log(1 + e^x)
Var relu(Var x);                           ///< slope 0 at 0
Var leaky_relu(Var x, Real slope = Real(0.01));
Var elu(Var x, Real alpha = 1);
Var gelu(Var x);                           ///< the exact form, x Phi(x)
Var silu(Var x);                           ///< x sigmoid(x)
Var clamp(Var x, Real low, Real high);     ///< slope 1 inside and at the borders, 0 outside, as in PyTorch
Var maximum(Var a, Var b);                 ///< at a tie the gradient goes to a
Var minimum(Var a, Var b);

// ---- comparisons: 1 where true, 0 elsewhere; no gradient. Shapes broadcast.
Var greater(Var a, Var b);
Var less(Var a, Var b);
Var greater_equal(Var a, Var b);
Var less_equal(Var a, Var b);
Var equal(Var a, Var b);
Var greater(Var a, Real b);
Var less(Var a, Real b);

/// a where condition is not 0, b elsewhere. Shapes broadcast; no gradient to the condition.
Var select(Var condition, Var a, Var b);

/// The value of x without its history: the gradient stops here.
Var stop_gradient(Var x);

/// The value of `forward` with the gradient of `through`, equal shapes: how a rounding or a sampled one-hot is trained (Bengio et
/// al. 2013). No gradient to `forward`.
Var straight_through(Var forward, Var through);

/// The value of x; the gradient of its row r is multiplied by factors[r]. The factors are read in the backward pass and may be
/// filled in until then: they can depend on what is computed from x.   x: [B, ...]   factors: B numbers that outlive the pass.
Var scale_gradient(Var x, std::span<const Real> factors);

}  // namespace ad
