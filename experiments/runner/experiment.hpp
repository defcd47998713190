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
#include "models/registry.hpp"

namespace vaezoo {

/// Every key has a default: {} trains a VAE on the embedded digits.
struct ExperimentConfig {
  std::string name;  ///< of the run
  std::int64_t seed = 0;
  DatasetConfig dataset;
  std::string model_name = "vae";
  std::unique_ptr<ModelConfig> model;  ///< of `model_name`; `fields` makes it, so it is there once the experiment was read
  TrainConfig train;
  EvaluateConfig evaluate;
  OutputConfig output;

  void fields(Fields& f);

 private:
  std::vector<Alternative> models();
  const ModelEntry* model_entry_ = nullptr;  ///< whose settings `model` are
};

/// The experiment of a document. Throws ConfigError.
ExperimentConfig read_experiment(const Document& document);

/// The experiment of a file, changed by `overrides` (KEY=VALUE, see apply_override); one without a name is called as the file.
/// Throws ConfigError.
ExperimentConfig load_experiment(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});

/// config.json of a run: every default written. Reading it gives the same experiment.
std::string experiment_text(ExperimentConfig& config);

/// The JSON Schema of experiment files, with every data set and model.
std::string experiment_schema_text();

}  // namespace vaezoo
