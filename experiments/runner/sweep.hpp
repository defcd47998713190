#pragma once
// Many runs from one experiment file.
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/runner/run.hpp"

namespace vaezoo {

/// One run of a sweep: what is set otherwise than in the file, as --set takes it.
struct SweepRun {
  std::string name;  ///< "beta=2,seed=1"
  std::vector<std::string> overrides;
};

/// The runs that the block "sweep" of an experiment asks for:
///   {"model.beta": [1, 2, 4], "seed": [1, 2, 3]}                     every combination, the last setting in alphabetical order
///   fastest
///   [{"model.beta": 1, "train.epochs": 5}, {"model.beta": 4}]        these
///   {"random": {"count": 20, "seed": 0}, "model.latent_dim": [8, 16], "train.optimizer.learning_rate": {"log_uniform": [1e-4,
///   1e-2]}}
///                                                                    draws; also {"uniform": [a, b]}, {"integer": [a, b]}
/// Throws ConfigError, naming `source`.
std::vector<SweepRun> plan_sweep(const std::string& sweep, const std::string& source);

/// The experiment of one run of a sweep, with its name. Throws ConfigError, naming the run.
ExperimentConfig load_sweep_run(const std::string& file, const std::vector<std::string>& overrides, const SweepRun& run);

struct SweepRequest {
  std::string file, out;  ///< the folder of all runs; empty: sweeps/NAME
  std::vector<std::string> overrides;
  int jobs = 1;  ///< runs at a time
};
/// Trains each run in a folder of its own below `out`, as child processes of this program; finished runs are passed over, broken
/// ones resumed. All are validated before the first starts. One that fails does not stop the others; at the end those that failed
/// are listed, and the finished ones compared (compare.html, see compare_command). However this ends, by a signal or an error
/// too, no child is left running: each saves first. Returns kDone, the exit code of the first run that failed, or signal_code.
/// Throws ConfigError, UsageError, and std::runtime_error when a run cannot be started.
int sweep_command(const SweepRequest& request, const CommonOptions& common);

}  // namespace vaezoo
