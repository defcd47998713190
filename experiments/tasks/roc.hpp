#pragma once
// How well a score separates positives, which should have the larger ones, from negatives. Equal scores are one threshold, as in scikit-learn.
#include <vector>

namespace vaezoo {

/// The points of the ROC curve from (0, 0) to (1, 1), one for each distinct score, from the largest on.
struct RocCurve {
  std::vector<double> false_alarms, hits;  ///< shares of the negatives and of the positives at or above the threshold
};
/// Throws std::invalid_argument where there are no positives or no negatives, as the functions below do.
RocCurve roc_curve(const std::vector<double>& scores, const std::vector<bool>& positive);
/// P(a positive has a larger score than a negative), ties counting half.
double roc_area(const std::vector<double>& scores, const std::vector<bool>& positive);
/// The area under precision against recall, by steps: sum over thresholds of (recall gained) x precision.
double average_precision(const std::vector<double>& scores, const std::vector<bool>& positive);

}  // namespace vaezoo
