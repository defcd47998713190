#include <array>
#include <cmath>

#include "autodiff/normalization.hpp"
#include "tests/engine/op_table.hpp"

namespace op_table {
namespace {

using ad::Real;
using ad::Tape;
using ad::Var;
using Vars = std::span<const Var>;

constexpr double kEpsilon = 0.01;

/// (x - mean) / sqrt(variance + epsilon) * weight + bias, mean and variance over the numbers that share a group.
Tensor normalized(std::span<const Tensor> x, bool by_column, bool with_weight) {
  const Index width = x[0].shape.back(), size = x[0].shape.size();
  const auto same_group = [&](Index i, Index j) { return by_column ? i % width == j % width : i / width == j / width; };
  Tensor y(x[0].shape);
  for (Index i = 0; i < size; ++i) {
    double n = 0, mean = 0, variance = 0;
    for (Index j = 0; j < size; ++j)
      if (same_group(i, j)) n += 1, mean += x[0][j];
    mean /= n;
    for (Index j = 0; j < size; ++j)
      if (same_group(i, j)) variance += (x[0][j] - mean) * (x[0][j] - mean) / n;
    y[i] = (x[0][i] - mean) / std::sqrt(variance + kEpsilon);
    if (with_weight) y[i] = y[i] * x[1][i % width] + x[2][i % width];
  }
  return y;
}

constexpr std::array<Real, 5> kMean{Real(0.5), 0, -1, 2, Real(0.1)}, kVariance{1, Real(0.5), 2, 0, 3};

Tensor by_moments(std::span<const Tensor> x) {
  Tensor y(x[0].shape);
  for (Index i = 0; i < y.shape.size(); ++i) {
    const auto k = static_cast<std::size_t>(i % 5);
    y[i] = (x[0][i] - double(kMean[k])) / std::sqrt(double(kVariance[k]) + kEpsilon) * x[1][i % 5] + x[2][i % 5];
  }
  return y;
}

const Real kEps = Real(kEpsilon);
const std::vector<std::vector<Shape>> kCases{
    {Shape{4, 5}, Shape{5}, Shape{5}}, {Shape{3, 2, 33}, Shape{33}, Shape{33}}, {Shape{2, 2}, Shape{2}, Shape{2}}};

[[maybe_unused]] const bool normalization_rows = add_rows({
    {"batch_norm(Var, Var, Var, Real, Activation)",
     [](Tape&, Vars x) { return batch_norm(x[0], x[1], x[2], kEps).y; },
     [](std::span<const Tensor> x) { return normalized(x, true, true); },
     kCases,
     {},
     {{{Shape{1, 5}, Shape{5}, Shape{5}}, "needs at least two rows"}}},
    {"batch_norm(Var, Var, Var, Real, Activation)",
     [](Tape&, Vars x) { return batch_norm(x[0], {}, {}, kEps).y; },
     [](std::span<const Tensor> x) { return normalized(x, true, false); },
     {{Shape{7, 3}}},
     {},
     {},
     "no weight"},
    {"batch_norm(Var, Var, Var, const Moments&, Real, Activation)",
     [](Tape&, Vars x) {
       return batch_norm(x[0], x[1], x[2], ad::Moments{kMean, kVariance}, kEps);
     },
     by_moments,
     {{Shape{4, 5}, Shape{5}, Shape{5}}, {Shape{1, 5}, Shape{5}, Shape{5}}}},
    {"batch_norm(Var, Var, Var, Real, Activation)",
     [](Tape&, Vars x) { return batch_norm(x[0], x[1], x[2], kEps, ad::Activation::tanh).y; },
     [](std::span<const Tensor> x) {
       Tensor y = normalized(x, true, true);
       for (double& v : y.values) v = std::tanh(v);
       return y;
     },
     kCases,
     {},
     {},
     "tanh"},
    {"batch_norm(Var, Var, Var, const Moments&, Real, Activation)",
     [](Tape&, Vars x) {
       return batch_norm(x[0], x[1], x[2], ad::Moments{kMean, kVariance}, kEps, ad::Activation::silu);
     },
     [](std::span<const Tensor> x) {
       Tensor y = by_moments(x);
       for (double& v : y.values) v /= 1 + std::exp(-v);
       return y;
     },
     {{Shape{4, 5}, Shape{5}, Shape{5}}},
     {},
     {},
     "silu"},
    {"layer_norm(Var, Var, Var, Real)",
     [](Tape&, Vars x) { return layer_norm(x[0], x[1], x[2], kEps); },
     [](std::span<const Tensor> x) { return normalized(x, false, true); },
     kCases,
     {},
     {{{Shape{2, 5}, Shape{4}, Shape{4}}, "["}}},
    {"layer_norm(Var, Var, Var, Real)",
     [](Tape&, Vars x) { return layer_norm(x[0], {}, {}, kEps); },
     [](std::span<const Tensor> x) { return normalized(x, false, false); },
     {{Shape{7, 3}}},
     {},
     {},
     "no weight"},
});

}  // namespace
}  // namespace op_table
