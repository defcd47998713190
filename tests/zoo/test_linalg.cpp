// Principal components against data whose components are known.
#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>

#include "experiments/runner/linalg.hpp"

using namespace vaezoo;
using ad::Index;

namespace {

/// Points mean + a u + b v for the four signs of (a, b) = (+-big, +-small): their covariance is exactly big^2 u u^T + small^2 v v^T.
std::vector<float> cross(const std::vector<double>& mean, const std::vector<double>& u, const std::vector<double>& v, double big,
                         double small) {
  std::vector<float> rows;
  for (const double a : {big, -big})
    for (const double b : {small, -small})
      for (std::size_t i = 0; i < mean.size(); ++i) rows.push_back(static_cast<float>(mean[i] + a * u[i] + b * v[i]));
  return rows;
}

void check_components(Index dimensions) {
  CAPTURE(dimensions);
  std::vector<double> mean, u(static_cast<std::size_t>(dimensions), 0), v = u;
  for (Index i = 0; i < dimensions; ++i) mean.push_back(0.5 * static_cast<double>(i));
  u[0] = 0.6;
  u[1] = -0.8;  // the largest element: it comes out positive
  v[0] = 0.8;
  v[1] = 0.6;
  const std::vector<float> rows = cross(mean, u, v, 3, 1);
  const PrincipalComponents p = principal_components(rows, dimensions, 2);
  const auto z = static_cast<std::size_t>(dimensions);
  for (std::size_t i = 0; i < z; ++i) {
    CHECK(p.mean[i] == doctest::Approx(mean[i]));
    CHECK(p.axes[i] == doctest::Approx(-u[i]).epsilon(1e-5));
    CHECK(p.axes[z + i] == doctest::Approx(v[i]).epsilon(1e-5));
  }
  CHECK(p.explained[0] == doctest::Approx(0.9));
  CHECK(p.explained[1] == doctest::Approx(0.1));
  const std::vector<float> coordinates = project(rows, p);
  CHECK(coordinates.size() == 8);
  CHECK(double(coordinates[0]) == doctest::Approx(-3));
  CHECK(double(coordinates[1]) == doctest::Approx(1));
  CHECK(double(coordinates[7]) == doctest::Approx(-1));
}

}  // namespace

TEST_CASE("principal components: axes, shares and coordinates of a known cloud, of more points than dimensions and of fewer") {
  check_components(2);
  check_components(3);
  check_components(40);
}

TEST_CASE("principal components: points without spread explain nothing, and wrong sizes are refused") {
  const std::vector<float> same(12, 2.5f);
  const PrincipalComponents p = principal_components(same, 3, 2);
  CHECK(p.explained == std::vector<double>{0, 0});
  for (const float v : project(same, p)) CHECK(v == 0);
  CHECK_THROWS_AS(principal_components(same, 5, 1), std::invalid_argument);
  CHECK_THROWS_AS(principal_components(same, 3, 4), std::invalid_argument);
}
