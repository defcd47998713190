#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "autodiff/check.hpp"
#include "datasets/synthetic.hpp"
#include "tests/zoo/datasets_support.hpp"

using namespace vaezoo;
using namespace test_support;

namespace {

/// log N(x; b, C), slowly and independently: the inverse and the determinant of C by Gauss-Jordan elimination with pivots.
double log_normal_by_elimination(const LinearGaussian& truth, const std::vector<Real>& x) {
  const std::size_t D = truth.b.size(), Z = truth.W.size() / D;
  std::vector<std::vector<double>> a(D, std::vector<double>(2 * D));
  for (std::size_t i = 0; i < D; ++i) {
    for (std::size_t j = 0; j < D; ++j) {
      a[i][j] = i == j ? truth.sigma * truth.sigma : 0;
      for (std::size_t k = 0; k < Z; ++k) a[i][j] += truth.W[i * Z + k] * truth.W[j * Z + k];
    }
    a[i][D + i] = 1;
  }
  double determinant = 1;
  for (std::size_t c = 0; c < D; ++c) {
    std::size_t pivot = c;
    for (std::size_t i = c; i < D; ++i) pivot = std::abs(a[i][c]) > std::abs(a[pivot][c]) ? i : pivot;
    if (pivot != c) determinant = -determinant;
    std::swap(a[c], a[pivot]);
    determinant *= a[c][c];
    for (std::size_t j = 2 * D; j-- > c;) a[c][j] /= a[c][c];
    for (std::size_t i = 0; i < D; ++i) {
      if (i == c) continue;
      for (std::size_t j = 2 * D; j-- > c;) a[i][j] -= a[i][c] * a[c][j];
    }
  }
  double squares = 0;
  for (std::size_t i = 0; i < D; ++i) {
    for (std::size_t j = 0; j < D; ++j) {
      squares += (static_cast<double>(x[i]) - truth.b[i]) * a[i][D + j] * (static_cast<double>(x[j]) - truth.b[j]);
    }
  }
  return -0.5 * (squares + std::log(determinant) + static_cast<double>(D) * std::log(2 * std::numbers::pi));
}

/// The integral of exp(log_density) over a square around 0 by the midpoint rule.
template <class LogDensity>
double integral(LogDensity log_density, double half_side, int steps) {
  const double h = 2 * half_side / steps;
  double sum = 0;
  for (int i = 0; i < steps; ++i) {
    for (int j = 0; j < steps; ++j) {
      const std::vector<Real> x = {static_cast<Real>(-half_side + (i + 0.5) * h), static_cast<Real>(-half_side + (j + 0.5) * h)};
      sum += std::exp(log_density(x)) * h * h;
    }
  }
  return sum;
}

}  // namespace

TEST_CASE("linear_gaussian: log p(x) agrees with inverse and determinant by elimination") {
  for (const LinearGaussianConfig& config : {LinearGaussianConfig{.latent_dim = 1, .data_dim = 1}, LinearGaussianConfig{},
                                             LinearGaussianConfig{.latent_dim = 7, .data_dim = 5, .sigma = 0.1}}) {
    const LinearGaussian truth(config, Key(4));
    const std::vector<Real> x = truth.sample(20, Key(5));
    const auto D = static_cast<std::size_t>(config.data_dim);
    for (std::size_t n = 0; n < 20; ++n) {
      const std::vector<Real> point(x.begin() + static_cast<Index>(n * D), x.begin() + static_cast<Index>((n + 1) * D));
      const double slow = log_normal_by_elimination(truth, point);
      CHECK(truth.log_density(point) == doctest::Approx(slow).epsilon(1e-9));  // both in double
    }
  }
}

TEST_CASE("linear_gaussian: the density integrates to one") {
  const LinearGaussian truth({.latent_dim = 1, .data_dim = 2, .sigma = 0.5}, Key(4));
  // The midpoint rule errs like exp(-2 pi^2 sigma^2 / h^2) for Gaussians; points are rounded to float: 1e-6.
  CHECK(integral([&](const std::vector<Real>& x) { return truth.log_density(x); }, 20, 600) == doctest::Approx(1).epsilon(1e-6));
}

TEST_CASE("linear_gaussian: samples have the mean log p(x) that the entropy says, within four standard errors") {
  // -E log p(x) = (D log 2 pi e + log det C) / 2, and (x - b)^T C^-1 (x - b) is chi-squared: log p has variance D / 2.
  const LinearGaussianConfig config{.size = 20000, .latent_dim = 3, .data_dim = 6, .sigma = 0.4};
  const LinearGaussian truth(config, Key(7));
  const std::vector<Real> x = truth.sample(config.size, Key(8));
  double mean = 0;
  for (std::size_t n = 0; n < 20000; ++n) mean += truth.log_density(std::span(x).subspan(6 * n, 6)) / 20000;
  const std::vector<Real> centre(truth.b.begin(), truth.b.end());
  const double at_mode = truth.log_density(centre);  // -(D log 2 pi + log det C) / 2
  CHECK(std::abs(mean - (at_mode - 3)) < 4 * std::sqrt(3.0 / 20000));
}

