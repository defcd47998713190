// Runs side by side: which are averaged, what is best, and paired differences.
#include <doctest/doctest.h>

#include <cmath>

#include "experiments/output/text.hpp"
#include "experiments/runner/compare.hpp"
#include "experiments/runner/compared_runs.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/evaluate.hpp"
#include "models/registry.hpp"
#include "tests/zoo/runner_support.hpp"

using namespace vaezoo;
using namespace test_support;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// A folder with a run of these settings and these numbers of the test split.
std::string write_run(const TempFolder& temp, const std::string& name, const json& config, json test, int samples = 100) {
  if (!test.contains("examples")) test["examples"] = 50;
  fs::create_directories(temp / name);
  atomic_write(temp / name / "config.json", config.dump());
  atomic_write(temp / name / "summary.json", json{{"importance_samples", samples}, {"training_seconds", 1}, {"test", test}}.dump());
  return (temp / name).string();
}

/// Runs and their groups.
struct Compared {
  std::vector<ComparedRun> runs;
  std::vector<RunGroup> groups;

  explicit Compared(const std::vector<std::string>& folders) {
    for (const std::string& folder : folders) runs.push_back(read_compared_run(folder));
    groups = groups_of(runs, differing_settings(runs), "test");
  }
  std::vector<std::string> names() const {
    std::vector<std::string> list;
    for (const RunGroup& group : groups) list.push_back(group.name);
    return list;
  }
  std::vector<std::string> best(const std::string& metric) const {
    std::vector<std::string> list;
    for (const RunGroup* group : best_of(groups, "test", metric)) list.push_back(group->name);
    return list;
  }
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("compare: runs are averaged over the run's seed only, and settings whose paths end alike stay apart") {
  const TempFolder temp;
  const auto config = [](double x, double y, int seed, int data_seed) {
    return json{{"x", {{"rate", x}}}, {"y", {{"rate", y}}}, {"seed", seed}, {"dataset", {{"seed", data_seed}}}};
  };
  const Compared c({write_run(temp, "a", config(1, 0, 1, 0), {{"elbo", -1}}),
                    write_run(temp, "b", config(0, 1, 1, 0), {{"elbo", -2}}),
                    write_run(temp, "c", config(1, 0, 2, 0), {{"elbo", -4}}),
                    write_run(temp, "d", config(1, 0, 1, 7), {{"elbo", -8}})});
  CHECK(c.names() == Names{"dataset.seed=0, x.rate=1.0, y.rate=0.0", "dataset.seed=0, x.rate=0.0, y.rate=1.0",
                           "dataset.seed=7, x.rate=1.0, y.rate=0.0"});
  CHECK(c.groups[0].runs.size() == 2);
  CHECK(mean_of(c.groups[0], "test", "elbo")->value == -2.5);
}

TEST_CASE("compare: runs that were measured otherwise are not averaged") {
  const TempFolder temp;
  const auto config = [](int seed) { return json{{"seed", seed}}; };
  const Compared samples({write_run(temp, "a", config(1), {{"nll", 1}}, 50), write_run(temp, "b", config(2), {{"nll", 2}}, 5000),
                          write_run(temp, "c", config(3), {{"nll", 3}}, 50)});
  CHECK(samples.names() == Names{"importance_samples=50", "importance_samples=5000"});
  CHECK(samples.groups[0].runs.size() == 2);
  const Compared examples({write_run(temp, "d", config(1), {{"nll", 1}, {"examples", 10}}),
                           write_run(temp, "e", config(2), {{"nll", 2}, {"examples", 20}})});
  CHECK(examples.names() == Names{"examples=10", "examples=20"});
}

TEST_CASE("compare: runs on other data behind the same settings are not averaged") {
  const TempFolder temp;
  json e = tiny_experiment();
  e["dataset"] = {{"name", "csv"}, {"train_file", (temp / "data.csv").string()}, {"validation", 4}, {"test", 8}};
  e["model"]["likelihood"] = "gaussian";
  const auto train = [&](const std::string& name, double shift, int seed) {
    std::string rows;
    for (int i = 0; i < 40; ++i) rows += ad::cat(std::sin(i) + shift, ",", std::cos(i), "\n");
    atomic_write(temp / "data.csv", rows);
    e["seed"] = seed;
    REQUIRE(run(e, temp / name) == kDone);
    return (temp / name).string();
  };
  const std::string a = train("a", 0, 1), b = train("b", 1, 2), c = train("c", 0, 3);
  const Compared compared({a, b, c});
  CHECK(compared.names() == Names{"data 1", "data 2"});
  CHECK(compared.groups[0].runs.size() == 2);
  CHECK(compared.best("elbo").empty());
  const auto printed = run_program(temp, {"compare", a, b, c});
  CHECK(contains(printed.output, "note: the runs were evaluated on different test examples"));
  CHECK_FALSE(contains(printed.output, "*"));
}

TEST_CASE("compare: a mean has its standard error over runs, a single value that of its own run") {
  const TempFolder temp;
  const auto config = [](int seed) { return json{{"seed", seed}}; };
  const Compared c({write_run(temp, "a", config(1), {{"elbo", -1}, {"elbo_stderr", 9}, {"nll_stderr", 9}}),
                    write_run(temp, "b", config(2), {{"elbo", -3}, {"nll", 5}, {"nll_stderr", 0.25}}),
                    write_run(temp, "c", config(3), {{"elbo", -8}, {"nll", nullptr}})});
  REQUIRE(c.groups.size() == 1);
  CHECK(c.groups[0].name == "a and 2 more");
  const auto elbo = mean_of(c.groups[0], "test", "elbo"), nll = mean_of(c.groups[0], "test", "nll");
  CHECK(elbo->value == doctest::Approx(-4));
  CHECK(*elbo->standard_error == doctest::Approx(std::sqrt((9 + 1 + 16) / 2.0 / 3)));
  CHECK(nll->value == 5);
  CHECK(*nll->standard_error == 0.25);
  CHECK_FALSE(mean_of(c.groups[0], "test", "kl"));
}

TEST_CASE("compare: the best of a column is marked where the numbers say the same of all") {
  const TempFolder temp;
  const auto numbers = [](double nll, double elbo) {
    return json{{"nll", nll}, {"elbo", elbo}, {"kl", nll}, {"auroc_elbo", nll / 10}};
  };
  const auto config = [](double value, const char* key = "model", const char* below = "beta") {
    return json{{key, {{below, value}}}};
  };
  const Compared c({write_run(temp, "a", config(1), numbers(3, -4)), write_run(temp, "b", config(2), numbers(2, -5)),
                    write_run(temp, "c", config(4), numbers(5, -4))});
  CHECK(c.best("nll") == Names{"beta=2.0"});
  CHECK(c.best("elbo") == Names{"beta=1.0", "beta=4.0"});  // equal
  CHECK(c.best("auroc_elbo") == Names{"beta=4.0"});
  CHECK(c.best("kl").empty());
  const Compared samples({write_run(temp, "d", config(1), numbers(3, -4), 10),
                          write_run(temp, "e", config(2), numbers(2, -5), 20)});
  CHECK(samples.best("nll").empty());
  CHECK(samples.best("elbo") == Names{"beta=1.0"});
  for (const auto& [key, below] : {std::pair{"dataset", "limit"}, {"model", "likelihood"}}) {
    const Compared other({write_run(temp, "f", config(1, key, below), numbers(3, -4)),
                          write_run(temp, "g", config(2, key, below), numbers(2, -5))});
    CHECK(other.best("elbo").empty());
    CHECK(other.best("auroc_elbo").size() == 1);
  }
  CHECK(Compared({write_run(temp, "h", config(1), numbers(3, -4))}).best("nll").empty());  // of one there is no best
}

TEST_CASE("compare: differences from the first group are paired by seed") {
  const TempFolder temp;
  std::vector<std::string> folders;
  const auto add = [&](double beta, int layers, int seed, double elbo) {
    const std::string name = ad::cat(beta, "_", layers, "_", seed);
    folders.push_back(write_run(temp, name, {{"model", {{"beta", beta}, {"layers", layers}}}, {"seed", seed}}, {{"elbo", elbo}}));
  };
  add(1, 1, 1, -10), add(1, 1, 2, -20), add(1, 1, 3, -60);
  add(2, 1, 1, -9), add(2, 1, 2, -18), add(2, 1, 3, -57), add(2, 1, 4, 1000);  // 1, 2 and 3 better; no pair for seed 4
  add(2, 2, 1, 0), add(2, 2, 2, 0);                                            // two settings from the first
  add(1, 2, 1, 0);                                                             // one shared seed
  const Compared c(folders);
  REQUIRE(c.groups.size() == 4);
  CHECK(shared_seeds(c.groups[1], c.groups[0]) == Names{"1", "2", "3"});
  const auto difference = paired_difference(c.groups[1], c.groups[0], "test", "elbo");
  CHECK(difference->value == doctest::Approx(2));
  CHECK(*difference->standard_error == doctest::Approx(1 / std::sqrt(3)));
  CHECK(one_setting_apart(c.groups[1], c.groups[0]));
  CHECK_FALSE(one_setting_apart(c.groups[2], c.groups[0]));
  CHECK_FALSE(paired_difference(c.groups[3], c.groups[0], "test", "elbo"));

  std::vector<std::string> arguments = {"compare", "--out", (temp / "page.html").string()};
  arguments.insert(arguments.end(), folders.begin(), folders.end());
  const std::string output = run_program(temp, arguments).output;
  CHECK(contains(output, "differences from beta=1.0, layers=1\n"
                         "run                 seeds         elbo\n"
                         "beta=2.0, layers=1      3  2.00 ± 0.58\n"
                         "Each run"));
  CHECK(contains(read_file(temp / "page.html"), "<h2>Differences</h2>"));
}

TEST_CASE("compare: another model with the settings that come with it is one setting apart") {
  const TempFolder temp;
  const Compared c({write_run(temp, "a", {{"model", {{"name", "vae"}, {"dim", 2}}}}, {{"elbo", -1}}),
                    write_run(temp, "b", {{"model", {{"name", "iwae"}, {"dim", 2}, {"samples", 5}}}}, {{"elbo", -2}}),
                    write_run(temp, "c", {{"model", {{"name", "iwae"}, {"dim", 3}, {"samples", 5}}}}, {{"elbo", -2}})});
  CHECK(c.names() == Names{"dim=2, name=vae", "dim=2, name=iwae, samples=5", "dim=3, name=iwae, samples=5"});
  CHECK(one_setting_apart(c.groups[1], c.groups[0]));
  CHECK_FALSE(one_setting_apart(c.groups[2], c.groups[0]));
}

TEST_CASE("compare: the terminal shows all settings that differ and all numbers") {
  const TempFolder temp;
  json numbers = json::object();
  for (int i = 0; i < 30; ++i) numbers[ad::cat("number_", i)] = i;
  const std::string long_value(80, 'x');  // too long for the name of a row
  const std::string output =
      run_program(temp, {"compare", write_run(temp, "a", {{"model", {{"beta", 1}, {"note", long_value}}}, {"seed", 1}}, numbers),
                         write_run(temp, "b", {{"model", {{"beta", 2}, {"note", "y"}}}, {"seed", 2}}, numbers)})
          .output;
  for (const char* path : {"model.beta", "model.note", "seed"}) CHECK(contains(output, path));
  CHECK(contains(output, long_value));
  for (int i = 0; i < 30; ++i) CHECK(contains(output, ad::cat(" number_", i)));
}

TEST_CASE("compare: a number is better in the direction that its meaning says") {
  // Not alike between runs: losses of other objectives, distances in codes of other scales.
  const Names exempt = {"loss", "commitment", "codebook"};
  int checked = 0;
  for (const ModelEntry& entry : model_registry()) {
    CAPTURE(entry.name);
    const json halves = {{"names", {"top", "bottom"}}, {"sizes", {32, 32}}};
    const json value = {{"dataset", {{"name", "digits"}, {"limit", 20}, {"modalities", halves}}}, {"model", {{"name", entry.name}}}};
    const Session session(experiment(value), load_dataset(experiment(value).dataset, ""));
    EvaluationOptions options;
    options.importance_samples = 1;
    for (const Metric& m : evaluate(*session.model, session.data, Split::train, options, Key(2)).metrics()) {
      if (std::ranges::find(exempt, m.name) != exempt.end()) continue;
      CAPTURE(m.name);
      const bool lower = contains(m.meaning, "lower is better"), higher = contains(m.meaning, "higher is better");
      checked += lower || higher;
      if (lower) CHECK(better_of(m.name) == Better::lower);
      if (higher) CHECK(better_of(m.name) == Better::higher);
    }
  }
  CHECK(checked > 50);
  CHECK(better_of("kl") == Better::unknown);
  CHECK(better_of("classifier_accuracy") == Better::unknown);
  CHECK(better_of("sample_accuracy") == Better::higher);
}
