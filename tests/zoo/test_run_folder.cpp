// The folder of a run: who may write it, what replaces it, what is found in it again.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "experiments/runner/errors.hpp"
#include "experiments/runner/summary.hpp"
#include "tests/zoo/runner_support.hpp"

using namespace vaezoo;
using namespace test_support;
using ad::cat;
using nlohmann::json;
namespace fs = std::filesystem;

TEST_CASE("run folder: --force removes the old run only when data, model and plan of the new one are good") {
  const TempFolder temp;
  const fs::path folder = temp / "run";
  REQUIRE(run(tiny_experiment(), folder) == kDone);
  for (const char* file : {"notes.txt", "checkpoints/model.pt"}) atomic_write(folder / file, "mine");
  const std::string weights = checkpoint_numbers(folder, "last"), config = read_file(folder / "config.json");
  json no_data = tiny_experiment(), no_model = tiny_experiment(), no_plan = tiny_experiment();
  no_data["dataset"] = {{"name", "csv"}, {"train_file", "nowhere.csv"}};
  no_model["model"]["likelihood"] = {{"name", "discretized_logistic"}, {"bins", 300}};
  no_model["model"]["encoder"] = "conv";
  no_model["dataset"] = {{"name", "two_moons"}};
  no_plan["train"]["batch_size"] = 1000;
  no_plan["train"]["drop_last"] = true;
  CHECK_THROWS_AS(run(no_data, folder, 1, true), DataError);
  CHECK_THROWS_AS(run(no_model, folder, 1, true), ConfigError);
  CHECK_THROWS_AS(run(no_plan, folder, 1, true), ConfigError);
  CHECK(checkpoint_numbers(folder, "last") == weights);
  CHECK(read_file(folder / "config.json") == config);
  for (const char* file : {"metrics.csv", "summary.json", "report.html", "samples.png"}) CHECK(fs::exists(folder / file));
  json other = tiny_experiment();
  other["output"] = {{"samples", 0}, {"tensorboard", false}, {"report", false}};
  CHECK(run(other, folder, 1, true) == kDone);
  for (const char* file : {"report.html", "samples.png", "tensorboard"}) CHECK_FALSE(fs::exists(folder / file));
  for (const char* file : {"notes.txt", "checkpoints/model.pt"}) CHECK(read_file(folder / file) == "mine");
}

TEST_CASE("run folder: what lies in a folder without a run stays") {
  const TempFolder temp;
  atomic_write(temp / "samples.svg", "mine");
  atomic_write(temp / "evaluation.json", "mine");
  REQUIRE(run(tiny_experiment(), temp.path()) == kDone);
  CHECK(read_file(temp / "samples.svg") == "mine");
  CHECK(read_file(temp / "evaluation.json") == "mine");
}

TEST_CASE("run folder: two processes do not write into one, and a killed one leaves no lock") {
  const TempFolder temp;
  const std::string file = write_experiment(temp, long_experiment()), folder = (temp / "run").string();
  {
    Child child({"run", file, "--quiet", "--out", folder}, temp / "child.txt");
    REQUIRE(wait_for_step(child, folder, 3));
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"run", file, "--out", folder}, {"run", file, "--force", "--out", folder}, {"resume", folder}}) {
      const ProgramResult second = run_program(temp, command);
      CHECK(second.code == kUsage);
      CHECK(contains(second.output, cat(folder, ": process ", child.id(), " is at work on this run")));
    }
    CHECK(child.running());
    child.send(SIGKILL);
    child.wait();
  }
  atomic_write(temp / "run" / "checkpoints" / ".last.safetensors.999999999.tmp", "half");
  const RunLock lock(RunFolder{folder});
  CHECK_FALSE(fs::exists(temp / "run" / "checkpoints" / ".last.safetensors.999999999.tmp"));
  CHECK_THROWS_AS(RunLock(RunFolder{folder}), UsageError);
}

TEST_CASE("run folder: evaluate agrees with run while the weight of the KL still moves, for the best weights and the last") {
  const TempFolder temp;
  json value = tiny_experiment();
  value["model"]["kl_weight"] = {{"name", "linear"}, {"length", 20}, {"unit", "epochs"}};
  value["train"] = {{"epochs", 6}, {"batch_size", 32}, {"steps", 38}, {"validate_every", 2}};  // ends within an epoch
  value["output"]["report"] = false;
  for (const bool best : {true, false}) {
    CAPTURE(best);
    value["train"]["validate_every"] = best ? 2 : 100;
    const fs::path folder = temp / (best ? "best" : "last");
    REQUIRE(run(value, folder) == kDone);
    const json summary = read_json_file(folder / "summary.json");
    CHECK(summary.at("checkpoint") == (best ? "best" : "last"));
    REQUIRE(run_program(temp, {"evaluate", folder.string()}).code == kDone);
    const json again = read_json_file(folder / "evaluation.json");
    CHECK(again.at("test") == summary.at("test"));
    CHECK(again.at("validation") == summary.at("validation"));
    const Position place = position_of(ad::Safetensors(folder / "checkpoints" / "last.safetensors").metadata());
    CHECK(place.step == 38);
    CHECK(place.epoch == 5 + 3.0 / 7);
  }
}

