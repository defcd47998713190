#include "models/distributions/bessel.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vaezoo {

double bessel_ratio(double v, double k) {
  // Errors shrink by the square of the ratio at each order, which below k is close to 1: so the start lies above k, or so high that it is exact.
  const int orders = 40 + static_cast<int>(std::min(k, 20'000.0));
  const double top = v + orders;
  double ratio = k / (top + 0.5 + std::hypot(top + 1.5, k));
  for (int i = orders; i > 0; --i) ratio = 1 / (2 * (v + i) / k + ratio);
  return ratio;
}

double log_bessel_i(double v, double k) {
  constexpr double kLarge = 40;
  const int up = v < kLarge ? static_cast<int>(std::ceil(kLarge - v)) : 0;
  const double n = v + up, s = std::hypot(n, k), t = n / s, t2 = t * t;
  const double u1 = t * (3 - 5 * t2) / 24, u2 = t2 * (81 - 462 * t2 + 385 * t2 * t2) / 1152,
               u3 = t * t2 * (30375 - 369603 * t2 + 765765 * t2 * t2 - 425425 * t2 * t2 * t2) / 414720;
  double log_i = s + n * std::log(k / (n + s)) - 0.5 * std::log(2 * std::numbers::pi * s) + std::log1p(u1 / n + u2 / (n * n) + u3 / (n * n * n));
  double ratio = up > 0 ? bessel_ratio(n, k) : 0;
  for (int i = up; i > 0; --i) {  // log I_{m-1} = log I_m - log(I_m / I_{m-1})
    ratio = 1 / (2 * (v + i) / k + ratio);
    log_i -= std::log(ratio);
  }
  return log_i;
}

}  // namespace vaezoo
