#pragma once
// summary.json, and the table that the terminal shows.
#include <filesystem>
#include <string>
#include <vector>

#include "autodiff/safetensors.hpp"
#include "experiments/runner/run.hpp"

namespace vaezoo {

/// Final numbers under "test", "validation", "train"; the environment, time, memory, model size. Numbers that a model does not have are left out.
void write_summary(const RunFolder& folder, const Session& session, const TrainingState& state,
                   const std::vector<SplitResult>& results, const std::string& checkpoint, bool stopped_early);

/// evaluation.json: the numbers of one later evaluation, with the settings it used and the notes on what differs from training.
void write_evaluation(const std::filesystem::path& file, const Session& session, const std::vector<SplitResult>& results,
                      const std::string& checkpoint);

/// A row per metric with its name, a value for each split, its unit and its meaning.
std::string results_table(const Session& session, const std::vector<SplitResult>& results);

/// Where training stood when these weights were saved; the beginning where the file does not tell, as one of PyTorch. Throws FileError.
Position position_of(const ad::Metadata& metadata);

}  // namespace vaezoo
