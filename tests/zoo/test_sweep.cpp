// Many runs from one file, and runs side by side.
#include <doctest/doctest.h>

#include <set>

#include "experiments/output/text.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/sweep.hpp"
#include "tests/zoo/runner_support.hpp"

using namespace vaezoo;
using namespace test_support;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> names_of(const char* sweep) {
  std::vector<std::string> names;
  for (const SweepRun& run : plan_sweep(sweep, "exp.json")) names.push_back(run.name);
  return names;
}

std::string refusal(const char* sweep) {
  return message_of<ConfigError>([&] { plan_sweep(sweep, "exp.json"); });
}

}  // namespace

TEST_CASE("sweep: lists of values are combined, a list of runs is taken as it is") {
  const std::vector<SweepRun> grid = plan_sweep(R"({"model.beta": [1, 2.5], "seed": [1, 2, 3]})", "exp.json");
  REQUIRE(grid.size() == 6);
  CHECK(grid[0].name == "beta=1,seed=1");
  CHECK(grid[4].name == "beta=2.5,seed=2");
  CHECK(grid[4].overrides == std::vector<std::string>{"model.beta=2.5", "seed=2"});
  CHECK(names_of(R"([{"model.name": "vae"}, {"model.name": "iwae", "seed": 3}])") ==
        std::vector<std::string>{"name=vae", "name=iwae,seed=3"});
  CHECK(names_of(R"({"model.decoder.hidden": [[6, 7]], "model.encoder.hidden": [[5]]})") ==
        std::vector<std::string>{"model.decoder.hidden=[6,7],model.encoder.hidden=[5]"});
  CHECK(names_of(R"({"dataset.normal": [["3", "5"]]})") == std::vector<std::string>{"normal=[3,5]"});
  CHECK(names_of(R"({"dataset.path": ["a/b"]})") == std::vector<std::string>{"path=a_b"});  // names a folder
  CHECK(names_of(R"([{"seed": 1}, {"seed": 1}])") == std::vector<std::string>{"seed=1", "seed=1,1"});
}

TEST_CASE("sweep: draws lie in their ranges, are the same for the same seed, and a logarithmic range is even in its logarithm") {
  const char* text =
      R"({"random": {"count": 400, "seed": 1}, "a": {"log_uniform": [1e-4, 1]}, "b": {"integer": [3, 5]}, "c": [7, 8], "d": {"uniform": [-1, 1]}})";
  const std::vector<SweepRun> runs = plan_sweep(text, "exp.json");
  REQUIRE(runs.size() == 400);
  int low = 0;
  std::set<std::string> b, c;
  for (const SweepRun& run : runs) {
    const double a = std::stod(run.overrides[0].substr(2)), d = std::stod(run.overrides[3].substr(2));
    CHECK((a >= 1e-4 && a <= 1));
    CHECK((d >= -1 && d <= 1));
    low += a < 1e-2;
    b.insert(run.overrides[1]), c.insert(run.overrides[2]);
  }
  CHECK(std::abs(low - 200) < 50);  // 5 standard deviations of Binomial(400, 1/2)
  CHECK(b == std::set<std::string>{"b=3", "b=4", "b=5"});
  CHECK(c == std::set<std::string>{"c=7", "c=8"});
  CHECK(names_of(text) == names_of(text));
  CHECK(
      names_of(text).front() !=
      names_of(
          R"({"random": {"count": 400, "seed": 2}, "a": {"log_uniform": [1e-4, 1]}, "b": {"integer": [3, 5]}, "c": [7, 8], "d": {"uniform": [-1, 1]}})")
          .front());
}

TEST_CASE("sweep: what is wrong with a block is said with its path") {
  CHECK(refusal("{}").starts_with("exp.json: sweep: expected settings"));
  CHECK(refusal("3").starts_with("exp.json: sweep: expected settings"));
  CHECK(refusal(R"({"seed": 1})") == "exp.json: sweep.seed: expected a list of values, for example [1, 2, 4]");
  CHECK(refusal(R"({"seed": []})").starts_with("exp.json: sweep.seed: expected a list"));
  CHECK(refusal(R"({"name": ["a", "b"]})") == "exp.json: sweep.name: is no setting that runs can differ in");
  CHECK(refusal("[]").starts_with("exp.json: sweep: expected a list of 1 to"));
  CHECK(refusal(R"({"random": {}, "seed": [1]})") == "exp.json: sweep.random.count: expected 1 to 10000");
  CHECK(refusal(R"({"random": {"count": 2, "kind": 1}, "seed": [1]})") ==
        "exp.json: sweep.random.kind: there is no such setting; choices: count, seed");
  CHECK(refusal(R"({"random": {"count": 2}})") == "exp.json: sweep: names no setting to draw");
  CHECK(refusal(R"({"random": {"count": 2}, "a": {"normal": [0, 1]}})") ==
        "exp.json: sweep.a: there is no law \"normal\"; choices: uniform, log_uniform, integer");
  CHECK(refusal(R"({"random": {"count": 2}, "a": {"log_uniform": [0, 1]}})") ==
        "exp.json: sweep.a: expected a range of positive numbers");
  CHECK(refusal(R"({"random": {"count": 2}, "a": {"uniform": [1, 1]}})") ==
        "exp.json: sweep.a: expected a range of two numbers, the lower first");
}

