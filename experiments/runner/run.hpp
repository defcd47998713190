#pragma once
// What the commands do: train, go on, evaluate.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/runner/trainer.hpp"

namespace vaezoo {

/// Options that all commands share.
struct CommonOptions {
  std::optional<std::string> data_dir;
  std::optional<int> threads;
  bool quiet = false;
  bool accept_data = false;  ///< use a run with data that are not those of its training
};

/// Results of a split that summary.json and the report show.
struct SplitResult {
  Split split;
  Evaluation evaluation;
};

/// Trains the experiment in `folder`, evaluates it, and writes summary.json, pictures and report.html. Returns the exit code: kDone,
/// or signal_code when a signal came (everything is saved then). Throws as its parts do.
/// A folder that holds a run is refused with UsageError unless `force`, which removes that run once data and model are found good.
/// So is one in which another process trains.
int run_experiment(ExperimentConfig config, const std::filesystem::path& folder, bool force, const CommonOptions& common);

/// Goes on with a run that was interrupted, or whose plan `overrides` make longer; one that is finished is evaluated again. What changes
/// goes into config.json. Throws ConfigError for a change that the steps done do not allow (see objection_to_resume), DataError when the
/// data are not those of the steps done.
int resume_run(const std::filesystem::path& folder, const std::vector<std::string>& overrides, const CommonOptions& common);

/// "vaezoo resume FOLDER", with the options that it needs again, as a shell reads it.
std::string command_line(const std::string& command, const std::filesystem::path& folder, const CommonOptions& common);

struct LoadedWeights {
  std::string checkpoint;  ///< "best" or "last"
  Position trained;        ///< how far
};

/// A trained run, ready for questions.
struct LoadedRun {
  std::unique_ptr<Session> session;
  RunFolder folder;
  LoadedWeights weights;
};
enum class Need {
  examples,
  draws,    ///< examples only where samples are conditioned on them
  model     ///< its weights, and what it must know of the data
};
/// `checkpoint` is "best", "last", or "" for best where there is one. Data are treated as the checkpoint tells: standardised by the means
/// and deviations of training. What differs from training (settings of data and model, the data themselves) is in the session's
/// config.notes. Throws UsageError when the folder is no run, ConfigError for another model, and DataError when the data are not those of
/// training though their settings are, unless common.accept_data.
LoadedRun load_run(const std::filesystem::path& folder, const std::string& checkpoint, const std::vector<std::string>& overrides,
                   const CommonOptions& common, Need need = Need::examples);

/// Evaluates the configured splits and prints them; writes evaluation.json into the folder.
int evaluate_run(const LoadedRun& run, bool quiet = false);

}  // namespace vaezoo
