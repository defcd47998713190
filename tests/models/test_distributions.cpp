#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "autodiff/gradcheck.hpp"
#include "models/distributions/normal.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;
using ad::gradcheck;
using ad::GradcheckReport;

namespace {

// Sums of a few terms of size 1 to 20: some rounding errors of the largest.
constexpr double kTolerance = sizeof(Real) == 4 ? 2e-5 : 1e-12;

std::vector<Real> normal_numbers(Index count, std::uint64_t seed, Real mean = 0, Real deviation = 1) {
  std::vector<Real> v(static_cast<std::size_t>(count));
  ad::fill_normal(Key(seed), v, mean, deviation);
  return v;
}

/// A diagonal normal of `rows` equal rows.
DiagonalNormal repeated(Tape& tape, Index rows, const std::vector<Real>& mean, const std::vector<Real>& log_variance) {
  const Index n = std::ssize(mean);
  const Var m = tape.node("mean", {rows, n}, {}), l = tape.node("log_variance", {rows, n}, {});
  for (Index i = 0; i < rows * n; ++i) {
    m.data()[i] = mean[static_cast<std::size_t>(i % n)];
    l.data()[i] = log_variance[static_cast<std::size_t>(i % n)];
  }
  return {m, l};
}

double log_density(double x, double mean, double sigma) {  // written with sigma, unlike the code under test
  const double standardised = (x - mean) / sigma;
  return -std::log(sigma * std::sqrt(2 * std::numbers::pi)) - standardised * standardised / 2;
}

double sigma_of(Real log_variance) { return std::sqrt(std::exp(double(log_variance))); }

const std::vector<Real> kMean{Real(0.7), Real(-1.2), Real(0.1)}, kLogVariance{Real(-0.9), Real(0.4), Real(-2.5)};
const std::vector<Real> kPriorMean{Real(0.2), Real(0.3), Real(-0.4)}, kPriorLogVariance{Real(0.5), Real(-0.3), Real(-1)};
constexpr Index kDraws = 100'000;

}  // namespace

TEST_CASE("the KL of normals has its known values") {
  Tape tape;
  const auto value = [&](double m, double l) {
    return double(kl(repeated(tape, 1, {static_cast<Real>(m)}, {static_cast<Real>(l)}), StandardNormal(tape, 1, 1)).item());
  };
  CHECK(value(0, 0) == 0);
  CHECK(value(1, 0) == doctest::Approx(0.5).epsilon(1e-6));
  CHECK(value(0, 1) == doctest::Approx((std::numbers::e - 2) / 2).epsilon(1e-6));           // (e - 1 - 1) / 2
  CHECK(value(0, std::log(4.0)) == doctest::Approx(1.5 - std::log(2.0)).epsilon(1e-6));     // sigma 2: 0.806852819440055
  CHECK(value(3, std::log(0.25)) == doctest::Approx(4.5 - 0.375 + std::log(2.0)).epsilon(1e-6));

  const DiagonalNormal q = repeated(tape, 1, {1}, {static_cast<Real>(std::log(4.0))});
  const DiagonalNormal p = repeated(tape, 1, {0}, {static_cast<Real>(std::log(9.0))});
  // log(s_p / s_q) + (s_q^2 + d^2) / (2 s_p^2) - 1/2 with s_q = 2, s_p = 3, d = 1
  CHECK(double(kl(q, p).item()) == doctest::Approx(std::log(1.5) + 5.0 / 18 - 0.5).epsilon(1e-6));
  CHECK(double(kl(p, q).item()) == doctest::Approx(std::log(2.0 / 3) + 10.0 / 8 - 0.5).epsilon(1e-6));
}

