#include "experiments/output/axis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "experiments/output/text.hpp"

namespace vaezoo {
namespace {

double nice_step(double range, int count) {
  const double rough = range / std::max(1, count);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * 0.999) return factor * power;
  }
  return 10 * power;
}

/// An interval of width 0 becomes one around it; one that is not finite becomes [0, 1], or [0.1, 1] for logs. Ends stay
/// within what can be subtracted and doubled without overflow.
std::pair<double, double> drawable(double low, double high, bool log) {
  if (!std::isfinite(low) || !std::isfinite(high) || low > high || (log && low <= 0)) return {log ? 0.1 : 0.0, 1.0};
  low = std::clamp(low, log ? 1e-300 : -1e300, 1e300);
  high = std::clamp(high, log ? 1e-300 : -1e300, 1e300);
  if (high - low > 1e-12 * std::max(std::abs(low), std::abs(high))) return {low, high};
  if (log) return {low / 2, high * 2};
  const double margin = low == 0 ? 1 : 0.5 * std::abs(low);
  return {low - margin, high + margin};
}

}  // namespace

std::vector<double> linear_ticks(double low, double high, int count, bool integers) {
  double step = nice_step(high - low, count);
  if (integers) step = std::max(1.0, step);
  std::vector<double> ticks;
  const double slack = 1e-9 * (high - low) / step;
  for (double i = std::ceil(low / step - slack); i <= high / step + slack; ++i) ticks.push_back(i == 0 ? 0.0 : i * step);
  return ticks;
}

std::vector<double> log_ticks(double low, double high, int count) {
  const double decades = std::log10(high / low);
  if (decades < 1) return linear_ticks(low, high, count);
  const auto every = static_cast<int>(std::ceil(decades / std::max(1, count)));
  std::vector<double> ticks;
  for (auto e = static_cast<int>(std::floor(std::log10(low))); e <= std::ceil(std::log10(high)); ++e) {
    if (e % every != 0) continue;
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double tick = factor * std::pow(10.0, e);
      if ((factor == 1.0 || decades < 3) && tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push_back(tick);
    }
  }
  return ticks;
}

std::vector<std::string> tick_labels(const std::vector<double>& ticks) {
  std::vector<std::string> labels;
  if (ticks.empty()) return labels;
  const double largest = std::max(std::abs(ticks.front()), std::abs(ticks.back()));
  const double gap = ticks.size() > 1 ? ticks[1] - ticks[0] : largest;
  const bool even = ticks.size() < 2 || ticks.back() - ticks[ticks.size() - 2] < 1.5 * gap;
  const double unit = largest >= 1e6 ? 1e6 : largest >= 1e4 ? 1e3 : 1;
  const char* suffix = unit == 1e6 ? "M" : unit == 1e3 ? "k" : "";
  // Decades, extremes, and a step that is tiny beside the values have no common number of decimals.
  const bool separate = !even || largest >= 1e10 || largest < 1e-3 || gap < unit / 100;
  const int decimals = separate ? 0 : std::max(0, -static_cast<int>(std::floor(std::log10(gap / unit) + 1e-9)));
  for (const double tick : ticks) {
    if (separate) labels.push_back(!even && tick >= 1e4 && tick < 1e13 ? format_count(tick) : format_number(tick, 6));
    else labels.push_back(fmt::format("{:.{}f}{}", tick / unit, decimals, tick == 0 ? "" : suffix));
  }
  return labels;
}

Axis::Axis(double low, double high, double from, double to, const AxisOptions& options)
    : from_(from), to_(to), log_(options.log) {
  std::tie(low_, high_) = drawable(low, high, log_);
  ticks_ = log_ ? log_ticks(low_, high_, options.ticks) : linear_ticks(low_, high_, options.ticks, options.integers);
  labels_ = tick_labels(ticks_);
}

double Axis::operator()(double value) const {
  const double t = log_ ? std::log(value / low_) / std::log(high_ / low_) : (value - low_) / (high_ - low_);
  return from_ + t * (to_ - from_);
}

}  // namespace vaezoo
