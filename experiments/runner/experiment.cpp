#include "experiments/runner/experiment.hpp"

#include "config/reader.hpp"
#include "config/schema.hpp"
#include "config/writer.hpp"

namespace vaezoo {

std::vector<Alternative> ExperimentConfig::models() {
  std::vector<Alternative> alternatives;
  for (const ModelEntry& entry : model_registry()) {
    const auto fields_of_entry = [this, &entry](Fields& f) {
      // A schema visits the alternatives that were not chosen, too: those have no settings to keep.
      if (model_name != entry.name) return entry.make_config()->fields(f);
      if (model_entry_ != &entry) {
        model = entry.make_config();
        model_entry_ = &entry;
      }
      model->fields(f);
    };
    alternatives.push_back({entry.name, std::string(entry.summary) + " (" + entry.paper + ")", fields_of_entry});
  }
  return alternatives;
}

void ExperimentConfig::fields(Fields& f) {
  f("name", name, "of the run; when left out, the file's name");
  f.require("name", name.find('/') == std::string::npos, "names a folder, so it cannot hold a \"/\"");
  f("seed", seed, "of the initial weights, the order of the data and all noise");
  f.one_of("dataset", dataset.name, dataset.alternatives(), "the data");
  f.one_of("model", model_name, models(), "what is trained");
  f("train", train, "how it is trained");
  f("evaluate", evaluate, "what is measured after training");
  f("output", output, "what is written beside checkpoints and metrics");
}

ExperimentConfig read_experiment(const Document& document) { return read_config<ExperimentConfig>(document); }

ExperimentConfig load_experiment(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  Document document = Document::from_file(file);
  for (const std::string& assignment : overrides) document.set(assignment);
  ExperimentConfig config = read_experiment(document);
  if (config.name.empty()) config.name = file.stem().string();
  return config;
}

std::string experiment_text(ExperimentConfig& config) {
  return config_text([&](Fields& f) { config.fields(f); });
}

std::string experiment_schema_text() {
  ExperimentConfig config;
  return config_schema_text("A vaezoo experiment", [&](Fields& f) { config.fields(f); });
}

}  // namespace vaezoo
