#include <doctest/doctest.h>

#include <cmath>

#include "experiments/runner/aggregate_posterior.hpp"

using namespace vaezoo;

namespace {

/// q(z | x_n) = N(x_n, s2 I) of N draws x ~ N(0, (1 - s2) R), R with correlation rho: q(z) is close to N(0, (1 - s2) R + s2 I).
std::optional<AggregateSplit> split_of(Index count, double s2, double rho) {
  std::vector<Real> x(static_cast<std::size_t>(2 * count));
  ad::fill_normal(ad::Key(1), x);
  for (std::size_t i = 0; i < x.size(); i += 2) {
    const double a = double(x[i]), b = rho * a + std::sqrt(1 - rho * rho) * double(x[i + 1]);
    x[i] = static_cast<Real>(std::sqrt(1 - s2) * a);
    x[i + 1] = static_cast<Real>(std::sqrt(1 - s2) * b);
  }
  AggregatePosterior aggregate;
  ad::Tape tape(ad::Grad::off);
  for (Index begin = 0; begin < count; begin += 1000)  // as batches come
    aggregate.add({tape.constant({1000, 2}, std::span<const Real>(x).subspan(static_cast<std::size_t>(2 * begin), 2000)),
                   tape.constant({1000, 2}, static_cast<Real>(std::log(s2)))});
  return aggregate.split(2000, ad::Key(2));
}

}  // namespace

TEST_CASE("the KL split by q(z) of a whole split: a correlated normal has its mutual information and total correlation") {
  constexpr double s2 = 0.1, rho = 0.5;
  const std::optional<AggregateSplit> parts = split_of(20'000, s2, rho);
  REQUIRE(parts);
  // The covariance of q(z) has 1 on the diagonal and (1 - s2) rho beside it.
  const double c = (1 - s2) * rho, log_det = std::log(1 - c * c);
  CHECK(parts->total_correlation == doctest::Approx(-0.5 * log_det).epsilon(0.2));
  CHECK(parts->mutual_information == doctest::Approx(0.5 * log_det - std::log(s2)).epsilon(0.02));
}

TEST_CASE("where hardly two posteriors overlap, the examples are too few to split the KL") {
  CHECK_FALSE(split_of(1000, 1e-4, 0.5));
  CHECK_FALSE(AggregatePosterior().split(100, ad::Key(1)));
}
