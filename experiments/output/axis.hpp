#pragma once
// The axis of a chart: from data to pixels, with ticks at round numbers.
#include <string>
#include <vector>

namespace vaezoo {

struct AxisOptions {
  bool log = false;
  bool integers = false;  ///< ticks only at whole numbers (epochs, dimensions)
  int ticks = 6;          ///< about so many
};

/// Maps [low, high] to pixels [from, to]. A log axis wants low > 0.
class Axis {
 public:
  /// An empty or infinite interval is widened to one that can be drawn.
  Axis(double low, double high, double from, double to, const AxisOptions& options = {});

  double operator()(double value) const;  ///< pixel of a value; not finite for what a log axis cannot show
  const std::vector<double>& ticks() const { return ticks_; }
  const std::vector<std::string>& labels() const { return labels_; }
  double low() const { return low_; }
  double high() const { return high_; }

 private:
  double low_, high_, from_, to_;
  bool log_;
  std::vector<double> ticks_;
  std::vector<std::string> labels_;
};

/// Multiples of 1, 2 or 5 times a power of ten inside [low, high], about `count` of them.
std::vector<double> linear_ticks(double low, double high, int count, bool integers = false);
/// Powers of ten inside [low, high], with 2 and 5 between them when there are few; linear ticks within less than a decade.
std::vector<double> log_ticks(double low, double high, int count);
/// One notation and number of decimals for ticks at equal steps of 1, 2 or 5 times a power of ten: "0.5", "100", "20k", "1e-05".
std::vector<std::string> tick_labels(const std::vector<double>& ticks);

}  // namespace vaezoo
