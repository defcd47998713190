#pragma once
#include <string>

namespace vaezoo {

/// A named number of a run, as the logs, the progress line and the charts show it: {"kl", 25.1}. Where tables and the report
/// show it, it has its unit ("" of a number without one) and its meaning.
struct Metric {
  std::string name;
  double value = 0;
  std::string unit = "";
  std::string meaning = "";
};

}  // namespace vaezoo
