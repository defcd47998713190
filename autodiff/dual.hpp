#pragma once
// Dual numbers: a value and its partial derivatives with respect to N inputs, carried along by the chain rule
//   f(v + sum_i d_i e_i) = f(v) + f'(v) sum_i d_i e_i,   e_i e_j = 0.
// Evaluating a generic lambda on duals gives the derivative of its formula with no pullback written by hand.
#include <array>
#include <cmath>
#include <concepts>

#include "autodiff/simd.hpp"

namespace ad {

template <int N>
struct Dual {
  Batch v;
  std::array<Batch, N> d;

  Dual() = default;
  Dual(const Batch& value) : v(value) { d.fill(Batch(Real(0))); }  // NOLINT: a constant has no derivative
  template <class T>
    requires std::is_arithmetic_v<T>
  Dual(T value) : Dual(Batch(static_cast<Real>(value))) {}  // NOLINT

  /// The i-th input itself: its derivative is the i-th unit vector.
  static Dual input(const Batch& value, int i) {
    Dual x(value);
    x.d[static_cast<std::size_t>(i)] = Batch(Real(1));
    return x;
  }

  /// f(x) from the value f and the slope f'.
  static Dual chain(const Dual& x, const Batch& f, const Batch& slope) {
    Dual y;
    y.v = f;
    for (std::size_t i = 0; i < N; ++i) y.d[i] = x.d[i] * slope;
    return y;
  }
  /// f(x, y) from the value and both partial slopes.
  static Dual chain(const Dual& a, const Dual& b, const Batch& f, const Batch& fa, const Batch& fb) {
    Dual y;
    y.v = f;
    for (std::size_t i = 0; i < N; ++i) y.d[i] = a.d[i] * fa + b.d[i] * fb;
    return y;
  }

  friend Dual operator+(const Dual& a, const Dual& b) {
    Dual y;
    y.v = a.v + b.v;
    for (std::size_t i = 0; i < N; ++i) y.d[i] = a.d[i] + b.d[i];
    return y;
  }
  friend Dual operator-(const Dual& a, const Dual& b) {
    Dual y;
    y.v = a.v - b.v;
    for (std::size_t i = 0; i < N; ++i) y.d[i] = a.d[i] - b.d[i];
    return y;
  }
  friend Dual operator-(const Dual& a) { return chain(a, -a.v, Batch(Real(-1))); }
  friend Dual operator*(const Dual& a, const Dual& b) { return chain(a, b, a.v * b.v, b.v, a.v); }
  friend Dual operator/(const Dual& a, const Dual& b) {
    const Batch r = Batch(Real(1)) / b.v, q = a.v * r;
    return chain(a, b, a.v / b.v, r, -q * r);
  }
  Dual& operator+=(const Dual& b) { return *this = *this + b; }
  Dual& operator-=(const Dual& b) { return *this = *this - b; }
  Dual& operator*=(const Dual& b) { return *this = *this * b; }
  Dual& operator/=(const Dual& b) { return *this = *this / b; }

  // Comparisons look at the values.
  friend Mask operator<(const Dual& a, const Dual& b) { return a.v < b.v; }
  friend Mask operator>(const Dual& a, const Dual& b) { return a.v > b.v; }
  friend Mask operator<=(const Dual& a, const Dual& b) { return a.v <= b.v; }
  friend Mask operator>=(const Dual& a, const Dual& b) { return a.v >= b.v; }
  friend Mask operator==(const Dual& a, const Dual& b) { return a.v == b.v; }
  friend Mask operator!=(const Dual& a, const Dual& b) { return !(a.v == b.v); }

  /// a where m holds, b elsewhere. Both are evaluated: keep each finite where it is not chosen, or 0 * inf spoils the sum.
  friend Dual select(const Mask& m, const Dual& a, const Dual& b) {
    Dual y;
    y.v = xsimd::select(m, a.v, b.v);
    for (std::size_t i = 0; i < N; ++i) y.d[i] = xsimd::select(m, a.d[i], b.d[i]);
    return y;
  }
  /// The larger; at a tie the first one's derivative; NaN when either is.
  friend Dual fmax(const Dual& a, const Dual& b) { return select((a.v >= b.v) || xsimd::isnan(a.v), a, b); }
  friend Dual fmin(const Dual& a, const Dual& b) { return select((a.v <= b.v) || xsimd::isnan(a.v), a, b); }

