#pragma once
#include <string>

namespace vaezoo {

/// A named number of a run, as the logs, the progress line and the charts show it: {"kl", 25.1}.
struct Metric {
  std::string name;
  double value = 0;
};

}  // namespace vaezoo
