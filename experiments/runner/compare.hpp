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
  bool names_say_settings = false;         ///< as those of a sweep do, so that the terminal needs no table of settings
  std::string html = "";  ///< the page; empty: none
  std::string csv = "";   ///< the numbers; empty: none
};
/// Prints tables of the runs: the settings in which they differ; the numbers of a split that all have, as the mean over runs that
/// differ only in the seed with its standard error, the best of each marked; and where groups share seeds, paired differences
/// from the first (see compared_runs.hpp). The page adds learning curves and the rate-distortion plane. What was not measured
/// alike (other data, other importance samples, an unfinished run) is said. Throws UsageError, and FileError when a file of a run
/// is damaged.
int compare_command(const CompareRequest& request, const CommonOptions& common);

}  // namespace vaezoo
