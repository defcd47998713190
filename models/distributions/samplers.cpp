#include "models/distributions/samplers.hpp"

#include <algorithm>
#include <cmath>

namespace vaezoo {

using ad::Key;
using ad::Real;

double uniform_number(Key key) {
  Real u = 0;
  ad::fill_uniform(key, std::span<Real>(&u, 1));
  return std::clamp(double(u), 1e-9, 1 - 1e-9);
}

double gamma_number(double shape, Key key) {
  if (shape < 1) return gamma_number(shape + 1, key.fold("above one")) * std::pow(uniform_number(key), 1 / shape);
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (std::uint64_t attempt = 0;; ++attempt) {
    const Key once = key.fold(attempt);
    Real x = 0;
    ad::fill_normal(once.fold("normal"), std::span<Real>(&x, 1));
    const double v = std::pow(1 + c * double(x), 3);
    if (v > 0 && std::log(uniform_number(once.fold("uniform"))) < 0.5 * double(x) * double(x) + d - d * v + d * std::log(v)) return d * v;
  }
}

double log_gamma_number(double shape, Key key) {
  if (shape < 1) return log_gamma_number(shape + 1, key.fold("above one")) + std::log(uniform_number(key)) / shape;
  return std::log(gamma_number(shape, key));
}

double poisson_number(double rate, Key key) {
  std::uint64_t count = 0;
  const auto uniform = [&] { return uniform_number(key.fold(count++)); };
  if (rate < 30) {
    double k = 0, product = uniform();
    for (const double limit = std::exp(-rate); product > limit; ++k) product *= uniform();
    return k;
  }
  const double b = 0.931 + 2.53 * std::sqrt(rate), a = -0.059 + 0.02483 * b, r = 0.9277 - 3.6224 / (b - 2), inverse = 1.1239 + 1.1328 / (b - 3.4);
  while (true) {
    const double u = uniform() - 0.5, v = uniform(), us = 0.5 - std::abs(u), k = std::floor((2 * a / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= r) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (std::log(v * inverse / (a / (us * us) + b)) <= k * std::log(rate) - rate - std::lgamma(k + 1)) return k;
  }
}

}  // namespace vaezoo
