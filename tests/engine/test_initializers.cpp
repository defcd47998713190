#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "autodiff/check.hpp"
#include "autodiff/initializers.hpp"

using namespace ad;

namespace {

std::vector<double> draw(const Initializer& initializer, const Shape& shape, std::uint64_t seed = 1) {
  std::vector<Real> v(static_cast<std::size_t>(shape.size()));
  initializer(Key(seed), shape, v);
  return {v.begin(), v.end()};
}

struct Statistics {
  double mean = 0, stddev = 0, low, high;
};
Statistics statistics(const std::vector<double>& v) {
  Statistics s;
  for (const double x : v) s.mean += x / double(v.size());
  for (const double x : v) s.stddev += (x - s.mean) * (x - s.mean) / double(v.size());
  s.stddev = std::sqrt(s.stddev);
  s.low = *std::ranges::min_element(v);
  s.high = *std::ranges::max_element(v);
  return s;
}

const Shape kWeight{200, 500};  // n = 100000: a mean is good to 5 sd / sqrt(n) = 1.6 % of sd at five sigma, an sd to 1.2 %

/// Uniform in [-bound, bound], reaching out to both ends.
void check_uniform(const Initializer& initializer, double bound) {
  const Statistics s = statistics(draw(initializer, kWeight));
  CHECK(std::abs(s.mean) < 0.016 * bound / std::sqrt(3.0));
  CHECK(s.stddev == doctest::Approx(bound / std::sqrt(3.0)).epsilon(0.012));
  CHECK(s.low >= -bound * (1 + 1e-6));
  CHECK(s.high <= bound * (1 + 1e-6));
  CHECK(s.low < -0.999 * bound);
  CHECK(s.high > 0.999 * bound);
}

void check_normal(const Initializer& initializer, double mean, double stddev) {
  const Statistics s = statistics(draw(initializer, kWeight));
  CHECK(std::abs(s.mean - mean) < 0.016 * stddev);
  CHECK(s.stddev == doctest::Approx(stddev).epsilon(0.012));
  CHECK(s.high - mean > 3.5 * stddev);
}

}  // namespace

TEST_CASE("fans are counted for matrices and for convolutions") {
  CHECK(init::fans({30, 20}).in == 20);
  CHECK(init::fans({30, 20}).out == 30);
  CHECK(init::fans({30, 20, 3, 5}).in == 300);
  CHECK(init::fans({30, 20, 3, 5}).out == 450);
  CHECK_THROWS_AS(init::fans({30}), ShapeError);
}

TEST_CASE("uniform initialisers have the bound of their formula") {
  check_uniform(init::uniform(-3, 3), 3);
  check_uniform(init::xavier_uniform(), std::sqrt(6.0 / 700));
  check_uniform(init::xavier_uniform(2), 2 * std::sqrt(6.0 / 700));
  check_uniform(init::kaiming_uniform(), std::sqrt(6.0 / 500));
  check_uniform(init::linear_default(), 1 / std::sqrt(500.0));
  check_uniform(init::bias_default(100), 0.1);
}

TEST_CASE("normal initialisers have the moments of their formula") {
  check_normal(init::normal(2, 3), 2, 3);
  check_normal(init::xavier_normal(), 0, std::sqrt(2.0 / 700));
  check_normal(init::kaiming_normal(), 0, std::sqrt(2.0 / 500));
  check_normal(init::lecun_normal(), 0, std::sqrt(1.0 / 500));
}

TEST_CASE("truncated_normal is cut at two standard deviations") {
  const Statistics s = statistics(draw(init::truncated_normal(1, 0.5), kWeight));
  CHECK(s.low >= 0);
  CHECK(s.high <= 2);
  CHECK(s.low < 0.01);
  CHECK(std::abs(s.mean - 1) < 0.008);
  // variance of a normal cut at +-2: 1 - 2 * 2 phi(2) / (2 Phi(2) - 1) = 0.7737
  CHECK(s.stddev == doctest::Approx(0.5 * std::sqrt(0.77374)).epsilon(0.012));
}

TEST_CASE("orthogonal weights have orthonormal rows or columns, whichever are fewer") {
  for (const Shape& shape : {Shape{7, 7}, Shape{5, 40}, Shape{40, 5}, Shape{64, 64}, Shape{8, 3, 2, 2}, Shape{1, 9}}) {
    CAPTURE(to_text(shape));
    const double gain = 1.5;
    const std::vector<double> w = draw(init::orthogonal(Real(gain)), shape);
    const Index rows = shape[0], columns = shape.size() / rows, count = std::min(rows, columns), length = std::max(rows, columns);
    const auto at = [&](Index vector, Index k) {
      return w[static_cast<std::size_t>(rows <= columns ? vector * columns + k : k * columns + vector)];
    };
    double worst = 0;
    for (Index i = 0; i < count; ++i)
      for (Index j = 0; j <= i; ++j) {
        double dot = 0;
        for (Index k = 0; k < length; ++k) dot += at(i, k) * at(j, k);
        worst = std::max(worst, std::abs(dot - (i == j ? gain * gain : 0)));
      }
    CHECK(worst < (sizeof(Real) == 4 ? 2e-6 : 1e-13));
  }
}

TEST_CASE("the key alone decides: equal keys give equal numbers, others do not") {
  for (const Initializer& initializer :
       {init::normal(0, 1), init::xavier_uniform(), init::truncated_normal(0, 1), init::orthogonal()}) {
    CHECK(draw(initializer, {9, 8}, 5) == draw(initializer, {9, 8}, 5));
    CHECK(draw(initializer, {9, 8}, 5) != draw(initializer, {9, 8}, 6));
  }
}

TEST_CASE("constants fill, and empty weights are no trouble") {
  CHECK(draw(init::zeros(), {3}) == std::vector<double>(3, 0));
  CHECK(draw(init::ones(), {3}) == std::vector<double>(3, 1));
  CHECK(draw(init::truncated_normal(0, 1), {0}).empty());
  CHECK(draw(init::orthogonal(), {0, 4}).empty());
}