  friend Dual exp(const Dual& x) {
    const Batch e = xsimd::exp(x.v);
    return chain(x, e, e);
  }
  friend Dual log(const Dual& x) { return chain(x, xsimd::log(x.v), Batch(Real(1)) / x.v); }
  friend Dual log1p(const Dual& x) { return chain(x, xsimd::log1p(x.v), Batch(Real(1)) / (Batch(Real(1)) + x.v)); }
  friend Dual expm1(const Dual& x) { return chain(x, xsimd::expm1(x.v), xsimd::exp(x.v)); }
  friend Dual sqrt(const Dual& x) {
    const Batch s = xsimd::sqrt(x.v);
    return chain(x, s, Batch(Real(0.5)) / s);
  }
  friend Dual sin(const Dual& x) { return chain(x, xsimd::sin(x.v), xsimd::cos(x.v)); }
  friend Dual cos(const Dual& x) { return chain(x, xsimd::cos(x.v), -xsimd::sin(x.v)); }
  friend Dual tanh(const Dual& x) {
    const Batch t = xsimd::tanh(x.v);
    return chain(x, t, Batch(Real(1)) - t * t);
  }
  friend Dual erf(const Dual& x) {  // 2/sqrt(pi) e^{-x^2}
    return chain(x, xsimd::erf(x.v), Real(1.12837916709551257390) * xsimd::exp(-x.v * x.v));
  }
  friend Dual abs(const Dual& x) {  // slope 0 at 0
    const Batch zero(Real(0)), one(Real(1));
    return chain(x, xsimd::abs(x.v), xsimd::select(x.v > zero, one, xsimd::select(x.v < zero, -one, zero)));
  }
  friend Dual lgamma(const Dual& x) { return chain(x, ad::lgamma(x.v), ad::digamma(x.v)); }
  friend Dual digamma(const Dual& x) { return chain(x, ad::digamma(x.v), ad::trigamma(x.v)); }
  /// x^y; the derivative with respect to y is for x > 0 (0 is taken at x <= 0).
  friend Dual pow(const Dual& x, const Dual& y) {
    const Batch p = ad::pow(x.v, y.v);
    const Batch zero(Real(0));
    const Batch log_x = xsimd::select(x.v > zero, xsimd::log(x.v), zero);
    return chain(x, y, p, y.v * ad::pow(x.v, y.v - Batch(Real(1))), p * log_x);
  }
  friend const Batch& value_of(const Dual& x) { return x.v; }
  friend Dual with_value(Dual x, const Batch& value) {
    x.v = value;
    return x;
  }
};

// ---- formulas written once for batches and duals; the tensor ops of the same names are one line each ---------

template <class T>
inline constexpr bool kIsDual = false;
template <int N>
inline constexpr bool kIsDual<Dual<N>> = true;
/// What a lambda given to `map` receives.
template <class T>
concept Lanes = std::same_as<T, Batch> || kIsDual<T>;

template <Lanes T>
T square(const T& x) { return x * x; }
/// x^n by squaring: exact where x^n is, for any x.
template <Lanes T>
T integer_power(T x, int n) {
  T y(Real(1));
  for (int left = n < 0 ? -n : n; left > 0; left /= 2, x = x * x)
    if (left % 2 == 1) y = y * x;
  return n < 0 ? T(Real(1)) / y : y;
}

/// 1 / (1 + e^-x). Saturates to 0 and 1, never overflows.
inline Batch sigmoid(const Batch& x) {
  const Batch e = xsimd::exp(-xsimd::abs(x)), r = Batch(Real(1)) / (Batch(Real(1)) + e);
  return xsimd::select(x >= Batch(Real(0)), r, e * r);
}
template <int N>
Dual<N> sigmoid(const Dual<N>& x) {
  const Batch s = sigmoid(x.v);
  return Dual<N>::chain(x, s, s * (Batch(Real(1)) - s));
}

/// log(1 + e^x), linear for large x.
inline Batch softplus(const Batch& x) {
  return fmax(x, Batch(Real(0))) + xsimd::log1p(xsimd::exp(-xsimd::abs(x)));
}
template <int N>
Dual<N> softplus(const Dual<N>& x) { return Dual<N>::chain(x, softplus(x.v), sigmoid(x.v)); }

template <Lanes T>
T relu(const T& x) { return select(x <= T(Real(0)), T(Real(0)), x); }  // this way round a NaN stays one
template <Lanes T>
T leaky_relu(const T& x, Real slope) { return select(x > T(Real(0)), x, x * slope); }
template <Lanes T>
T elu(const T& x, Real alpha) {  // the exponential is taken of min(x, 0): the branch not chosen stays finite
  return select(x > T(Real(0)), x, alpha * expm1(fmin(x, T(Real(0)))));
}
/// x Phi(x), the exact form with erf (Hendrycks & Gimpel 2016).
template <Lanes T>
T gelu(const T& x) { return Real(0.5) * x * (Real(1) + erf(x * Real(0.70710678118654752440))); }
template <Lanes T>
T silu(const T& x) { return x * sigmoid(x); }

}  // namespace ad
