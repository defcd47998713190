#pragma once
#include <vector>

#include "experiments/runner/pictures.hpp"
#include "experiments/runner/run.hpp"

namespace vaezoo {

/// report.html of a run: results with their units and meaning, warnings, curves of the losses, KL per dimension, pictures, configuration,
/// environment.
void write_run_report(const RunFolder& folder, const Session& session, const std::vector<SplitResult>& results,
                      const std::vector<SavedPicture>& pictures);

}  // namespace vaezoo
