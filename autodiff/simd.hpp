#pragma once
// Batch: as many Reals as one register holds. The lambdas given to `map` are evaluated on batches (values) and
// on duals of batches (derivatives), so their maths functions must exist for both; those are listed here and in
// dual.hpp. The code is xsimd's where xsimd has it.
#include <array>
#include <cmath>
#include <xsimd/xsimd.hpp>

#include "autodiff/real.hpp"

namespace ad {

#if XSIMD_VERSION_MAJOR >= 8
using Batch = xsimd::batch<Real>;
#else
using Batch = xsimd::simd_type<Real>;
#endif
using Mask = typename Batch::batch_bool_type;
inline constexpr Index kLanes = static_cast<Index>(Batch::size);

inline Batch load(const Real* p) {
#if XSIMD_VERSION_MAJOR >= 8
  return Batch::load_unaligned(p);
#else
  return xsimd::load_unaligned(p);
#endif
}
inline void store(Real* p, const Batch& b) { b.store_unaligned(p); }

/// The first `count` lanes from p; the others repeat the last of them, so that they cannot raise anything new.
inline Batch load_part(const Real* p, Index count) {
  alignas(64) std::array<Real, static_cast<std::size_t>(kLanes)> lanes;
  for (Index i = 0; i < kLanes; ++i) lanes[static_cast<std::size_t>(i)] = p[i < count ? i : count - 1];
  return load(lanes.data());
}
inline void store_part(Real* p, const Batch& b, Index count) {
  alignas(64) std::array<Real, static_cast<std::size_t>(kLanes)> lanes;
  store(lanes.data(), b);
  for (Index i = 0; i < count; ++i) p[i] = lanes[static_cast<std::size_t>(i)];
}

/// Sum of the lanes in a fixed order (halves, quarters, ...), so that it is the same on every call.
inline Real sum_lanes(const Batch& b) {
  alignas(64) std::array<Real, static_cast<std::size_t>(kLanes)> v;
  store(v.data(), b);
  for (std::size_t half = v.size() / 2; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) v[i] += v[i + half];
  return v[0];
}

inline Batch select(const Mask& m, const Batch& a, const Batch& b) { return xsimd::select(m, a, b); }
inline Batch fmax(const Batch& a, const Batch& b) { return xsimd::max(a, b); }
inline Batch fmin(const Batch& a, const Batch& b) { return xsimd::min(a, b); }

/// The value part; of a Dual, the value without its derivatives. Lets a formula branch on, or freeze, a quantity.
inline const Batch& value_of(const Batch& x) { return x; }

// ---- functions that xsimd lacks or gets wrong ----------------------------------------------------------------

/// log |Gamma(x)| for x > 0. Stirling's series after shifting x above 8 by the recurrence Gamma(x + 1) = x Gamma(x):
/// xsimd's own lgamma is wrong below 2 for mixed lanes. Returns inf at 0; not for x < 0 (gives NaN).
Batch lgamma(const Batch& x);

/// d/dx log Gamma(x) for x > 0, by the same shift and its asymptotic series (Abramowitz & Stegun 6.3.18).
Batch digamma(const Batch& x);

/// d/dx digamma(x) for x > 0 (A&S 6.4.12); the derivative that digamma needs.
Batch trigamma(const Batch& x);

}  // namespace ad
