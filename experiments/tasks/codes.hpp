#pragma once
// What the measures of disentanglement compare: the codes of examples, and the factors that made the examples.
#include <functional>
#include <vector>

#include "autodiff/random.hpp"

namespace vaezoo {

using ad::Index;
using ad::Key;

/// Rows of numbers.
struct Matrix {
  Index rows = 0, columns = 0;
  std::vector<double> values;

  Matrix() = default;
  Matrix(Index rows_, Index columns_) : rows(rows_), columns(columns_), values(static_cast<std::size_t>(rows_ * columns_), 0) {}
  double& operator()(Index i, Index j) { return values[static_cast<std::size_t>(i * columns + j)]; }
  double operator()(Index i, Index j) const { return values[static_cast<std::size_t>(i * columns + j)]; }
  std::vector<double> column(Index j) const;
};

/// The factors of N examples: of factor k a number 0 <= v < counts[k].
struct FactorTable {
  Index rows = 0;
  std::vector<int> counts;
  std::vector<int> values;  ///< [rows, K]

  FactorTable() = default;
  FactorTable(Index rows_, std::vector<int> counts_);
  Index factors() const { return static_cast<Index>(counts.size()); }
  int& operator()(Index i, Index k) { return values[static_cast<std::size_t>(i * factors() + k)]; }
  int operator()(Index i, Index k) const { return values[static_cast<std::size_t>(i * factors() + k)]; }
  std::vector<int> column(Index k) const;
};

/// N tuples, each factor uniform and independent.
FactorTable draw_factors(const std::vector<int>& counts, Index rows, Key key);

/// The codes [N, D] of examples with these factors; the key is of what is random in them. A row does not depend on the others.
using Represent = std::function<Matrix(const FactorTable&, Key)>;

}  // namespace vaezoo
