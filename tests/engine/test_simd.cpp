#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "autodiff/elementwise.hpp"

namespace {

using namespace ad;

constexpr double kEps = std::numeric_limits<Real>::epsilon();
constexpr double kGamma = 40 * kEps + 1e-14;  // roundings of the recurrence, and where the asymptotic series are cut

/// f of many numbers, several different ones in each register.
std::vector<double> apply(Batch (*f)(const Batch&), const std::vector<double>& x) {
  std::vector<Real> in(x.begin(), x.end()), out(x.size());
  for (Index i = 0; i < std::ssize(in); i += kLanes) {
    const Index n = std::min(kLanes, std::ssize(in) - i);
    store_part(out.data() + i, f(load_part(in.data() + i, n)), n);
  }
  return {out.begin(), out.end()};
}

/// From tiny to huge, neighbours far apart, so that lanes of one register take different numbers of recurrence steps.
std::vector<double> mixed_positive() {
  std::vector<double> x;
  for (int i = 0; i < 4000; ++i) x.push_back(double(Real(std::exp(std::fmod(i * 0.6180339887, 1.0) * 34 - 23))));  // 1e-10 .. 6e4
  return x;
}

double digamma_reference(double x) {
  double shift = 0;
  for (; x < 60; x += 1) shift -= 1 / x;
  const double r = 1 / (x * x);
  return shift + std::log(x) - 0.5 / x - r / 12 + r * r / 120 - r * r * r / 252;
}
double trigamma_reference(double x) {
  double shift = 0;
  for (; x < 60; x += 1) shift += 1 / (x * x);
  const double r = 1 / (x * x);
  return shift + 1 / x + r / 2 + r / x / 6 - r * r / x / 30 + r * r * r / x / 42;
}

}  // namespace

TEST_CASE("lgamma agrees with std::lgamma for mixed lanes from 1e-10 to 6e4") {
  const auto x = mixed_positive(), y = apply(ad::lgamma, x);
  // The zeros at 1 and 2 come out of differences of numbers near 10 (Stirling's value beside the log of the shift), so that there
  // the absolute error counts. Elsewhere it is the same relative to the value.
  for (std::size_t i = 0; i < x.size(); ++i) {
    CAPTURE(x[i]);
    REQUIRE(std::abs(y[i] - std::lgamma(x[i])) <= kGamma * std::max(1.0, std::abs(std::lgamma(x[i]))));
  }
}

TEST_CASE("lgamma, digamma and trigamma take their known values") {
  const double pi = std::acos(-1.0), euler = 0.57721566490153286;
  const auto near = [](Batch (*f)(const Batch&), double x, double expected) {
    CAPTURE(x);
    CHECK(std::abs(apply(f, {x})[0] - expected) <= kGamma * std::max(1.0, std::abs(expected)));
  };
  near(ad::lgamma, 1, 0);
  near(ad::lgamma, 2, 0);
  near(ad::lgamma, 0.5, std::log(pi) / 2);
  near(ad::lgamma, 11, std::log(3628800.0));
  near(ad::digamma, 1, -euler);
  near(ad::digamma, 0.5, -euler - 2 * std::log(2.0));
  near(ad::digamma, 0.25, -euler - pi / 2 - 3 * std::log(2.0));
  near(ad::digamma, 3, 1.5 - euler);
  near(ad::trigamma, 1, pi * pi / 6);
  near(ad::trigamma, 0.5, pi * pi / 2);
  near(ad::trigamma, 2, pi * pi / 6 - 1);
}

TEST_CASE("digamma and trigamma agree with slow references for mixed lanes") {
  const auto x = mixed_positive(), psi = apply(ad::digamma, x), psi1 = apply(ad::trigamma, x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    CAPTURE(x[i]);
    const double a = digamma_reference(x[i]), b = trigamma_reference(x[i]);
    REQUIRE(std::abs(psi[i] - a) <= kGamma * std::max(1.0, std::abs(a)));
    REQUIRE(std::abs(psi1[i] - b) <= kGamma * b);
  }
}

TEST_CASE("the gamma functions say NaN below zero and are infinite at zero") {
  for (const auto f : {ad::lgamma, ad::digamma, ad::trigamma}) {
    CHECK(std::isnan(apply(f, {-1.5})[0]));
    CHECK(std::isnan(apply(f, {std::nan("")})[0]));
    CHECK(std::isinf(apply(f, {0})[0]));
  }
}

