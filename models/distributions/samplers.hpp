#pragma once
// Draws of single numbers, in double, from keyed noise.
#include "autodiff/random.hpp"

namespace vaezoo {

double uniform_number(ad::Key key);  ///< in (0, 1)
/// Gamma(shape, 1).   Marsaglia & Tsang, "A simple method for generating gamma variables", 2000
double gamma_number(double shape, ad::Key key);
double log_gamma_number(double shape, ad::Key key);  ///< its log, which does not underflow where the shape is small
/// Poisson(rate): by products of uniforms below 30, above by transformed rejection (Hormann 1993, PTRS).
double poisson_number(double rate, ad::Key key);

}  // namespace vaezoo