TEST_CASE("the KL is not negative, zero against itself, and the sum of its dimensions") {
  Tape tape;
  constexpr Index rows = 500, n = 4;
  const DiagonalNormal q{tape.constant({rows, n}, Real(0)), tape.constant({rows, n}, Real(0))};
  const std::vector<Real> a = normal_numbers(rows * n, 1, 0, 2), b = normal_numbers(rows * n, 2, 0, 2);
  const std::vector<Real> c = normal_numbers(rows * n, 3, 0, 2), d = normal_numbers(rows * n, 4, 0, 2);
  const DiagonalNormal one{tape.constant({rows, n}, a), tape.constant({rows, n}, b)};
  const DiagonalNormal other{tape.constant({rows, n}, c), tape.constant({rows, n}, d)};
  const Var to_standard = kl(one, StandardNormal(tape, 1, 1)), to_zero = kl(one, q), to_other = kl(one, other), to_itself = kl(one, one);
  const Var per_dimension = kl_per_dimension(one, StandardNormal(tape, 1, 1));
  for (Index i = 0; i < rows; ++i) {
    CHECK(to_standard.data()[i] >= 0);
    CHECK(to_other.data()[i] >= 0);
    CHECK(to_itself.data()[i] == 0);
    CHECK(double(to_zero.data()[i]) == doctest::Approx(double(to_standard.data()[i])).epsilon(1e-5));
    double total = 0;
    for (Index j = 0; j < n; ++j) {
      CHECK(per_dimension.data()[i * n + j] >= 0);
      total += double(per_dimension.data()[i * n + j]);
    }
    CHECK(total == doctest::Approx(double(to_standard.data()[i])).epsilon(1e-5));
  }
}

TEST_CASE("the KL keeps its digits where q is almost p") {
  Tape tape;
  // KL = (e^l - 1 - l) / 2 = l^2/4 + l^3/12 + ... As expm1(l) - l it is exact to a rounding error of l, here a thousandth;
  // e^l - 1 - l would be off by more than its value in float.
  for (const double l : {1e-4, -1e-4, 1e-3}) {
    const double stored = double(static_cast<Real>(l)), truth = stored * stored / 4 + stored * stored * stored / 12;
    const double tolerance = 0.5 * std::numeric_limits<Real>::epsilon() * std::abs(l) + 1e-5 * truth;
    const DiagonalNormal near = repeated(tape, 1, {0}, {static_cast<Real>(l)});
    CHECK(std::abs(double(kl(near, StandardNormal(tape, 1, 1)).item()) - truth) < tolerance);
  }
  // Two wide normals, their log variances 2^-7 apart: both are exact in float, and so is their difference.
  const double gap = 1.0 / 128, expected = (std::expm1(gap) - gap) / 2;
  const DiagonalNormal q = repeated(tape, 1, {0}, {2 + Real(1) / 128}), p = repeated(tape, 1, {0}, {2});
  CHECK(double(kl(q, p).item()) == doctest::Approx(expected).epsilon(sizeof(Real) == 4 ? 1e-4 : 1e-10));
}

TEST_CASE("densities and entropy agree with the textbook formula") {
  Tape tape;
  constexpr Index rows = 50, n = 3;
  const std::vector<Real> z = normal_numbers(rows * n, 5, 0, 2), m = normal_numbers(rows * n, 6), l = normal_numbers(rows * n, 7);
  const DiagonalNormal q{tape.constant({rows, n}, m), tape.constant({rows, n}, l)};
  const Var at = tape.constant({rows, n}, z);
  const Var q_log_prob = q.log_prob(at), p_log_prob = StandardNormal(tape, 1, 1).log_prob(at), entropy = q.entropy();
  for (Index i = 0; i < rows; ++i) {
    double log_q = 0, log_p = 0, h = 0, size = 0;
    for (Index j = 0; j < n; ++j) {
      const auto k = static_cast<std::size_t>(i * n + j);
      log_q += log_density(double(z[k]), double(m[k]), sigma_of(l[k]));
      size += std::abs(log_density(double(z[k]), double(m[k]), sigma_of(l[k])));
      log_p += log_density(double(z[k]), 0, 1);
      h += 0.5 * std::log(2 * std::numbers::pi * std::numbers::e) + std::log(sigma_of(l[k]));
    }
    CHECK(std::abs(double(q_log_prob.data()[i]) - log_q) < kTolerance * (1 + size));
    CHECK(double(p_log_prob.data()[i]) == doctest::Approx(log_p).epsilon(kTolerance));
    CHECK(std::abs(double(entropy.data()[i]) - h) < kTolerance);
  }
}

