#include "experiments/tasks/roc.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace vaezoo {
namespace {

/// Calls f(negatives, positives) so far, after each group of equal scores, from the largest on.
template <class F>
void for_thresholds(const std::vector<double>& scores, const std::vector<bool>& positive, const F& f) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, std::greater<>(), [&](std::size_t i) { return scores[i]; });
  double negatives = 0, positives = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    ++(positive[order[i]] ? positives : negatives);
    if (i + 1 == order.size() || scores[order[i + 1]] != scores[order[i]]) f(negatives, positives);
  }
}

std::pair<double, double> totals(const std::vector<double>& scores, const std::vector<bool>& positive) {
  const auto positives = static_cast<double>(std::ranges::count(positive, true));
  const double negatives = static_cast<double>(positive.size()) - positives;
  if (scores.size() != positive.size() || positives == 0 || negatives == 0)
    throw std::invalid_argument("a ROC curve needs a score for each example, positives and negatives");
  return {negatives, positives};
}

}  // namespace

double roc_area(const std::vector<double>& scores, const std::vector<bool>& positive) {
  const auto [negatives, positives] = totals(scores, positive);
  double area = 0, alarms_before = 0, hits_before = 0;  // of counts, so that the sum is exact
  for_thresholds(scores, positive, [&](double false_alarms, double hits) {
    area += (false_alarms - alarms_before) * (hits + hits_before) / 2;
    alarms_before = false_alarms;
    hits_before = hits;
  });
  return area / (negatives * positives);
}

double average_precision(const std::vector<double>& scores, const std::vector<bool>& positive) {
  const double positives = totals(scores, positive).second;
  double area = 0, before = 0;
  for_thresholds(scores, positive, [&](double false_alarms, double hits) {
    area += (hits - before) * hits / (hits + false_alarms);
    before = hits;
  });
  return area / positives;
}

}  // namespace vaezoo
