#pragma once
// What runs have in common and where they differ: groups, means over seeds, paired differences.
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "datasets/dataset.hpp"
#include "experiments/runner/run_folder.hpp"

namespace vaezoo {

struct ComparedRun {
  std::string name;
  RunFolder folder;
  std::map<std::string, std::string> settings;  ///< every path of config.json and its value as JSON
  nlohmann::json summary;                       ///< null while the run is unfinished
  std::map<std::string, std::string> digests;   ///< of the splits, by name; empty where no checkpoint tells them

  bool finished() const { return !summary.is_null(); }
  std::string setting(const std::string& path) const;  ///< "" where it has none
  /// Of the split's numbers in the summary; nothing where it is missing or was not finite.
  std::optional<double> number(const std::string& split, const std::string& metric) const;
};

/// Reads a run's folder. Throws UsageError when it holds none, and FileError when a file of it is damaged.
ComparedRun read_compared_run(const std::string& folder);

/// The paths of settings that are not the same in all runs, but for names, descriptions and output.
std::vector<std::string> differing_settings(const std::vector<ComparedRun>& runs);

/// The first of test, validation and train that all finished runs were evaluated on; "" when there is none.
std::string common_split(const std::vector<ComparedRun>& runs);

/// Finished runs that differ only in the run's seed: the same settings otherwise, the same data, measured alike.
struct RunGroup {
  std::string name;  ///< what sets it apart, "beta=4, latent_dim=2"; of a name too long for a table, the name of its first run
  bool shortened;    ///< is it the latter?
  std::vector<const ComparedRun*> runs;
};
/// In the order of their first runs. `settings` are those that differ.
std::vector<RunGroup> groups_of(const std::vector<ComparedRun>& runs, const std::vector<std::string>& settings,
                                const std::string& split);

/// Every number that some run has, the likelihood first; standard errors stand with their numbers.
std::vector<std::string> metrics_of(const std::vector<RunGroup>& groups, const std::string& split);

struct Mean {
  double value = 0;
  std::optional<double> standard_error;
};
/// Over the runs of the group that have the number, with its standard error over them; where only one has it, the standard error
/// over examples that its run tells.
std::optional<Mean> mean_of(const RunGroup& group, const std::string& split, const std::string& metric);

enum class Better { unknown, lower, higher };
/// Which way a number is better; unknown of those that are neither, as kl, or not alike between objectives, as loss.
Better better_of(const std::string& metric);

/// Do the number's values say the same of both groups? Not on other examples; a likelihood neither of data that were prepared or
/// modelled in another way, nor by another number of importance samples.
bool comparable(const RunGroup& a, const RunGroup& b, const std::string& split, const std::string& metric);

/// The groups whose mean is the best, of several where all are comparable; empty otherwise.
std::vector<const RunGroup*> best_of(const std::vector<RunGroup>& groups, const std::string& split, const std::string& metric);

/// Do they differ in one setting that both have? Those that only one of them has come with it.
bool one_setting_apart(const RunGroup& a, const RunGroup& b);

/// The seeds that both groups have, as JSON.
std::vector<std::string> shared_seeds(const RunGroup& a, const RunGroup& b);

/// The mean of group - baseline, seed by seed, and its standard error over the seeds; nothing with fewer than two seeds, or where
/// the number is not comparable.
std::optional<Mean> paired_difference(const RunGroup& group, const RunGroup& baseline, const std::string& split,
                                      const std::string& metric);

/// Sentences on what keeps the numbers from being compared as they stand.
std::vector<std::string> caveats(const std::vector<ComparedRun>& runs, const std::string& split,
                                 const std::vector<std::string>& settings);

}  // namespace vaezoo
