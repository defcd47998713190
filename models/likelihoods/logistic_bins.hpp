#pragma once
// A logistic distribution cut into equal steps over [0, 1]; the outer two take the tails, so that the probabilities of 0, 1/(bins-1), ..., 1
// sum to one.   Salimans et al., "PixelCNN++", ICLR 2017, eq. (2)
#include <algorithm>
#include <cmath>

#include "autodiff/map.hpp"

namespace vaezoo {

/// The decoder's raw scale, kept in (-7, 1) smoothly: from a quarter of a bin of 256 to wider than the data.
inline constexpr auto logistic_log_scale = [](auto raw) { return ad::Real(8) * ad::sigmoid(raw) - ad::Real(7); };

/// log P(v) of a value v on the steps, from the decoder's raw location and raw scale. With a and b the standardised upper and lower border:
/// log(S(a) - S(b)) = -softplus(-a) - softplus(b) + log(1 - e^(b-a)).
inline auto logistic_bin(ad::Index bins) {
  using ad::Real;
  const Real half = Real(0.5) / static_cast<Real>(bins - 1), edge = half / 2;
  return [half, edge](auto raw, auto raw_scale, auto v) {
    const auto r = exp(-logistic_log_scale(raw_scale)), d = v - ad::sigmoid(raw);
    const auto a = (d + half) * r, b = (d - half) * r;
    const auto inside = -ad::softplus(-a) - ad::softplus(b) + log(-expm1(Real(-2) * half * r));
    return select(v < decltype(v)(edge), -ad::softplus(-a), select(v > decltype(v)(1 - edge), -ad::softplus(b), inside));
  };
}

/// The value on the steps at which the distribution function has reached u, 0 < u < 1.
inline ad::Real logistic_bin_sample(ad::Real raw, ad::Real raw_scale, ad::Real u, ad::Index bins) {
  const double location = 1 / (1 + std::exp(-double(raw))), log_scale = 8 / (1 + std::exp(-double(raw_scale))) - 7, steps = double(bins - 1);
  const double x = location + std::exp(log_scale) * (std::log(double(u)) - std::log1p(-double(u)));
  return static_cast<ad::Real>(std::round(std::clamp(x, 0.0, 1.0) * steps) / steps);
}

}  // namespace vaezoo
