#pragma once
// Initial values of weights, with PyTorch's names, formulas and defaults.
#include <functional>
#include <span>

#include "autodiff/random.hpp"
#include "autodiff/shape.hpp"

namespace ad {

/// Fills `values` of a weight of this shape from the numbers that the key names.
using Initializer = std::function<void(Key key, const Shape& shape, std::span<Real> values)>;

}  // namespace ad

namespace ad::init {

/// Inputs and outputs that one unit is connected to. Weights are [out, in] or, for convolutions, [out, in, kernel...].
struct Fans {
  Index in, out;
};
Fans fans(const Shape& weight);

Initializer constant(Real value);
Initializer zeros();
Initializer ones();
Initializer uniform(Real low, Real high);
Initializer normal(Real mean, Real stddev);
Initializer truncated_normal(Real mean, Real stddev);  ///< cut at two standard deviations, as in TensorFlow and JAX
Initializer xavier_uniform(Real gain = 1);             ///< Glorot & Bengio 2010: U(-a, a), a = gain sqrt(6 / (in + out))
Initializer xavier_normal(Real gain = 1);
Initializer kaiming_uniform(Real gain = Real(1.4142135623730951));  ///< He et al. 2015: U(-b, b), b = gain sqrt(3 / in)
Initializer kaiming_normal(Real gain = Real(1.4142135623730951));
Initializer lecun_normal();
Initializer orthogonal(Real gain = 1);                 ///< Saxe et al. 2014
Initializer linear_default();                          ///< PyTorch's Linear and Conv: U(-1/sqrt(in), 1/sqrt(in))
Initializer bias_default(Index fan_in);                ///< U(-1/sqrt(fan_in), 1/sqrt(fan_in))

}  // namespace ad::init
