#pragma once
// How well a score separates positives, which should have the larger ones, from negatives. Equal scores are one threshold, as in scikit-learn.
#include <vector>

namespace vaezoo {

// Both throw std::invalid_argument where there are no positives or no negatives.

/// The area under the ROC curve: P(a positive has a larger score than a negative), ties counting half.
double roc_area(const std::vector<double>& scores, const std::vector<bool>& positive);
/// The area under precision against recall, by steps: sum over thresholds of (recall gained) x precision.
double average_precision(const std::vector<double>& scores, const std::vector<bool>& positive);

}  // namespace vaezoo
