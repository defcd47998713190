#include "experiments/runner/detection.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

namespace vaezoo {
namespace {

/// Calls f(anomalies, normals) for the examples of each distinct score, the highest first.
template <class F>
void for_each_score(std::span<const double> scores, std::span<const std::uint8_t> anomaly, F f) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  for (std::size_t i = 0; i < order.size();) {
    double anomalies = 0, normals = 0;
    const double score = scores[order[i]];
    for (; i < order.size() && scores[order[i]] == score; ++i) (anomaly[order[i]] != 0 ? anomalies : normals) += 1;
    f(anomalies, normals);
  }
}

}  // namespace

double auroc(std::span<const double> scores, std::span<const std::uint8_t> anomaly) {
  double above = 0, normals = 0, area = 0;
  for_each_score(scores, anomaly, [&](double p, double n) {
    area += n * (above + p / 2);
    above += p, normals += n;
  });
  return above > 0 && normals > 0 ? area / (above * normals) : std::numeric_limits<double>::quiet_NaN();
}

double average_precision(std::span<const double> scores, std::span<const std::uint8_t> anomaly) {
  double found = 0, taken = 0, area = 0;
  for_each_score(scores, anomaly, [&](double p, double n) {
    found += p, taken += p + n;
    area += p * found / taken;
  });
  return found > 0 ? area / found : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace vaezoo
