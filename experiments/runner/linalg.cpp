#include "experiments/runner/linalg.hpp"

#include "autodiff/array.hpp"
// After array.hpp, whose remedy for dynamic shapes must come first.
#include <xtensor-blas/xlinalg.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace vaezoo {
namespace {

using ad::Index;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

std::vector<double> column_means(std::span<const float> rows, Index dimensions) {
  std::vector<double> mean(at(dimensions), 0);
  for (std::size_t i = 0; i < rows.size(); ++i) mean[i % at(dimensions)] += static_cast<double>(rows[i]);
  for (double& m : mean) m /= static_cast<double>(std::ssize(rows) / dimensions);
  return mean;
}

xt::xarray<double> covariance(std::span<const float> rows, const std::vector<double>& mean) {
  const std::size_t Z = mean.size(), N = rows.size() / Z;
  xt::xarray<double> sum = xt::zeros<double>({Z, Z});
  for (std::size_t n = 0; n < N; ++n)
    for (std::size_t i = 0; i < Z; ++i)
      for (std::size_t j = 0; j <= i; ++j)
        sum(i, j) += (static_cast<double>(rows[n * Z + i]) - mean[i]) * (static_cast<double>(rows[n * Z + j]) - mean[j]);
  for (std::size_t i = 0; i < Z; ++i)
    for (std::size_t j = 0; j <= i; ++j) sum(j, i) = sum(i, j) = sum(i, j) / static_cast<double>(N);
  return sum;
}

}  // namespace

PrincipalComponents principal_components(std::span<const float> rows, Index dimensions, Index count) {
  if (rows.empty() || count < 1 || count > dimensions || std::ssize(rows) % dimensions != 0)
    throw std::invalid_argument("principal_components: needs rows of `dimensions` numbers and 1 <= count <= dimensions");
  PrincipalComponents p{.mean = column_means(rows, dimensions), .axes = {}, .explained = {}};
  const auto [values, vectors] = xt::linalg::eigh(covariance(rows, p.mean));  // ascending
  double total = 0;
  for (Index i = 0; i < dimensions; ++i) total += std::max(values(at(i)), 0.0);
  for (Index c = 0; c < count; ++c) {
    const std::size_t column = at(dimensions - 1 - c);
    p.explained.push_back(total > 0 ? std::max(values(column), 0.0) / total : 0);
    double largest = 0;
    for (std::size_t i = 0; i < at(dimensions); ++i)
      if (std::abs(vectors(i, column)) > std::abs(largest)) largest = vectors(i, column);
    for (std::size_t i = 0; i < at(dimensions); ++i) p.axes.push_back(largest < 0 ? -vectors(i, column) : vectors(i, column));
  }
  return p;
}

std::vector<float> project(std::span<const float> rows, const PrincipalComponents& p) {
  const std::size_t Z = p.mean.size(), C = p.explained.size(), N = rows.size() / Z;
  std::vector<float> coordinates(N * C);
  for (std::size_t n = 0; n < N; ++n) {
    for (std::size_t c = 0; c < C; ++c) {
      double sum = 0;
      for (std::size_t i = 0; i < Z; ++i) sum += p.axes[c * Z + i] * (static_cast<double>(rows[n * Z + i]) - p.mean[i]);
      coordinates[n * C + c] = static_cast<float>(sum);
    }
  }
  return coordinates;
}

}  // namespace vaezoo
