#include "experiments/tasks/codes.hpp"

#include <utility>

namespace vaezoo {

std::vector<double> Matrix::column(Index j) const {
  std::vector<double> out;
  for (Index i = 0; i < rows; ++i) out.push_back((*this)(i, j));
  return out;
}

FactorTable::FactorTable(Index rows_, std::vector<int> counts_)
    : rows(rows_), counts(std::move(counts_)), values(static_cast<std::size_t>(rows * factors()), 0) {}

std::vector<int> FactorTable::column(Index k) const {
  std::vector<int> out;
  for (Index i = 0; i < rows; ++i) out.push_back((*this)(i, k));
  return out;
}

FactorTable draw_factors(const std::vector<int>& counts, Index rows, Key key) {
  FactorTable table(rows, counts);
  for (Index k = 0; k < table.factors(); ++k)
    for (Index i = 0; i < rows; ++i)
      table(i, k) = static_cast<int>(ad::uniform_integer(key.fold(static_cast<std::uint64_t>(k)).fold(static_cast<std::uint64_t>(i)),
                                                         static_cast<std::uint64_t>(counts[static_cast<std::size_t>(k)])));
  return table;
}

}  // namespace vaezoo