TEST_CASE("run folder: an evaluation that fails after training leaves a run that goes on") {
  const TempFolder temp;
  const std::string file = write_experiment(temp, tiny_experiment()), folder = (temp / "run").string();
  fs::create_directories(temp / "run" / "summary.json");  // a folder where the file should be
  const ProgramResult failed = run_program(temp, {"run", file, "--out", folder});
  CAPTURE(failed.output);
  CHECK(failed.code == kFailure);
  CHECK(contains(failed.output, cat("the training is done and its weights are saved, but what follows failed; once the cause is gone, go on "
                                   "with\n  vaezoo resume ", folder)));
  fs::remove(temp / "run" / "summary.json");
  CHECK(run_program(temp, {"resume", folder}).code == kDone);
}

TEST_CASE("run folder: resuming does not begin anew, which would remove weights, where the state of a trained run is gone") {
  const TempFolder temp;
  const fs::path folder = temp / "run";
  REQUIRE(run(tiny_experiment(), folder) == kDone);
  const std::string weights = checkpoint_numbers(folder, "best"), log = read_file(folder / "metrics.jsonl");
  for (const char* gone : {"state", "last", "best"}) {
    fs::remove(folder / "checkpoints" / cat(gone, ".safetensors"));
    const ProgramResult resumed = run_program(temp, {"resume", folder.string()});
    CHECK(resumed.code == kUsage);
    CHECK(contains(resumed.output, "was trained, but the state of its training (checkpoints/state.safetensors) is gone"));
    CHECK(read_file(folder / "metrics.jsonl") == log);
    if (std::string(gone) == "best") break;
    CHECK(checkpoint_numbers(folder, "best") == weights);
    CHECK(run_program(temp, {"evaluate", folder.string()}).code == kDone);
  }
}

TEST_CASE("run folder: weights of another model are not evaluated as the run's own") {
  const TempFolder temp;
  json value = tiny_experiment();
  REQUIRE(run(value, temp / "vae") == kDone);
  value["model"]["name"] = "beta_vae";
  REQUIRE(run(value, temp / "beta") == kDone);
  fs::copy(temp / "beta" / "checkpoints" / "best.safetensors", temp / "vae" / "checkpoints", fs::copy_options::overwrite_existing);
  const std::string message = message_of<FileError>([&] { resume_run(temp / "vae", {}, {.data_dir = std::nullopt, .threads = 1, .quiet = true}); });
  CHECK(contains(message, "best.safetensors: is of a beta_vae and the run's model is vae"));
}

TEST_CASE("run folder: a pipe in the place of the log is not waited for") {
  const TempFolder temp;
  const fs::path folder = temp / "run", log = folder / "metrics.jsonl";
  REQUIRE(run(tiny_experiment(), folder) == kDone);
  fs::remove(log);
  REQUIRE(mkfifo(log.c_str(), 0600) == 0);
  CHECK(contains(message_of<FileError>([&] { resume_run(folder, {}, {.data_dir = std::nullopt, .threads = 1, .quiet = true}); }), "metrics.jsonl: is not a file"));
}

TEST_CASE("run folder: hints can be pasted into a shell") {
  const CommonOptions common{.data_dir = "my data", .threads = std::nullopt, .quiet = false};
  CHECK(command_line("resume", "runs/a", {}) == "vaezoo resume runs/a");
  CHECK(command_line("resume", "it's", common) == "vaezoo resume 'it'\\''s' --data-dir 'my data'");
}

TEST_CASE("run folder: a run is not called as a folder that is there already, nor with characters that a terminal obeys") {
  for (const char* name : {".", "..", "a/b", "a\nb", "\x1b[31m"}) {
    json value = tiny_experiment();
    value["name"] = name;
    CHECK_THROWS_AS(experiment(value), ConfigError);
  }
  const TempFolder temp;
  for (const char* name : {"a\nb.json", "\xff.json"}) {
    const std::string file = (temp / name).string();
    atomic_write(file, "{}");
    CHECK_THROWS_AS(load_experiment(file), ConfigError);
  }
}
