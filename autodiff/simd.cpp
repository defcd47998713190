#include "autodiff/simd.hpp"

#include <limits>

namespace ad {
namespace {
constexpr Real kShift = 8;  // the series below are good to 1e-14 from 8 on with the terms taken
constexpr int kSteps = 8;   // any x > 0 is at least 8 after this many steps
constexpr Real kNaN = std::numeric_limits<Real>::quiet_NaN();
}  // namespace

Batch lgamma(const Batch& x) {
  Batch y = x, product(Real(1));
  for (int i = 0; i < kSteps; ++i) {
    const Mask small = y < Batch(kShift);
    product = select(small, product * y, product);
    y = select(small, y + Batch(Real(1)), y);
  }
  // log Gamma(y) = (y - 1/2) log y - y + log(2 pi)/2 + 1/(12 y) - 1/(360 y^3) + ...   (A&S 6.1.41)
  const Batch r = Batch(Real(1)) / y, r2 = r * r;
  const Batch series =
      r * (Real(1.0 / 12) - r2 * (Real(1.0 / 360) - r2 * (Real(1.0 / 1260) - r2 * (Real(1.0 / 1680) - r2 * (Real(1.0 / 1188) -
      r2 * (Real(691.0 / 360360) - r2 * Real(1.0 / 156)))))));
  const Batch result =
      (y - Real(0.5)) * xsimd::log(y) - y + Real(0.91893853320467274178) + series - xsimd::log(product);
  const Batch inf(std::numeric_limits<Real>::infinity());
  return select(x == inf, inf, select(x < Batch(Real(0)), Batch(kNaN), result));  // the formula is inf - inf there
}

Batch digamma(const Batch& x) {
  Batch y = x, shift(Real(0));
  for (int i = 0; i < kSteps; ++i) {
    const Mask small = y < Batch(kShift);
    shift = select(small, shift - Batch(Real(1)) / y, shift);
    y = select(small, y + Batch(Real(1)), y);
  }
  const Batch r = Batch(Real(1)) / y, r2 = r * r;
  const Batch series = r2 * (Real(1.0 / 12) - r2 * (Real(1.0 / 120) - r2 * (Real(1.0 / 252) - r2 * (Real(1.0 / 240) -
      r2 * (Real(1.0 / 132) - r2 * (Real(691.0 / 32760) - r2 * Real(1.0 / 12)))))));
  return select(x < Batch(Real(0)), Batch(kNaN), shift + xsimd::log(y) - Real(0.5) * r - series);
}

Batch trigamma(const Batch& x) {
  Batch y = x, shift(Real(0));
  for (int i = 0; i < kSteps; ++i) {
    const Mask small = y < Batch(kShift);
    shift = select(small, shift + Batch(Real(1)) / (y * y), shift);
    y = select(small, y + Batch(Real(1)), y);
  }
  const Batch r = Batch(Real(1)) / y, r2 = r * r;
  const Batch series = r * (Real(1) + r * Real(0.5) + r2 * (Real(1.0 / 6) - r2 * (Real(1.0 / 30) - r2 * (Real(1.0 / 42) -
      r2 * (Real(1.0 / 30) - r2 * (Real(5.0 / 66) - r2 * (Real(691.0 / 2730) - r2 * Real(7.0 / 6))))))));
  return select(x < Batch(Real(0)), Batch(kNaN), shift + series);
}

}  // namespace ad
