#include "experiments/runner/clustering.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vaezoo {

std::vector<std::size_t> best_assignment(const std::vector<std::vector<double>>& gain) {
  const std::size_t n = gain.size();
  constexpr double kFar = std::numeric_limits<double>::infinity();
  std::vector<double> u(n + 1, 0), v(n + 1, 0);         // prices of rows and columns; 0 is a place that is none
  std::vector<std::size_t> row_of(n + 1, 0), from(n + 1, 0);
  for (std::size_t row = 1; row <= n; ++row) {
    std::vector<double> least(n + 1, kFar);
    std::vector<bool> done(n + 1, false);
    std::size_t column = 0;
    row_of[0] = row;
    do {  // the shortest path to a free column
      done[column] = true;
      const std::size_t at = row_of[column];
      std::size_t next = 0;
      double step = kFar;
      for (std::size_t j = 1; j <= n; ++j) {
        if (done[j]) continue;
        const double cost = -gain[at - 1][j - 1] - u[at] - v[j];
        if (cost < least[j]) least[j] = cost, from[j] = column;
        if (least[j] < step) step = least[j], next = j;
      }
      for (std::size_t j = 0; j <= n; ++j) {
        if (done[j]) u[row_of[j]] += step, v[j] -= step;
        else least[j] -= step;
      }
      column = next;
    } while (row_of[column] != 0);
    for (; column != 0; column = from[column]) row_of[column] = row_of[from[column]];
  }
  std::vector<std::size_t> column_of(n);
  for (std::size_t j = 1; j <= n; ++j) column_of[row_of[j] - 1] = j - 1;
  return column_of;
}

ClusterScores cluster_scores(std::span<const ad::Index> clusters, std::span<const int> labels) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < clusters.size(); ++i)
    if (labels[i] >= 0) size = std::max({size, static_cast<std::size_t>(clusters[i]) + 1, static_cast<std::size_t>(labels[i]) + 1});
  std::vector<std::vector<double>> count(size, std::vector<double>(size, 0));
  std::vector<double> of_cluster(size, 0), of_class(size, 0);
  double total = 0;
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    if (labels[i] < 0) continue;
    const auto k = static_cast<std::size_t>(clusters[i]), y = static_cast<std::size_t>(labels[i]);
    ++count[k][y], ++of_cluster[k], ++of_class[y], ++total;
  }
  if (total == 0) return {};
  const std::vector<std::size_t> chosen = best_assignment(count);
  double right = 0, information = 0, entropies = 0;
  const auto plus = [total](double c) { return c > 0 ? -c / total * std::log(c / total) : 0; };
  for (std::size_t k = 0; k < size; ++k) {
    right += count[k][chosen[k]];
    entropies += plus(of_cluster[k]) + plus(of_class[k]);
    for (std::size_t y = 0; y < size; ++y)
      if (count[k][y] > 0) information += count[k][y] / total * std::log(count[k][y] * total / (of_cluster[k] * of_class[y]));
  }
  return {right / total, entropies > 0 ? 2 * information / entropies : 0};
}

}  // namespace vaezoo
