#include "experiments/runner/detection.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "experiments/tasks/roc.hpp"

namespace vaezoo {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// roc.hpp's functions need both, and throw without.
struct Judged {
  Judged(std::span<const double> scores_, std::span<const std::uint8_t> anomaly)
      : scores(scores_.begin(), scores_.end()) {
    for (const std::uint8_t a : anomaly) positive.push_back(a != 0);
    anomalies = std::ranges::count(positive, true) > 0;
    normals = std::ranges::count(positive, false) > 0;
  }
  std::vector<double> scores;
  std::vector<bool> positive;
  bool anomalies, normals;
};

}  // namespace

double auroc(std::span<const double> scores, std::span<const std::uint8_t> anomaly) {
  const Judged judged(scores, anomaly);
  return judged.anomalies && judged.normals ? roc_area(judged.scores, judged.positive) : kNaN;
}

double average_precision(std::span<const double> scores, std::span<const std::uint8_t> anomaly) {
  const Judged judged(scores, anomaly);
  if (!judged.anomalies) return kNaN;
  return judged.normals ? average_precision(judged.scores, judged.positive) : 1;
}

}  // namespace vaezoo
