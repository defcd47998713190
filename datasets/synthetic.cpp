#include "datasets/synthetic.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>

#include "autodiff/check.hpp"

namespace vaezoo {
namespace {

const double kLog2Pi = std::log(2 * std::numbers::pi);

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

std::vector<Real> normal(Key key, Index count) {
  std::vector<Real> numbers(at(count));
  ad::fill_normal(key, numbers);
  return numbers;
}

/// The lower triangle L with L L^T = a, for a positive definite a [n, n]. In place; the upper triangle is left alone.
void cholesky(std::vector<double>& a, Index n) {
  for (Index j = 0; j < n; ++j) {
    for (Index i = j; i < n; ++i) {
      double sum = a[at(i * n + j)];
      for (Index k = 0; k < j; ++k) sum -= a[at(i * n + k)] * a[at(j * n + k)];
      AD_CHECK(i != j || sum > 0, "cholesky", "the matrix is not positive definite");
      a[at(i * n + j)] = i == j ? std::sqrt(sum) : sum / a[at(j * n + j)];
    }
  }
}

void size_field(Fields& f, std::int64_t& size) { f("size", size, "number of examples in all splits together", at_least(1)); }

}  // namespace

void LinearGaussianConfig::fields(Fields& f) {
  size_field(f, size);
  f("latent_dim", latent_dim, "dimension of z", at_least(1));
  f("data_dim", data_dim, "dimension of x", between(1, 4096));
  f("sigma", sigma, "standard deviation of the noise on x", more_than(0));
}

LinearGaussian::LinearGaussian(const LinearGaussianConfig& config, Key key) : sigma(config.sigma) {
  const Index D = config.data_dim, Z = config.latent_dim;
  const std::vector<Real> weights = normal(key.fold("W"), D * Z), offsets = normal(key.fold("b"), D);
  W.assign(weights.begin(), weights.end());
  for (double& w : W) w /= std::sqrt(static_cast<double>(Z));
  b.assign(offsets.begin(), offsets.end());

  cholesky_.resize(at(D * D));
  for (Index i = 0; i < D; ++i) {
    for (Index j = 0; j <= i; ++j) {
      double c = i == j ? sigma * sigma : 0;
      for (Index k = 0; k < Z; ++k) c += W[at(i * Z + k)] * W[at(j * Z + k)];
      cholesky_[at(i * D + j)] = c;
    }
  }
  cholesky(cholesky_, D);
  log_normalizer_ = -0.5 * static_cast<double>(D) * kLog2Pi;
  for (Index i = 0; i < D; ++i) log_normalizer_ -= std::log(cholesky_[at(i * D + i)]);
}

double LinearGaussian::log_density(std::span<const Real> x) const {
  const Index D = data_dim();
  AD_CHECK(std::ssize(x) == D, "log_density", ad::cat("x has ", std::ssize(x), " numbers; expected ", D));
  std::vector<double> y(at(D));  // L y = x - b, so that (x - b)^T C^-1 (x - b) = |y|^2
  double squares = 0;
  for (Index i = 0; i < D; ++i) {
    double sum = static_cast<double>(x[at(i)]) - b[at(i)];
    for (Index j = 0; j < i; ++j) sum -= cholesky_[at(i * D + j)] * y[at(j)];
    y[at(i)] = sum / cholesky_[at(i * D + i)];
    squares += y[at(i)] * y[at(i)];
  }
  return log_normalizer_ - 0.5 * squares;
}

std::vector<Real> LinearGaussian::sample(Index count, Key key) const {
  const Index D = data_dim(), Z = latent_dim();
  const std::vector<Real> z = normal(key.fold("z"), count * Z);
  std::vector<Real> x = normal(key.fold("noise"), count * D);
  for (Index n = 0; n < count; ++n) {
    for (Index i = 0; i < D; ++i) {
      double value = b[at(i)] + sigma * static_cast<double>(x[at(n * D + i)]);
      for (Index k = 0; k < Z; ++k) value += W[at(i * Z + k)] * static_cast<double>(z[at(n * Z + k)]);
      x[at(n * D + i)] = static_cast<Real>(value);
    }
  }
  return x;
}

Dataset load_linear_gaussian(const LinearGaussianConfig& config, Key key) {
  const auto truth = std::make_shared<const LinearGaussian>(config, key.fold("parameters"));
  Dataset data;
  data.provenance = "drawn by vaezoo from x = W z + b + noise";
  data.shape = {1, config.data_dim, 1};
  data.train = Examples(truth->sample(config.size, key.fold("examples")), config.data_dim);
  data.log_density = [truth](std::span<const Real> x) { return truth->log_density(x); };
  return data;
}

void GaussianMixtureConfig::fields(Fields& f) {
  size_field(f, size);
  f("components", components, "number of Gaussians; a square number on a grid", at_least(1));
  f.choice("layout", layout, {"ring", "grid"}, "where their means lie");
  f("spread", spread, "radius of the ring, or distance of neighbours on the grid", more_than(0));
  f("sigma", sigma, "standard deviation of each Gaussian along both axes", more_than(0));
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(components))));
  f.require("components", layout != "grid" || side * side == components, "a grid needs a square number: 4, 9, 16, 25, ...");
}

