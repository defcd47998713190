#pragma once
// How well a score tells anomalies from normal examples.
#include <cstdint>
#include <span>

namespace vaezoo {

/// The area under the ROC curve: the probability that an anomaly scores higher than a normal example, a tie counting half. NaN
/// unless there are both.
double auroc(std::span<const double> scores, std::span<const std::uint8_t> anomaly);

/// The area under the precision-recall curve as average precision, sum_n (R_n - R_n-1) P_n over the distinct scores from the
/// highest on. NaN without anomalies.
double average_precision(std::span<const double> scores, std::span<const std::uint8_t> anomaly);

}  // namespace vaezoo
