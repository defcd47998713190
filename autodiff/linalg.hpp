#pragma once
// Matrix products.
#include <string_view>

#include "autodiff/tape.hpp"

namespace ad {

enum class Activation { identity, relu, leaky_relu, elu, gelu, silu, softplus, tanh, sigmoid };

/// From its name in PyTorch's functional module ("relu", "tanh", "silu" ...; "identity" or "none"). Throws Error with the list
/// otherwise.
Activation activation_from_name(std::string_view name);
/// activation(x), elementwise; leaky_relu with slope 0.01, elu with alpha 1.
Var activate(Var x, Activation activation);

/// y = activation(x W^T + b), the bias and the activation applied while each block of the product is in cache.
///   x: [..., in]   weight: [out, in]   bias: [out], or an empty Var for none   returns: [..., out]
/// Throws ShapeError when the inner sizes differ.
Var linear(Var x, Var weight, Var bias = {}, Activation activation = Activation::identity);

/// C = op(A) op(B), op transposing the last two axes when asked.
///   a: [..., m, k]   b: [..., k, n]   returns: [..., m, n]. Leading axes broadcast; both need at least two axes.
Var matmul(Var a, Var b, bool transpose_a = false, bool transpose_b = false);

}  // namespace ad
