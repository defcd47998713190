#include "experiments/runner/experiment.hpp"

#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "autodiff/check.hpp"
#include "config/printable.hpp"
#include "config/reader.hpp"
#include "config/schema.hpp"
#include "config/writer.hpp"

namespace vaezoo {
namespace {

std::string text_of_stdin() {
  constexpr std::size_t kMaxBytes = 16u << 20;  // as of a file
  std::string text;
  for (std::istreambuf_iterator<char> c(std::cin), end; c != end && text.size() <= kMaxBytes; ++c) text += *c;
  if (text.size() > kMaxBytes) throw ConfigError("standard input: larger than 16 MB, which no configuration is");
  return text;
}

/// Control characters, and bytes that are not UTF-8.
bool disturbs_a_terminal(const std::string& name) { return printable(name) != name; }

}  // namespace

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
  f.require("name", !disturbs_a_terminal(name), "names a folder, so it cannot hold control characters");
  f.require("name", name != "." && name != "..", "names a folder of its own, which \".\" and \"..\" are not");
  f("seed", seed, "of the initial weights, the order of the data and all noise");
  f("description", description, "what the experiment is about, for the report");
  f.one_of("dataset", dataset.name, dataset.alternatives(), "the data");
  f.one_of("model", model_name, models(), "what is trained");
  f("train", train, "how it is trained");
  f("evaluate", evaluate, "what is measured after training");
  tasks.visit(f);
  f("output", output, "what is written besides checkpoints and metrics");
}

ExperimentConfig read_experiment(const Document& document) { return read_config<ExperimentConfig>(document); }

ExperimentConfig load_experiment(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  const bool from_stdin = file == "-";
  Document document = from_stdin ? Document::from_text(text_of_stdin(), "standard input") : Document::from_file(file);
  const std::string sweep = document.take("sweep");
  std::vector<std::string> notes;
  if (!overrides.empty()) {
    ExperimentConfig defaults;
    const nlohmann::ordered_json schema = config_schema("", [&](Fields& f) { defaults.fields(f); });
    for (const std::string& assignment : overrides)
      if (std::string note = document.set(assignment, schema); !note.empty()) notes.push_back(std::move(note));
  }
  ExperimentConfig config = read_experiment(document);
  config.notes = std::move(notes);
  config.sweep = sweep;
  if (config.name.empty()) config.name = from_stdin ? "experiment" : file.stem().string();
  if (config.name == "." || config.name == ".." || disturbs_a_terminal(config.name))
    throw ConfigError(ad::cat(file.string(), ": the file's name makes no name for a run; give it one (\"name\")"));
  return config;
}

void refuse_overrides_without_effect(const std::vector<std::string>& overrides, const std::string& command) {
  std::vector<std::string> unread = {"train", "tasks", "output", "description"};
  if (command != "evaluate") unread.push_back("name");
  if (command == "sample" || command == "reconstruct" || command == "impute")
    for (const char* key : {"splits", "importance_samples", "kl_split", "chunk", "classifier_epochs", "active_threshold", "active_kl"})
      unread.push_back(std::string("evaluate.") + key);
  if (command == "encode")
    for (const char* key : {"splits", "importance_samples", "kl_split", "classifier_epochs", "active_threshold", "active_kl"})
      unread.push_back(std::string("evaluate.") + key);
  for (const std::string& assignment : overrides) {
    const std::string key = assignment.substr(0, assignment.find('='));
    for (const std::string& part : unread)
      if (key == part || key.starts_with(part + "."))
        throw ConfigError("--set " + assignment + ": has no effect, " + command + " does not read " + part + "; leave it out");
  }
}

std::string experiment_text(ExperimentConfig& config) {
  return config_text([&](Fields& f) { config.fields(f); });
}

std::string experiment_schema_text() {
  ExperimentConfig config;
  nlohmann::ordered_json schema = nlohmann::ordered_json::parse(config_schema_text("A vaezoo experiment", [&](Fields& f) { config.fields(f); }));
  schema["properties"]["sweep"] = {{"description", "settings of many runs, for vaezoo sweep: paths with lists of values (all combinations), a list of "
                                                   "runs, or draws (\"random\": {\"count\": 20})"},
                                   {"type", {"object", "array"}}};
  return schema.dump(1) + "\n";
}

}  // namespace vaezoo