GaussianMixture::GaussianMixture(const GaussianMixtureConfig& config) : sigma(config.sigma) {
  const auto side = std::lround(std::sqrt(static_cast<double>(config.components)));
  AD_CHECK(config.layout != "grid" || side * side == config.components, "GaussianMixture",
           "a grid needs a square number of components");
  for (Index k = 0; k < config.components; ++k) {
    if (config.layout == "ring") {
      const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(config.components);
      means.insert(means.end(), {config.spread * std::cos(angle), config.spread * std::sin(angle)});
    } else {
      const double middle = static_cast<double>(side - 1) / 2;
      const double column = static_cast<double>(k % side), row = static_cast<double>(k / side);
      means.insert(means.end(), {config.spread * (column - middle), config.spread * (row - middle)});
    }
  }
}

double GaussianMixture::log_density(std::span<const Real> x) const {
  AD_CHECK(x.size() == 2, "log_density", ad::cat("x has ", std::ssize(x), " numbers; expected 2"));
  const auto log_kernel = [&](std::size_t k) {
    const double dx = static_cast<double>(x[0]) - means[2 * k], dy = static_cast<double>(x[1]) - means[2 * k + 1];
    return -0.5 * (dx * dx + dy * dy) / (sigma * sigma);
  };
  const std::size_t K = means.size() / 2;
  double most = log_kernel(0), sum = 0;
  for (std::size_t k = 1; k < K; ++k) most = std::max(most, log_kernel(k));
  for (std::size_t k = 0; k < K; ++k) sum += std::exp(log_kernel(k) - most);  // log-sum-exp around the largest term
  return most + std::log(sum / static_cast<double>(K)) - kLog2Pi - 2 * std::log(sigma);
}

std::vector<Real> GaussianMixture::sample(Index count, Key key, std::vector<int>& component) const {
  std::vector<Real> x = normal(key.fold("noise"), 2 * count);
  component.resize(at(count));
  for (Index n = 0; n < count; ++n) {
    const std::uint64_t k = ad::uniform_integer(key.fold("component").fold(static_cast<std::uint64_t>(n)), means.size() / 2);
    component[at(n)] = static_cast<int>(k);
    for (Index d = 0; d < 2; ++d) {
      Real& value = x[at(2 * n + d)];
      value = static_cast<Real>(means[2 * k + at(d)] + sigma * static_cast<double>(value));
    }
  }
  return x;
}

Dataset load_gaussian_mixture(const GaussianMixtureConfig& config, Key key) {
  const auto truth = std::make_shared<const GaussianMixture>(config);
  Dataset data;
  data.provenance = "drawn by vaezoo from a mixture of Gaussians";
  data.shape = {1, 2, 1};
  data.classes = static_cast<int>(config.components);
  std::vector<int> component;
  std::vector<Real> x = truth->sample(config.size, key.fold("examples"), component);
  data.train = Examples(std::move(x), 2, std::move(component));
  data.log_density = [truth](std::span<const Real> point) { return truth->log_density(point); };
  return data;
}

void TwoMoonsConfig::fields(Fields& f) {
  size_field(f, size);
  f("noise", noise, "standard deviation of the noise along both axes", at_least(0));
}

Dataset load_two_moons(const TwoMoonsConfig& config, Key key) {
  const Index count = config.size;
  std::vector<Real> angle(at(count)), x = normal(key.fold("noise"), 2 * count);
  ad::fill_uniform(key.fold("angle"), angle, Real(0), std::numbers::pi_v<Real>);
  std::vector<int> moon(at(count));
  for (Index n = 0; n < count; ++n) {
    moon[at(n)] = static_cast<int>(n % 2);
    const double t = static_cast<double>(angle[at(n)]);
    const double cx = moon[at(n)] == 0 ? std::cos(t) : 1 - std::cos(t), cy = moon[at(n)] == 0 ? std::sin(t) : 0.5 - std::sin(t);
    x[at(2 * n)] = static_cast<Real>(cx + config.noise * static_cast<double>(x[at(2 * n)]));
    x[at(2 * n + 1)] = static_cast<Real>(cy + config.noise * static_cast<double>(x[at(2 * n + 1)]));
  }
  Dataset data;
  data.provenance = "drawn by vaezoo: two half circles with noise";
  data.shape = {1, 2, 1};
  data.classes = 2;
  data.train = Examples(std::move(x), 2, std::move(moon));
  return data;
}

}  // namespace vaezoo