TEST_CASE("linear_gaussian: the data set carries its truth, and its seed alone decides it") {
  DatasetConfig config{.name = "linear_gaussian"};
  config.linear_gaussian = {.size = 100, .latent_dim = 2, .data_dim = 3};
  const Dataset data = load_dataset(config, "nowhere"), again = load_dataset(config, "nowhere");
  CHECK(data.train.size() + data.validation.size() + data.test.size() == 100);
  CHECK(data.log_density(row(data.test, 0)) == again.log_density(row(again.test, 0)));
  config.seed = 1;
  CHECK(row(load_dataset(config, "nowhere").test, 0) != row(data.test, 0));
  CHECK_THROWS_AS(data.log_density(std::vector<Real>(4)), ad::Error);
}

TEST_CASE("gaussian_mixture: the density integrates to one and agrees with the sum of its parts") {
  const GaussianMixtureConfig ring, grid{.components = 9, .layout = "grid", .spread = 1};
  for (const GaussianMixtureConfig& config : {ring, grid}) {
    const GaussianMixture truth(config);
    REQUIRE(truth.means.size() == 2 * static_cast<std::size_t>(config.components));
    CHECK(integral([&](const std::vector<Real>& x) { return truth.log_density(x); }, 4, 400) == doctest::Approx(1).epsilon(1e-6));
    const std::vector<Real> x = {Real(0.3), Real(-1.7)};
    double density = 0;
    for (std::size_t k = 0; k < truth.means.size(); k += 2) {
      const double dx = static_cast<double>(x[0]) - truth.means[k], dy = static_cast<double>(x[1]) - truth.means[k + 1];
      const double variance = config.sigma * config.sigma, weight = 1.0 / static_cast<double>(config.components);
      density += weight * std::exp(-(dx * dx + dy * dy) / (2 * variance)) / (2 * std::numbers::pi * variance);
    }
    CHECK(truth.log_density(x) == doctest::Approx(std::log(density)).epsilon(1e-10));
  }
  // Far from all modes every term underflows: log p stays finite, the nearest mode decides.
  const GaussianMixture one({.components = 1, .sigma = 0.1});
  const double z = (1000.0 - 2.0) / 0.1;
  CHECK(one.log_density(std::vector<Real>{1000, 0}) == doctest::Approx(-0.5 * z * z - std::log(2 * std::numbers::pi * 0.01)));
}

TEST_CASE("gaussian_mixture: samples lie around their component, and components are equally likely") {
  const GaussianMixture truth({.components = 4, .spread = 3, .sigma = 0.25});
  std::vector<int> component;
  const Index count = 8000;
  const std::vector<Real> x = truth.sample(count, Key(2), component);
  std::vector<double> sizes(4);
  double squares = 0;
  for (std::size_t n = 0; n < component.size(); ++n) {
    const auto k = static_cast<std::size_t>(component[n]);
    sizes[k] += 1;
    for (std::size_t d = 0; d < 2; ++d) {
      squares += std::pow((static_cast<double>(x[2 * n + d]) - truth.means[2 * k + d]) / 0.25, 2);
    }
  }
  for (double size : sizes) CHECK(std::abs(size - 2000) < 4 * std::sqrt(2000 * 0.75));  // binomial, four deviations
  CHECK(std::abs(squares - 16000) < 4 * std::sqrt(2 * 16000.0));                        // chi-squared, four deviations
}

TEST_CASE("two_moons: without noise every point lies on its half circle, and no density is claimed") {
  const Dataset data = load_two_moons({.size = 200, .noise = 0}, Key(1));
  CHECK_FALSE(data.log_density);
  CHECK(data.classes == 2);
  for (Index n = 0; n < 200; ++n) {
    const std::vector<Real> x = row(data.train, n);
    const bool upper = data.train.labels()[static_cast<std::size_t>(n)] == 0;
    const double dx = static_cast<double>(x[0]) - (upper ? 0 : 1), dy = static_cast<double>(x[1]) - (upper ? 0 : 0.5);
    CHECK(dx * dx + dy * dy == doctest::Approx(1).epsilon(1e-5));
    CHECK((upper ? dy : -dy) >= -1e-6);
  }
}
