#pragma once
// A run's configuration then and now, and which of its settings may change on the way.
#include <string>
#include <vector>

#include "experiments/runner/experiment.hpp"

namespace vaezoo {

struct ConfigChange {
  std::string key;        ///< "train.batch_size"
  std::string then, now;  ///< the values as JSON; "nothing" where there was none
};

/// What differs between the configuration that a checkpoint holds and the present one, both with all defaults. Throws FileError,
/// naming `source`, when this version cannot read the one of then.
std::vector<ConfigChange> config_changes(const std::string& then, ExperimentConfig& now, const std::string& source);

/// "train.batch_size was 64 and is 32"
std::string to_text(const ConfigChange& change);

/// Why a run that has begun cannot go on after the change; empty when it can. It can with another length and other rates of the
/// training to come, with other evaluation and output, and with data that lie elsewhere.
std::string objection_to_resume(const ConfigChange& change);

/// Throws ConfigError with all objections.
void check_resumable(const std::vector<ConfigChange>& changes, const std::string& folder);

}  // namespace vaezoo
