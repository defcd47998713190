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

/// How many processes have this text in their command line. (man 5 proc)
int processes_with(const std::string& text) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline");
    const std::string words{std::istreambuf_iterator<char>(file), {}};
    count += contains(words, text);
  }
  return count;
}

std::int64_t step_of(const fs::path& run) {
  return std::stoll(ad::Safetensors(run / "checkpoints" / "state.safetensors").metadata().at("step"));
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

TEST_CASE("sweep: draws from a narrow range lie in it and differ") {
  for (const auto& [law, low, high] : {std::tuple{"uniform", 0.12345, 0.12346}, {"log_uniform", 0.12345, 0.12346}, {"uniform", 1000.0, 1001.0}}) {
    const std::string text = ad::cat(R"({"random": {"count": 200}, "a": {")", law, "\": [", json(low).dump(), ", ", json(high).dump(), "]}}");
    std::set<double> values;
    for (const SweepRun& run : plan_sweep(text, "exp.json")) {
      const double a = std::stod(run.overrides[0].substr(2));
      CHECK((a >= low && a <= high));
      values.insert(a);
    }
    CHECK(values.size() > 150);
  }
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
        "exp.json: sweep.random.kind: unknown key; choices: count, seed");
  CHECK(refusal(R"({"random": {"cuont": 2}, "seed": [1]})") == "exp.json: sweep.random.cuont: unknown key; did you mean \"count\"?");
  CHECK(refusal(R"({"ramdom": {"count": 2}, "seed": [1]})") == "exp.json: sweep.ramdom: unknown setting; did you mean \"random\"?");
  CHECK(refusal(R"({"model.beta": {"uniform": [1, 2]}})") ==
        "exp.json: sweep.model.beta: expected a list of values; draws from a range need \"random\": {\"count\": 20} with them");
  CHECK(refusal(R"({"random": {"count": 2}})") == "exp.json: sweep: names no setting to draw");
  CHECK(refusal(R"({"random": {"count": 2}, "a": {"normal": [0, 1]}})") ==
        "exp.json: sweep.a: unknown law \"normal\"; choices: uniform, log_uniform, integer");
  CHECK(refusal(R"({"random": {"count": 2}, "a": {"loguniform": [1, 2]}})") ==
        "exp.json: sweep.a: unknown law \"loguniform\"; did you mean \"log_uniform\"?");
  CHECK(refusal(R"({"random": {"count": 2}, "a": {"uniform": [-1e308, 1e308]}})") == "exp.json: sweep.a: is too wide a range to draw from");
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

TEST_CASE("sweep: runs that fail are named as they end, at the end and on the page, and the others are trained") {
  const TempFolder temp;
  json e = tiny_experiment();
  e["sweep"] = {{"train.optimizer.learning_rate", {1e30, 1e-3}}};
  const std::string file = write_experiment(temp, e), out = (temp / "all").string();
  const auto result = run_program(temp, {"sweep", file, "--out", out, "--threads", "1"});
  CHECK(result.code == kDiverged);
  CHECK(contains(result.output, "[1/2] learning_rate=1e+30  FAILED: "));
  const std::string list = "1 of 2 runs failed; the same command tries them again:\n  learning_rate=1e+30: ";
  CHECK(contains(result.output, list));
  CHECK(fs::exists(temp / "all" / "learning_rate=0.001" / "summary.json"));
  const std::string page = read_file(temp / "all" / "compare.html");  // of the one that is finished
  CHECK(contains(page, "learning_rate=1e+30 failed: "));
  CHECK(contains(page, "learning_rate=0.001</th>"));
  const auto quiet = run_program(temp, {"sweep", file, "--out", out, "--threads", "1", "--quiet"});
  CHECK(quiet.code == kDiverged);
  CHECK(quiet.output.starts_with(list));
}

TEST_CASE("sweep: where no run is finished, that is said") {
  const TempFolder temp;
  json e = tiny_experiment();
  e["sweep"] = {{"train.optimizer.learning_rate", {1e30}}};
  const auto result = run_program(temp, {"sweep", write_experiment(temp, e), "--out", (temp / "all").string(), "--quiet"});
  CHECK(result.code == kDiverged);
  CHECK(contains(result.output, "no run is finished, so there is nothing to compare\n"));
  CHECK(contains(result.output, "1 of 1 runs failed"));
  CHECK_FALSE(fs::exists(temp / "all" / "compare.html"));
}

namespace {

/// A sweep of two runs that would take long.
std::string write_long_sweep(const TempFolder& temp) {
  json e = long_experiment();
  e["train"]["epochs"] = 100'000;
  e["sweep"] = {{"seed", {1, 2}}};
  return write_experiment(temp, e);
}

}  // namespace

TEST_CASE("sweep: when a run cannot be started, those at work are ended and waited for") {
  const TempFolder temp;
  fs::create_directories(temp / "all" / "seed=2.log");  // a log that cannot be written, for the superuser neither
  const auto result = run_program(temp, {"sweep", write_long_sweep(temp), "--out", (temp / "all").string(), "--jobs", "2"});
  CHECK(result.code == kFailure);
  CHECK(contains(result.output, "seed=2.log; is the folder writable?"));
  CHECK(processes_with((temp / "all").string()) == 0);
}

TEST_CASE("sweep: Ctrl-C makes the runs at work save, and the same command goes on with them") {
  const TempFolder temp;
  const std::string file = write_long_sweep(temp), out = (temp / "all").string();
  const std::vector<std::string> command = {"sweep", file, "--out", out, "--jobs", "2", "--threads", "1"};
  Child child(command, temp / "child.txt");
  REQUIRE(wait_for_step(child, temp / "all" / "seed=1", 1));
  REQUIRE(wait_for_step(child, temp / "all" / "seed=2", 1));
  child.send(SIGINT);
  CHECK(child.wait() == 130);
  CHECK(contains(child.output(), "stopped; the same command goes on"));
  CHECK_FALSE(contains(child.output(), "FAILED"));
  CHECK(processes_with(out) == 0);
  std::vector<std::int64_t> steps;
  for (const char* run : {"seed=1", "seed=2"}) {
    CHECK(contains(read_file(temp / "all" / (std::string(run) + ".log")), "everything is saved"));
    CHECK_FALSE(fs::exists(temp / "all" / run / "summary.json"));
    steps.push_back(step_of(temp / "all" / run));
  }

  Child again(command, temp / "child.txt");
  CHECK(wait_for_step(again, temp / "all" / "seed=1", steps[0] + 1));
  CHECK(wait_for_step(again, temp / "all" / "seed=2", steps[1] + 1));
  again.send(SIGKILL);  // nor does a sweep that is killed leave runs behind
  again.wait();
  for (int i = 0; i < 6000 && processes_with(out) > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(processes_with(out) == 0);
  CHECK(step_of(temp / "all" / "seed=1") > steps[0]);
}
