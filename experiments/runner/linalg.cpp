#include "experiments/runner/linalg.hpp"

#include "autodiff/array.hpp"
// After array.hpp, whose remedy for dynamic shapes must come first.
#include <xtensor-blas/xlinalg.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "autodiff/gemm.hpp"

namespace vaezoo {
namespace {

using ad::Index;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

using Matrix = xt::xarray<double>;

/// The rows [N, Z] less their mean.
Matrix centred(std::span<const float> rows, const std::vector<double>& mean) {
  const std::size_t Z = mean.size(), N = rows.size() / Z;
  Matrix x = xt::zeros<double>({N, Z});
  for (std::size_t n = 0; n < N; ++n)
    for (std::size_t i = 0; i < Z; ++i) x(n, i) = static_cast<double>(rows[n * Z + i]) - mean[i];
  return x;
}

std::vector<double> column_means(std::span<const float> rows, Index dimensions) {
  std::vector<double> mean(at(dimensions), 0);
  for (std::size_t i = 0; i < rows.size(); ++i) mean[i % at(dimensions)] += static_cast<double>(rows[i]);
  for (double& m : mean) m /= static_cast<double>(std::ssize(rows) / dimensions);
  return mean;
}

/// Scales to length 1 and turns the largest element positive; zeros stay zeros.
void append_axis(std::vector<double>& axes, std::vector<double> axis) {
  double squares = 0, largest = 0;
  for (const double v : axis) {
    squares += v * v;
    if (std::abs(v) > std::abs(largest)) largest = v;
  }
  const double scale = squares > 0 ? (largest < 0 ? -1 : 1) / std::sqrt(squares) : 0;
  for (const double v : axis) axes.push_back(v * scale);
}

}  // namespace

PrincipalComponents principal_components(std::span<const float> rows, Index dimensions, Index count) {
  if (rows.empty() || count < 1 || count > dimensions || std::ssize(rows) % dimensions != 0)
    throw std::invalid_argument("principal_components: needs rows of `dimensions` numbers and 1 <= count <= dimensions");
  ad::require_blas_memory();
  PrincipalComponents p{.mean = column_means(rows, dimensions), .axes = {}, .explained = {}};
  const Matrix x = centred(rows, p.mean);
  const Index examples = std::ssize(rows) / dimensions;
  // X^T X and X X^T have the same eigenvalues beside zeros, and X^T u is an eigenvector of the one when u is of the other: the smaller
  // matrix is taken.
  const bool by_rows = examples < dimensions;
  const Matrix product = by_rows ? Matrix(xt::linalg::dot(x, xt::transpose(x))) : Matrix(xt::linalg::dot(xt::transpose(x), x));
  const auto [values, vectors] = xt::linalg::eigh(product);  // ascending
  const Index found = by_rows ? examples : dimensions;
  double total = 0;
  for (Index i = 0; i < found; ++i) total += std::max(values(at(i)), 0.0);
  for (Index c = 0; c < count; ++c) {
    std::vector<double> axis(at(dimensions), 0);
    const std::size_t column = at(std::max<Index>(found - 1 - c, 0));
    p.explained.push_back(c < found && total > 0 ? std::max(values(column), 0.0) / total : 0);
    if (c < found) {
      for (Index i = 0; i < dimensions; ++i) {
        if (!by_rows) axis[at(i)] = vectors(at(i), column);
        for (Index n = 0; by_rows && n < examples; ++n) axis[at(i)] += x(at(n), at(i)) * vectors(at(n), column);
      }
    }
    append_axis(p.axes, std::move(axis));
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