TEST_CASE("sweep and compare: runs are trained, passed over when finished, resumed when broken, and set side by side") {
  const TempFolder temp;
  json e = tiny_experiment();
  e["sweep"] = {{"model.latent_dim", {2, 3}}, {"seed", {1, 2}}};
  const std::string file = (temp / "exp.json").string(), out = (temp / "all").string();
  atomic_write(temp / "exp.json", e.dump());
  const auto refused = run_program(temp, {"run", file, "--out", (temp / "one").string()});
  CHECK(refused.code == kUsage);
  CHECK(contains(refused.output, "train them with vaezoo sweep"));
  CHECK(contains(run_program(temp, {"validate", file}).output, "a sweep of 4 runs"));

  const auto first = run_program(temp, {"sweep", file, "--out", out, "--jobs", "2", "--threads", "1"});
  CHECK(first.code == kDone);
  CHECK(contains(first.output, "4 runs in"));
  const fs::path one = temp / "all" / "latent_dim=2,seed=1";
  CHECK(read_json_file(one / "config.json").at("name") == "latent_dim=2,seed=1");
  CHECK(read_json_file(one / "config.json").at("model").at("latent_dim") == 2);
  const std::string summary = read_file(one / "summary.json"), csv = read_file(temp / "all" / "compare.csv");
  CHECK(count(csv, "\n") == 5);
  CHECK(csv.starts_with("run,model.latent_dim,seed,"));
  const std::string page = read_file(temp / "all" / "compare.html");
  CHECK(contains(page, "<th scope=\"row\">latent_dim=3</th><td class=\"number\">2</td>"));
  CHECK(contains(page, "rate and distortion"));

  fs::remove(temp / "all" / "latent_dim=3,seed=2" / "summary.json");  // as if its evaluation had been killed
  const auto second = run_program(temp, {"sweep", file, "--out", out, "--threads", "1"});
  CHECK(second.code == kDone);
  CHECK(contains(second.output, "3 of them finished already"));
  CHECK(read_file(one / "summary.json") == summary);
  CHECK(fs::exists(temp / "all" / "latent_dim=3,seed=2" / "summary.json"));

  // The mean over seeds and its standard error, computed again from the runs.
  const double a = read_json_file(one / "summary.json").at("test").at("elbo");
  const double b = read_json_file(temp / "all" / "latent_dim=2,seed=2" / "summary.json").at("test").at("elbo");
  CHECK(contains(second.output, format_measurement((a + b) / 2, std::abs(a - b) / 2)));

  const auto other = run_program(temp, {"sweep", file, "--out", out, "--set", "train.batch_size=16"});
  CHECK(other.code == kUsage);
  CHECK(contains(other.output, "holds a run with other settings than the sweep now has"));

  fs::remove(one / "summary.json");
  const auto side_by_side = run_program(temp, {"compare", one.string(), (temp / "all" / "latent_dim=3,seed=1").string()});
  CHECK(side_by_side.code == kDone);
  CHECK(contains(side_by_side.output, "latent_dim=2,seed=1 is not finished"));
  CHECK(run_program(temp, {"compare", one.string(), (temp / "nothing").string()}).code == kUsage);
}

TEST_CASE("sweep: a run that fails is named, and the others are trained") {
  const TempFolder temp;
  json e = tiny_experiment();
  e["sweep"] = {{"train.optimizer.learning_rate", {1e30, 1e-3}}};
  atomic_write(temp / "exp.json", e.dump());
  const auto result =
      run_program(temp, {"sweep", (temp / "exp.json").string(), "--out", (temp / "all").string(), "--threads", "1"});
  CHECK(result.code == kDiverged);
  CHECK(contains(result.output, "learning_rate=1e+30  FAILED: "));
  CHECK(fs::exists(temp / "all" / "learning_rate=0.001" / "summary.json"));
}
