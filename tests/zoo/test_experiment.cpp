#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "experiments/runner/experiment.hpp"
#include "tests/zoo/config_examples.hpp"

using namespace vaezoo;
using nlohmann::json;

namespace {

ExperimentConfig read(const json& value) { return read_experiment(Document::from_json(value, "exp.json")); }

std::string error(const json& value) {
  return test::error_of([&] { (void)read(value); });
}

}  // namespace

TEST_CASE("experiment: {} is a VAE on the embedded digits") {
  const ExperimentConfig config = read(json::object());
  CHECK(config.dataset.name == "digits");
  CHECK(config.model_name == "vae");
  CHECK(config.model != nullptr);
}

TEST_CASE("experiment: every model's settings are read, kept and written back") {
  for (const ModelEntry& entry : model_registry()) {
    CAPTURE(entry.name);
    ExperimentConfig config = read({{"name", "run"}, {"model", {{"name", entry.name}, {"likelihood", "laplace"}}}});
    const json resolved = json::parse(experiment_text(config));
    CHECK(resolved.at("model").at("name") == entry.name);
    CHECK(resolved.at("model").at("likelihood").at("name") == "laplace");
    ExperimentConfig again = read(resolved);
    CHECK(json::parse(experiment_text(again)) == resolved);
    ExperimentConfig moved = std::move(again);
    CHECK(json::parse(experiment_text(moved)) == resolved);
  }
}

TEST_CASE("experiment: every data set of the list can be chosen, with its defaults or its required fields named") {
  for (const DatasetInfo& info : dataset_list()) {
    CAPTURE(info.name);
    const std::string message = error({{"dataset", info.name}});
    CHECK((message.empty() || message.starts_with("exp.json: dataset.")));
  }
}

TEST_CASE("experiment: what is misspelt is told with its path") {
  CHECK(error({{"model", "vea"}}).starts_with("exp.json: model: unknown \"vea\"; did you mean \"vae\"? choices: "));
  CHECK(error({{"model", {{"name", "beta_vae"}, {"latent_dims", 2}}}}) ==
        "exp.json: model.latent_dims: unknown key for \"beta_vae\"; did you mean \"latent_dim\"?");
  CHECK(error({{"dataset", "minst"}}).starts_with("exp.json: dataset: unknown \"minst\"; did you mean \"mnist\"? choices: "));
  CHECK(error({{"training", {{"epochs", 1}}}}) ==
        "exp.json: training: unknown key; valid keys: name, seed, description, dataset, model, train, evaluate, tasks, output");
  CHECK(error({{"name", "a/b"}}) == "exp.json: name: names a folder, so it cannot hold a \"/\"");
}

TEST_CASE("experiment: the schema holds every data set and model") {
  const json schema = json::parse(experiment_schema_text());
  CHECK(schema.at("properties").at("model").at("oneOf").size() == 1 + model_registry().size());
  CHECK(schema.at("properties").at("dataset").at("oneOf").size() == 1 + dataset_list().size());
  CHECK(schema.at("additionalProperties") == false);
}