TEST_CASE("parts of a register read and write their elements alone") {
  std::vector<Real> source(static_cast<std::size_t>(kLanes), Real(0));
  std::iota(source.begin(), source.end(), Real(1));
  for (Index n = 1; n <= kLanes; ++n) {
    std::vector<Real> exact(source.begin(), source.begin() + n);  // a read past its end is seen by the address sanitizer
    const Batch b = load_part(exact.data(), n);
    std::vector<Real> out(static_cast<std::size_t>(kLanes), Real(-7));
    store(out.data(), b);
    for (Index i = 0; i < kLanes; ++i) CHECK(out[static_cast<std::size_t>(i)] == Real(std::min(i, n - 1) + 1));
    std::fill(out.begin(), out.end(), Real(-7));
    store_part(out.data(), b, n);
    for (Index i = 0; i < kLanes; ++i) CHECK(out[static_cast<std::size_t>(i)] == (i < n ? Real(i + 1) : Real(-7)));
    store(out.data(), select(first_lanes(n), Batch(Real(1)), Batch(Real(0))));
    CHECK(std::accumulate(out.begin(), out.end(), Real(0)) == Real(n));
  }
}

TEST_CASE("map and map_sum treat every length alike, also past a parallel block") {
  Tape tape;
  for (const Index n :
       {Index{0}, Index{1}, kLanes - 1, kLanes, kLanes + 1, 3 * kLanes + 5, Index{8191}, Index{8193}, Index{20001}}) {
    CAPTURE(n);
    std::vector<Real> x(static_cast<std::size_t>(2 * n));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = Real(i % 17) - Real(8);
    const Var v = tape.variable({2, n}, x),
              y = map(
                  "f", [](auto a) { return a * a + Real(1); }, v),
              s = map_sum(
                  "g", [](auto a) { return a * a; }, v);
    double worst = 0, rows[2] = {0, 0};
    for (std::size_t i = 0; i < x.size(); ++i) {
      worst = std::max(worst, std::abs(double(y.value()[i]) - double(x[i] * x[i] + 1)));
      rows[i / static_cast<std::size_t>(std::max<Index>(n, 1))] += double(x[i] * x[i]);
    }
    CHECK(worst == 0);
    for (std::size_t r : {0u, 1u}) CHECK(double(s.value()[r]) == rows[r]);  // whole numbers: exact
    tape.reset();
  }
}

TEST_CASE("a NaN is recognised in a register") {
  // xsimd 8.1 compares with an ordered predicate under AVX-512, so that x != x is false there; the engine relies on isnan.
  const Batch nan(std::numeric_limits<Real>::quiet_NaN()), one(Real(1));
  CHECK(xsimd::all(xsimd::isnan(nan)));
  CHECK(!xsimd::any(xsimd::isnan(one)));
  CHECK(xsimd::all(xsimd::isnan(fmax(nan, one))));
  CHECK(xsimd::all(xsimd::isnan(fmax(one, nan))));
  CHECK(xsimd::all(xsimd::isnan(fmin(nan, one))));
  CHECK(xsimd::all(xsimd::isnan(fmin(one, nan))));
}

TEST_CASE("dual numbers carry the derivative of a composed formula") {
  using D = Dual<2>;
  const D x = D::input(Batch(Real(0.7)), 0), y = D::input(Batch(Real(1.9)), 1);
  D f = exp(x * y) / (Real(1) + square(y));
  f += sin(x);
  f *= y;
  f -= x;
  f /= Real(2);
  const double e = std::exp(0.7 * 1.9), q = 1 + 1.9 * 1.9;
  std::array<Real, 64> lane{};
  const auto first = [&](const Batch& b) {
    store(lane.data(), b);
    return double(lane[0]);
  };
  CHECK(first(f.v) == doctest::Approx(((e / q + std::sin(0.7)) * 1.9 - 0.7) / 2).epsilon(8 * kEps));
  CHECK(first(f.d[0]) == doctest::Approx(((1.9 * e / q + std::cos(0.7)) * 1.9 - 1) / 2).epsilon(8 * kEps));
  CHECK(first(f.d[1]) ==
        doctest::Approx((e / q + std::sin(0.7) + 1.9 * (0.7 * e * q - e * 3.8) / (q * q)) / 2).epsilon(16 * kEps));
}
