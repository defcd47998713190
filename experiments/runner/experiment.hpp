#pragma once
// One JSON file says everything about an experiment.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "config/document.hpp"
#include "config/fields.hpp"
#include "datasets/config.hpp"
#include "experiments/runner/train_config.hpp"
#include "experiments/tasks/task.hpp"
#include "models/registry.hpp"

namespace vaezoo {

/// Every key has a default: {} trains a VAE on the embedded digits.
struct ExperimentConfig {
  std::string name;         ///< of the run
  std::string description;  ///< what it is about, for the report
  std::int64_t seed = 0;
  DatasetConfig dataset;
  std::string model_name = "vae";
  std::unique_ptr<ModelConfig> model;  ///< of `model_name`; `fields` makes it, so it is there once the experiment was read
  TrainConfig train;
  EvaluateConfig evaluate;
  TasksConfig tasks;
  OutputConfig output;
  std::string sweep;  ///< the block "sweep" of the file as JSON text, see plan_sweep; "" when there is none. Not part of a run's config.json
  std::vector<std::string> notes;  ///< sentences on settings that an override left out, see Document::set

  void fields(Fields& f);

 private:
  std::vector<Alternative> models();
  const ModelEntry* model_entry_ = nullptr;  ///< whose settings `model` are
};

/// The experiment of a document. Throws ConfigError.
ExperimentConfig read_experiment(const Document& document);

/// The experiment of a file, or of standard input when `file` is "-", changed by `overrides` (KEY=VALUE, see Document::set); one without
/// a name is called as the file ("experiment" when there is none). Throws ConfigError.
ExperimentConfig load_experiment(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});

/// Throws ConfigError when an override of a run changes what `command` (evaluate, sample, reconstruct, encode) does not read.
void refuse_overrides_without_effect(const std::vector<std::string>& overrides, const std::string& command);

/// config.json of a run: every default written. Reading it gives the same experiment.
std::string experiment_text(ExperimentConfig& config);

/// The JSON Schema of experiment files, with every data set and model.
std::string experiment_schema_text();

}  // namespace vaezoo