TEST_CASE("KL and entropy agree with their Monte Carlo estimates") {  // |z| < 5
  Tape tape;
  const DiagonalNormal q = repeated(tape, kDraws, kMean, kLogVariance), p = repeated(tape, kDraws, kPriorMean, kPriorLogVariance);
  const Var z = q.rsample(Key(11)).value, log_q = q.log_prob(z), log_p = p.log_prob(z), log_n = StandardNormal(tape, 1, 1).log_prob(z);
  Sample to_p, to_standard, entropy;
  for (Index i = 0; i < kDraws; ++i) {
    to_p.add(double(log_q.data()[i]) - double(log_p.data()[i]));
    to_standard.add(double(log_q.data()[i]) - double(log_n.data()[i]));
    entropy.add(-double(log_q.data()[i]));
  }
  CHECK(std::abs(to_p.z(double(kl(q, p).data()[0]))) < 5);
  CHECK(std::abs(to_standard.z(double(kl(q, StandardNormal(tape, 1, 1)).data()[0]))) < 5);
  CHECK(std::abs(entropy.z(double(q.entropy().data()[0]))) < 5);
}

TEST_CASE("rsample and sample have the mean, the variance and the independence that they should") {  // |z| < 5
  Tape tape;
  const Index n = std::ssize(kMean);
  const DiagonalNormal q = repeated(tape, kDraws, kMean, kLogVariance);
  const Var z = q.rsample(Key(12)).value, e = StandardNormal(tape, kDraws, n).rsample(Key(13)).value;
  CHECK(e.shape() == Shape{kDraws, n});
  for (Index j = 0; j < n; ++j) {
    const auto k = static_cast<std::size_t>(j);
    Sample mean, square, cross, standard_mean, standard_square;
    for (Index i = 0; i < kDraws; ++i) {
      const double d = (double(z.data()[i * n + j]) - double(kMean[k])) / sigma_of(kLogVariance[k]);
      const double s = double(e.data()[i * n + j]);
      mean.add(d);
      square.add(d * d);
      cross.add(d * (double(z.data()[i * n + (j + 1) % n]) - double(kMean[static_cast<std::size_t>((j + 1) % n)])));
      standard_mean.add(s);
      standard_square.add(s * s);
    }
    CHECK(std::abs(mean.z(0)) < 5);
    CHECK(std::abs(square.z(1)) < 5);
    CHECK(std::abs(cross.z(0)) < 5);
    CHECK(std::abs(standard_mean.z(0)) < 5);
    CHECK(std::abs(standard_square.z(1)) < 5);
  }
}

TEST_CASE("rsample is keyed: the same key gives the same code, another key another one") {
  Tape tape;
  const DiagonalNormal q = repeated(tape, 4, kMean, kLogVariance);
  const Var a = q.rsample(Key(1)).value, b = q.rsample(Key(1)).value, c = q.rsample(Key(2)).value;
  CHECK(std::equal(a.value().begin(), a.value().end(), b.value().begin()));
  CHECK_FALSE(std::equal(a.value().begin(), a.value().end(), c.value().begin()));
}

TEST_CASE("gradients of densities, divergences and samples match differences") {
  const Shape shape{3, 5};
  const auto input = [&](std::uint64_t seed) { return ad::GradcheckInput{shape, normal_numbers(shape.size(), seed)}; };
  const auto check = [](const GradcheckReport& report) { CHECK_MESSAGE(report.passed, report.text()); };
  using Inputs = std::span<const Var>;
  check(gradcheck([](Tape& t, Inputs x) { return StandardNormal(t, 1, 1).log_prob(x[0]); }, {input(1)}));
  check(gradcheck([](Tape&, Inputs x) { return DiagonalNormal{x[1], x[2]}.log_prob(x[0]); }, {input(1), input(2), input(3)}));
  check(gradcheck([](Tape&, Inputs x) { return DiagonalNormal{x[0], x[1]}.entropy(); }, {input(1), input(2)}));
  check(gradcheck([](Tape&, Inputs x) { return DiagonalNormal{x[0], x[1]}.rsample(Key(4)).value; }, {input(1), input(2)}));
  check(gradcheck([](Tape& t, Inputs x) { return kl(DiagonalNormal{x[0], x[1]}, StandardNormal(t, 1, 1)); }, {input(1), input(2)}));
  check(gradcheck([](Tape& t, Inputs x) { return kl_per_dimension(DiagonalNormal{x[0], x[1]}, StandardNormal(t, 1, 1)); },
                  {input(1), input(2)}));
  check(gradcheck([](Tape&, Inputs x) { return kl(DiagonalNormal{x[0], x[1]}, DiagonalNormal{x[2], x[3]}); },
                  {input(1), input(2), input(3), input(4)}));
}
