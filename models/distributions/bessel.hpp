#pragma once
// Modified Bessel functions of the first kind, in double, for orders up to thousands.

namespace vaezoo {

/// I_{v+1}(k) / I_v(k), v >= 0, k > 0: by its downward recurrence, which is stable.   Amos, "Computation of Modified Bessel Functions ...", 1974
double bessel_ratio(double v, double k);

/// log I_v(k), v >= 0, k > 0: from the uniform expansion at a large order (Abramowitz & Stegun 9.7.7) and ratios down to v.
double log_bessel_i(double v, double k);

}  // namespace vaezoo
