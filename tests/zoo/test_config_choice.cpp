// Another choice of a tagged object on the command line: which settings stay.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/choice.hpp"
#include "experiments/runner/errors.hpp"
#include "tests/zoo/config_examples.hpp"
#include "tests/zoo/runner_support.hpp"

using namespace vaezoo;
using namespace test_support;
using nlohmann::json;

namespace {

struct Loaded {
  json config;
  std::vector<std::string> notes;
};

Loaded load(const json& value, const std::vector<std::string>& overrides) {
  const TempFolder temp;
  atomic_write(temp / "exp.json", value.dump());
  ExperimentConfig config = load_experiment(temp / "exp.json", overrides);
  return {json::parse(experiment_text(config)), config.notes};
}

}  // namespace

TEST_CASE("--set model.name keeps the settings that both models have and says which go") {
  const json beta = {{"model",
                      {{"name", "beta_vae"},
                       {"latent_dim", 5},
                       {"objective", {{"name", "weight"}, {"beta", 8}}},
                       {"encoder", {{"hidden", {30, 20}}}},
                       {"likelihood", {{"name", "gaussian"}, {"sigma", 0.5}}}}}};
  const Loaded vae = load(beta, {"model.name=vae"});
  CHECK(vae.config["model"]["name"] == "vae");
  CHECK(vae.config["model"]["latent_dim"] == 5);
  CHECK(vae.config["model"]["encoder"]["hidden"] == json{30, 20});
  CHECK(vae.config["model"]["likelihood"]["sigma"] == 0.5);
  CHECK(vae.notes == std::vector<std::string>{
                         "--set model.name=vae: settings of beta_vae that vae takes only with other values are left out: objective"});
  const Loaded later = load(beta, {"model.latent_dim=6", "model.name=iwae", "model.samples=3"});
  CHECK(later.config["model"]["latent_dim"] == 6);
  CHECK(later.config["model"]["samples"] == 3);
  CHECK(load(beta, {"model.name=beta_vae"}).notes.empty());
}

TEST_CASE("--set NAME=CHOICE puts defaults in the place of the old choice's settings, and says so") {
  const json value = {{"model", {{"name", "vae"}, {"latent_dim", 5}}}, {"train", {{"optimizer", {{"learning_rate", 0.1}}}}}};
  const Loaded loaded = load(value, {"model=iwae"});
  CHECK(loaded.config["model"]["latent_dim"] == 20);
  CHECK(loaded.notes == std::vector<std::string>{"--set model=iwae: defaults take the place of the settings that were given, latent_dim; "
                                                 "model.name=... keeps those that both choices have"});
  CHECK(load(value, {"model={\"latent_dim\":7}"}).notes.empty());
  CHECK(load(value, {"dataset=mnist"}).notes.empty());
  CHECK(load(json::object(), {"model=iwae"}).notes.empty());
}

TEST_CASE("every tagged object keeps what both choices have, at any depth, from its default choice too") {
  const Loaded network = load({{"model", {{"encoder", {{"activation", "tanh"}, {"hidden", {30}}}}}}}, {"model.encoder.name=conv"});
  CHECK(network.config["model"]["encoder"]["activation"] == "tanh");
  CHECK(network.notes == std::vector<std::string>{
                             "--set model.encoder.name=conv: settings of mlp that conv does not have are left out: hidden"});
  const Loaded stack = load({{"model", {{"encoder", {{"name", "mlp"}, {"hidden", {30}}}}}}}, {"model.encoder.name=residual_stack"});
  CHECK(stack.config["model"]["encoder"]["hidden"] == 128);  // one number there, a list in mlp
  CHECK(stack.notes ==
        std::vector<std::string>{"--set model.encoder.name=residual_stack: settings of mlp that residual_stack takes only with "
                                 "other values are left out: hidden"});
  const Loaded data = load({{"dataset", {{"limit", 100}, {"seed", 3}}}}, {"dataset.name=mnist"});
  CHECK(data.config["dataset"]["limit"] == 100);
  CHECK(data.config["dataset"]["seed"] == 3);
  const Loaded optimizer = load({{"train", {{"optimizer", {{"learning_rate", 0.01}, {"beta1", 0.5}}}}}}, {"train.optimizer.name=sgd"});
  CHECK(optimizer.config["train"]["optimizer"]["learning_rate"] == 0.01);
  CHECK(optimizer.notes.size() == 1);
}

