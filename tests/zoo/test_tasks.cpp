// Tasks of an experiment: read, refused, run after the evaluation and by a command, kept in summary and report.
#include <doctest/doctest.h>

#include "experiments/runner/checks.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/run_tasks.hpp"
#include "tests/zoo/runner_support.hpp"

using namespace vaezoo;
using namespace test_support;
using nlohmann::json;

namespace {

/// 300 sprites of 16 x 16 pixels, a network of 16 units, a step or two.
json tiny_sprites() {
  json value = tiny_experiment();
  value["dataset"] = {{"name", "sprites"}, {"size", 16}, {"examples", 300}, {"fix", {{"orientation", 0}}}};
  value["tasks"] = {{{"name", "disentanglement"},
                     {"examples", 300},
                     {"test_examples", 200},
                     {"votes", 40},
                     {"test_votes", 20},
                     {"batch", 8},
                     {"trees", 2},
                     {"density_examples", 20}}};
  return value;
}

std::string refusal(const json& value) {
  try {
    ExperimentConfig config = experiment(value);
    Dataset data = load_dataset(config.dataset, "");
    Session session(std::move(config), std::move(data));
    check_before_training(session);
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("tasks: the list is read strictly, and written again as it was read") {
  json value = tiny_sprites();
  ExperimentConfig config = experiment(value);
  const json written = json::parse(experiment_text(config));
  CHECK(written["tasks"].size() == 1);
  CHECK(written["tasks"][0]["votes"] == 40);
  CHECK(written["tasks"][0]["bins"] == 20);  // a default
  ExperimentConfig again = experiment(written);
  CHECK(json::parse(experiment_text(again)) == written);

  const auto wrong = [&](const json& tasks) {
    value["tasks"] = tasks;
    return refusal(value);
  };
  CHECK(wrong({"disentangelment"}).find("tasks[0]: unknown \"disentangelment\"; did you mean \"disentanglement\"?") != std::string::npos);
  CHECK(wrong({{{"name", "disentanglement"}, {"vote", 3}}}).find("tasks[0].vote: unknown key for \"disentanglement\"; did you mean \"votes\"?") != std::string::npos);
  CHECK(wrong({{{"name", "disentanglement"}, {"bins", 1}}}).find("tasks[0].bins: must be") != std::string::npos);
  CHECK(wrong({"disentanglement", "disentanglement"}).find("tasks: names disentanglement twice") != std::string::npos);
  CHECK(wrong("disentanglement").find("tasks: expected a list of names or objects") != std::string::npos);
  CHECK(wrong(json::array({json::object()})).find("tasks[0]: needs a \"name\"") != std::string::npos);
  CHECK(wrong({"disentanglement"}).empty());
}

TEST_CASE("tasks: what model or data cannot serve is refused before training, with the reason") {
  json value = tiny_experiment();
  value["tasks"] = {"disentanglement"};
  CHECK(refusal(value).find("tasks: disentanglement: digits has no known factors") != std::string::npos);
  json sprites = tiny_sprites();
  sprites["model"]["name"] = "conditional_vae";
  CHECK(refusal(sprites).find("is given something about each example") != std::string::npos);
  sprites = tiny_sprites();
  sprites["dataset"]["fix"] = {{"orientation", 0}, {"shape", "heart"}, {"scale", 1}, {"x", 0}};
  sprites["dataset"]["examples"] = 32;
  CHECK(refusal(sprites).find("needs two factors that vary or more") != std::string::npos);
  sprites = tiny_sprites();
  sprites["model"] = {{"name", "fsq"}};
  CHECK(refusal(sprites).find("are classes") != std::string::npos);
}

TEST_CASE("tasks: run after the evaluation and again by the command, into the folder, the summary and the report") {
  const TempFolder temp;
  REQUIRE(run(tiny_sprites(), temp / "run") == kDone);
  const std::filesystem::path folder = temp / "run";
  const json before = read_json_file(folder / "summary.json");
  REQUIRE(before["tasks"].contains("disentanglement"));
  CHECK(before["tasks"]["disentanglement"]["mig"].get<double>() >= 0);
  CHECK(task_number({folder}, "disentanglement", "mig") == before["tasks"]["disentanglement"]["mig"].get<double>());
  CHECK(!task_number({folder}, "disentanglement", "unheard of"));
  CHECK(count(read_file(folder / "report.html"), "Task: disentanglement") == 1);
  CHECK(count(read_file(folder / "report.html"), "Importance for boosted trees") > 0);
  CHECK(std::filesystem::exists(folder / "tasks" / "disentanglement" / "information.csv"));
  for (const json& m : read_json_file(folder / "tasks" / "disentanglement" / "result.json")["metrics"]) {
    CAPTURE(m);
    CHECK(m["meaning"].get<std::string>().size() > 10);
  }

  // The same settings give the same numbers; others replace them and are remembered; what they leave out is gone.
  const LoadedRun loaded = load_run(folder, "", {}, {.data_dir = std::nullopt, .threads = 1, .quiet = true});
  const CommonOptions quiet{.data_dir = std::nullopt, .threads = 1, .quiet = true};
  REQUIRE(task_command(loaded, "disentanglement", {}, quiet) == kDone);
  CHECK(read_json_file(folder / "summary.json") == before);
  REQUIRE(task_command(loaded, "disentanglement", {"trees=0", "bins=5"}, quiet) == kDone);
  const json after = read_json_file(folder / "summary.json");
  CHECK(after["test"] == before["test"]);
  CHECK(!after["tasks"]["disentanglement"].contains("dci_completeness"));
  CHECK(after["tasks"]["disentanglement"]["mig"] != before["tasks"]["disentanglement"]["mig"]);
  CHECK(read_json_file(folder / "tasks" / "disentanglement" / "result.json")["settings"]["bins"] == 5);
  CHECK(count(read_file(folder / "report.html"), "Task: disentanglement") == 1);
  CHECK(count(read_file(folder / "report.html"), "Importance for boosted trees") == 0);
  CHECK(!std::filesystem::exists(folder / "tasks" / "disentanglement" / "importance.csv"));
  CHECK_THROWS_AS(task_command(loaded, "disentanglement", {"trees=-1"}, quiet), ConfigError);
  CHECK_THROWS_AS(task_command(loaded, "disentangle", {}, quiet), ConfigError);

  // A new run in the folder takes them away.
  json plain = tiny_sprites();
  plain.erase("tasks");
  REQUIRE(run(plain, folder, 1, true) == kDone);
  CHECK(!std::filesystem::exists(folder / "tasks"));
  CHECK(!read_json_file(folder / "summary.json").contains("tasks"));
}
