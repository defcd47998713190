#pragma once
// Several runs side by side.
#include <string>
#include <vector>

#include "experiments/runner/run.hpp"

namespace vaezoo {

struct CompareRequest {
  std::vector<std::string> runs;  ///< folders
  std::string title = "Comparison", description = "";
  std::vector<std::string> warnings = {};  ///< sentences that the page shows first, for example which runs failed
  std::string html = "";  ///< the page; empty: none
  std::string csv = "";   ///< the numbers; empty: none
};
/// Prints a table of the runs: the settings in which they differ, the numbers of a split that all have, with standard errors, and
/// the mean over runs that differ only in seeds with its standard error. The page adds learning curves and the rate-distortion
/// plane. What was not measured alike (other data, other importance samples, an unfinished run) is said. Throws UsageError.
int compare_command(const CompareRequest& request, const CommonOptions& common);

}  // namespace vaezoo
