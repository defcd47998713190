#pragma once
// Batch: as many Reals as one register holds. The lambdas given to `map` are evaluated on batches (values) and
// on duals of batches (derivatives), so their maths functions must exist for both; those are listed here and in
// dual.hpp. The code is xsimd's where xsimd has it.
#include <array>
#include <cmath>
#include <limits>

#if defined(__AVX512BW__) && !defined(__OPTIMIZE__) && defined(__GNUC__) && !defined(__clang__)
// Without optimisation g++ has these two as macros, and their casts cannot take the batches that xsimd 8 gives them.
#include <immintrin.h>
#undef _mm512_mask_blend_epi8
#undef _mm512_mask_blend_epi16
inline __m512i _mm512_mask_blend_epi8(__mmask64 mask, __m512i a, __m512i b) { return _mm512_mask_mov_epi8(a, mask, b); }
inline __m512i _mm512_mask_blend_epi16(__mmask32 mask, __m512i a, __m512i b) { return _mm512_mask_mov_epi16(a, mask, b); }
#endif
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
#if defined(__AVX512F__) && XSIMD_VERSION_MAJOR >= 8
  const auto wanted = (1u << count) - 1;
#ifdef VAEZOO_DOUBLE
  return Batch(_mm512_mask_loadu_pd(_mm512_set1_pd(p[count - 1]), static_cast<__mmask8>(wanted), p));
#else
  return Batch(_mm512_mask_loadu_ps(_mm512_set1_ps(p[count - 1]), static_cast<__mmask16>(wanted), p));
#endif
#else
  alignas(64) std::array<Real, static_cast<std::size_t>(kLanes)> lanes;
  for (Index i = 0; i < kLanes; ++i) lanes[static_cast<std::size_t>(i)] = p[i < count ? i : count - 1];
  return load(lanes.data());
#endif
}
inline void store_part(Real* p, const Batch& b, Index count) {
#if defined(__AVX512F__) && XSIMD_VERSION_MAJOR >= 8
  const auto wanted = (1u << count) - 1;
#ifdef VAEZOO_DOUBLE
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>(wanted), b);
#else
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>(wanted), b);
#endif
#else
  alignas(64) std::array<Real, static_cast<std::size_t>(kLanes)> lanes;
  store(lanes.data(), b);
  for (Index i = 0; i < count; ++i) p[i] = lanes[static_cast<std::size_t>(i)];
#endif
}

/// True in the first `count` lanes.
inline Mask first_lanes(Index count) {
  alignas(64) static constexpr auto kNumbers = [] {
    std::array<Real, static_cast<std::size_t>(kLanes)> n{};
    for (std::size_t i = 0; i < n.size(); ++i) n[i] = static_cast<Real>(i);
    return n;
  }();
  return load(kNumbers.data()) < Batch(static_cast<Real>(count));
}

/// op over the lanes in a fixed order (halves, quarters, ...), so that it is the same on every call.
template <class Op>
Real reduce_lanes(Op op, const Batch& b) {
  alignas(64) std::array<Real, static_cast<std::size_t>(kLanes)> v;
  store(v.data(), b);
  for (std::size_t half = v.size() / 2; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) v[i] = op(v[i], v[i + half]);
  return v[0];
}
inline Real sum_lanes(const Batch& b) {
  return reduce_lanes([](Real x, Real y) { return x + y; }, b);
}

inline Batch select(const Mask& m, const Batch& a, const Batch& b) { return xsimd::select(m, a, b); }
// A NaN on either side is the result, as in PyTorch: it must not get lost before the check for non-finite numbers.
// (xsimd 8's a != a is false for a NaN under AVX-512: never test for one that way.)
inline Batch fmax(const Batch& a, const Batch& b) { return xsimd::select((a >= b) || xsimd::isnan(a), a, b); }
inline Batch fmin(const Batch& a, const Batch& b) { return xsimd::select((a <= b) || xsimd::isnan(a), a, b); }

/// The value part; of a Dual, the value without its derivatives. Lets a formula branch on, or freeze, a quantity.
inline const Batch& value_of(const Batch& x) { return x; }
/// x with another value; a Dual keeps its derivatives.
inline Batch with_value(const Batch&, const Batch& value) { return value; }

// ---- functions that xsimd lacks or gets wrong ----------------------------------------------------------------

/// x^y for x >= 0, and for x < 0 when y is an integer. xsimd's own gives 0 for 0^0 and 0^-1.
inline Batch pow(const Batch& x, const Batch& y) {
  const Batch zero(Real(0)), one(Real(1)), inf(std::numeric_limits<Real>::infinity());
  const Batch of_zero = xsimd::select(y < zero, inf, zero);
  return xsimd::select(y == zero, one, xsimd::select(x == zero, of_zero, xsimd::pow(x, y)));
}

/// log |Gamma(x)| for x > 0. Stirling's series after shifting x above 8 by the recurrence Gamma(x + 1) = x Gamma(x):
/// xsimd's own lgamma is wrong below 2 for mixed lanes. Returns inf at 0; not for x < 0 (gives NaN).
Batch lgamma(const Batch& x);

/// d/dx log Gamma(x) for x > 0, by the same shift and its asymptotic series (Abramowitz & Stegun 6.3.18).
Batch digamma(const Batch& x);

/// d/dx digamma(x) for x > 0 (A&S 6.4.12); the derivative that digamma needs.
Batch trigamma(const Batch& x);

}  // namespace ad
