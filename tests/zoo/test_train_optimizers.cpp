#include <doctest/doctest.h>

#include <algorithm>

#include "experiments/runner/errors.hpp"
#include "tests/zoo/runner_support.hpp"

using namespace test_support;
using namespace vaezoo;
using nlohmann::json;

namespace {

json adversarial_experiment() {
  json value = tiny_experiment();
  value["model"]["name"] = "factor_vae";
  value["model"]["discriminator"] = {{"hidden", {8}}};
  value["train"]["optimizers"] = {{"discriminator", {{"name", "rmsprop"}, {"learning_rate", 1e-3}, {"schedule", "cosine"}, {"clip_norm", 1}}}};
  return value;
}

std::vector<float> tensor(const std::filesystem::path& folder, const std::string& name) {
  const ad::Safetensors file(folder / "checkpoints" / "last.safetensors");
  const auto* found = file.find(name);
  REQUIRE(found != nullptr);
  std::vector<ad::Real> values(found->size);
  file.read(*found, std::span<ad::Real>(values));
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("train.optimizers: the optimiser of a group trains its parameters, train.optimizer the others") {
  const TempFolder temp;
  const auto trained = [&](double rate, double group_rate) {
    json value = adversarial_experiment();
    value["train"]["optimizer"] = {{"name", "sgd"}, {"learning_rate", rate}};
    value["train"]["optimizers"]["discriminator"] = {{"name", "sgd"}, {"learning_rate", group_rate}};
    const std::filesystem::path folder = temp / (std::to_string(rate > 1e-20) + std::to_string(group_rate > 1e-20));
    REQUIRE(run(value, folder) == kDone);
    return std::pair(tensor(folder, "encoder.head.weight"), tensor(folder, "discriminator.0.weight"));
  };
  const auto both = trained(1e-3, 1e-2), model = trained(1e-3, 1e-30), group = trained(1e-30, 1e-2), none = trained(1e-30, 1e-30);
  CHECK(both.first != none.first);
  CHECK(both.second != none.second);
  CHECK(model.first != none.first);
  CHECK(model.second == none.second);  // a rate of 1e-30 moves no float
  CHECK(group.first == none.first);
  CHECK(group.second != none.second);
}

TEST_CASE("train.optimizers: a run that goes on does so bit for bit, with the state of every optimiser") {
  const TempFolder temp;
  json whole = adversarial_experiment(), half = whole;
  half["train"]["steps"] = 5;
  whole["train"]["steps"] = 12;
  // Not a cosine, which a longer plan stretches.
  for (json* value : {&whole, &half}) (*value)["train"]["optimizers"]["discriminator"]["schedule"] = {{"name", "step"}, {"every", 1}};
  REQUIRE(run(whole, temp / "whole") == kDone);
  REQUIRE(run(half, temp / "half") == kDone);
  REQUIRE(resume_run(temp / "half", {"train.steps=12"}, {.data_dir = std::nullopt, .threads = 1, .quiet = true}) == kDone);
  CHECK(checkpoint_numbers(temp / "whole", "state") == checkpoint_numbers(temp / "half", "state"));
  CHECK(metrics_without_time(temp / "whole") == metrics_without_time(temp / "half"));
  const ad::Safetensors state(temp / "half" / "checkpoints" / "state.safetensors");
  CHECK(state.find("optimizer.m") != nullptr);                     // of Adam
  CHECK(state.find("optimizer.discriminator.square") != nullptr);  // of RMSprop
}

TEST_CASE("train.optimizers: a group that the model does not have, and a schedule that watches the whole model, are refused") {
  const TempFolder temp;
  const auto refused = [&](const json& optimizers) {
    json value = adversarial_experiment();
    value["train"]["optimizers"] = optimizers;
    try {
      run(value, temp / "run");
    } catch (const ConfigError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(refused({{"discriminatr", "adam"}}) ==
        "train.optimizers.discriminatr: the model has no parameters of this name; it has encoder, decoder, discriminator");
  CHECK(refused({{"discriminator", "adm"}}).find("train.optimizers.discriminator: unknown \"adm\"") != std::string::npos);
  CHECK(refused({{"discriminator", {{"name", "adam"}, {"schedule", "reduce_on_plateau"}}}}).find("unknown \"reduce_on_plateau\"") !=
        std::string::npos);
  CHECK(refused({{"encoder", "adam"}, {"decoder", "adam"}, {"discriminator", "adam"}})
            .starts_with("train.optimizers: leaves no parameters to train.optimizer"));
  CHECK(!std::filesystem::exists(temp / "run"));
}

TEST_CASE("train.optimizers: --set reaches them, and another choice by its name keeps what both have") {
  const ExperimentConfig config = load_experiment(
      "experiments/sprites/factor_vae.json",
      {"train.optimizers.discriminator.learning_rate=0.5", "train.optimizers.discriminator.name=rmsprop"});
  const OptimizerConfig& optimizer = config.train.optimizers.at("discriminator").optimizer;
  CHECK(optimizer.name == "rmsprop");
  CHECK(optimizer.learning_rate() == 0.5);
}

TEST_CASE("train.optimizers: the resolved configuration has them with every default, and gives the same again") {
  ExperimentConfig config = experiment(adversarial_experiment());
  const json resolved = json::parse(experiment_text(config));
  CHECK(resolved["train"]["optimizers"]["discriminator"]["name"] == "rmsprop");
  CHECK(resolved["train"]["optimizers"]["discriminator"]["alpha"] == 0.99);
  CHECK(resolved["train"]["optimizers"]["discriminator"]["schedule"]["name"] == "cosine");
  ExperimentConfig again = experiment(resolved);
  CHECK(experiment_text(again) == experiment_text(config));
  ExperimentConfig plain = experiment(tiny_experiment());
  CHECK(json::parse(experiment_text(plain))["train"]["optimizers"] == json::object());
}