TEST_CASE("every model can be exchanged for every other on the command line") {
  for (const ModelEntry& from : model_registry())
    for (const ModelEntry& to : model_registry()) {
      CAPTURE(from.name);
      CAPTURE(to.name);
      ExperimentConfig old = experiment({{"model", {{"name", from.name}, {"likelihood", "laplace"}}}});
      const json whole = json::parse(experiment_text(old));
      std::string name = to.name;
      try {
        const json model = load(whole, {"model.name=" + name}).config["model"];
        CHECK(model["name"] == name);
        CHECK(model["likelihood"]["name"] == "laplace");
      } catch (const ConfigError& e) {  // settings that fit one by one, but not together
        CHECK(std::string(e.what()).find("(latent_dims); give one each") != std::string::npos);
      }
    }
}

TEST_CASE("a name that is no choice, and settings that no choice has, are errors as before") {
  const auto error = [](const std::vector<std::string>& overrides) {
    return test::error_of([&] { load({{"model", {{"latent_dim", 5}}}}, overrides); });
  };
  CHECK(error({"model.name=vea"}).starts_with("--set model.name=vea: model.name: unknown \"vea\"; did you mean \"vae\"?"));
  CHECK(error({"model.name=3"}) == "--set model.name=3: model.name: expected a string, got 3");
  CHECK(error({"model.name=iwae", "model.objective=3"})
            .starts_with("--set model.objective=3: model.objective: unknown key for \"iwae\""));
}

TEST_CASE("a run is not evaluated with settings that have no effect on it") {
  const auto error = [](const char* assignment, const char* command) {
    return test::error_of([&] { refuse_overrides_without_effect({assignment}, command); });
  };
  CHECK(error("train.epochs=5", "evaluate") == "--set train.epochs=5: has no effect, evaluate does not read train; leave it out");
  CHECK(error("train={}", "encode") == "--set train={}: has no effect, encode does not read train; leave it out");
  CHECK(error("output.samples=5", "sample") == "--set output.samples=5: has no effect, sample does not read output; leave it out");
  CHECK(error("evaluate.importance_samples=5", "sample").find("does not read evaluate.importance_samples") != std::string::npos);
  CHECK(error("name=other", "encode") == "--set name=other: has no effect, encode does not read name; leave it out");
  CHECK(error("name=other", "evaluate").empty());
  CHECK(error("evaluate.importance_samples=5", "evaluate").empty());
  CHECK(error("evaluate.batch_size=5", "sample").empty());
  CHECK(error("dataset.test_file=a.csv", "encode").empty());
}

TEST_CASE("an experiment may come from standard input, and the schema is no experiment") {
  const TempFolder temp;
  atomic_write(temp / "exp.json", tiny_experiment().dump());
  atomic_write(temp / "bad.json", R"({"trian": {}})");
  const auto shell = [&](const std::string& arguments, const std::string& input) {
    const std::string command =
        std::string(VAEZOO_PROGRAM) + " " + arguments + " < " + (temp / input).string() + " > " + (temp / "out.txt").string() + " 2>&1";
    const int status = std::system(command.c_str());
    return std::pair(WEXITSTATUS(status), read_file(temp / "out.txt"));
  };
  CHECK(shell("validate -", "exp.json") == std::pair(int(kDone), std::string("-: ok\n")));
  CHECK(shell("validate -", "bad.json") ==
        std::pair(int(kConfig), std::string("standard input: trian: unknown key; did you mean \"train\"?\n")));
  CHECK(json::parse(shell("describe -", "exp.json").second)["model"]["latent_dim"] == 3);
  const auto [code, text] = shell("run - --set train.epochs=1 --out " + (temp / "run").string(), "exp.json");
  CHECK(code == kDone);
  CHECK(read_json_file(temp / "run" / "config.json")["train"]["epochs"] == 1);
  CHECK(shell("validate experiments/schema.json experiments/quickstart.json", "exp.json").first == kDone);
}
