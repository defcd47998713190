// Runs from end to end: files, reproducibility, interruption, exit codes.
#include <doctest/doctest.h>

#include "autodiff/safetensors.hpp"
#include "experiments/runner/errors.hpp"
#include "models/registry.hpp"
#include "tests/zoo/runner_support.hpp"

using namespace vaezoo;
using namespace test_support;
using ad::cat;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

std::int64_t saved_step(const fs::path& folder) {
  return std::stoll(ad::Safetensors(folder / "checkpoints" / "state.safetensors").metadata().at("step"));
}

void check_same_run(const fs::path& a, const fs::path& b) {
  for (const char* file : {"state", "last", "best"}) {
    CAPTURE(file);
    CHECK(checkpoint_numbers(a, file) == checkpoint_numbers(b, file));
  }
  CHECK(metrics_without_time(a) == metrics_without_time(b));
  CHECK(csv_without_time(a) == csv_without_time(b));
  const json first = read_json_file(a / "summary.json"), second = read_json_file(b / "summary.json");
  CHECK(first.at("test") == second.at("test"));
  CHECK(first.at("validation") == second.at("validation"));
}

}  // namespace

TEST_CASE("run: a run writes its configuration, metrics, summary, checkpoints, pictures and report") {
  const TempFolder temp;
  CHECK(run(tiny_experiment(), temp / "run") == kDone);
  for (const char* file :
       {"config.json", "metrics.jsonl", "metrics.csv", "summary.json", "report.html", "samples.png", "reconstructions.png",
        "latent_map.svg", "checkpoints/last.safetensors", "checkpoints/best.safetensors", "checkpoints/state.safetensors"}) {
    CAPTURE(file);
    CHECK(fs::file_size(temp / "run" / file) > 0);
  }
  const json summary = read_json_file(temp / "run" / "summary.json");
  CHECK(summary.at("steps") == 14);
  for (const char* key : {"loss", "elbo", "reconstruction", "kl", "nll", "nll_stderr", "mse", "active_units"})
    CHECK(summary.at("test").contains(key));
  CHECK_FALSE(summary.at("test").contains("bits_per_dim"));  // grey targets of a Bernoulli are no discrete data
  const std::string page = read_file(temp / "run" / "report.html");
  CHECK(count(page, "data:image/png;base64,") == 2);
  CHECK(count(page, "<svg") >= 5);  // loss, reconstruction, kl, the map, KL per dimension
  CHECK(markup_fault(read_file(temp / "run" / "latent_map.svg")) == "");
}

TEST_CASE("run: the resolved configuration gives the same run bit for bit, at any number of threads") {
  const TempFolder temp;
  json value = tiny_experiment();
  value["model"]["encoder"]["hidden"] =
      value["model"]["decoder"]["hidden"] = {256, 256};  // wide enough to be cut into parallel blocks
  REQUIRE(run(value, temp / "a") == kDone);
  REQUIRE(run(read_json_file(temp / "a" / "config.json"), temp / "b") == kDone);
  REQUIRE(run(value, temp / "c", 2) == kDone);
  check_same_run(temp / "a", temp / "b");
  check_same_run(temp / "a", temp / "c");
  value["seed"] = 1;
  REQUIRE(run(value, temp / "d") == kDone);
  CHECK(checkpoint_numbers(temp / "a", "last") != checkpoint_numbers(temp / "d", "last"));
}

TEST_CASE("run: a run that is resumed where it ended trains on as one run would") {
  const TempFolder temp;
  for (const char* optimizer : {"adam", "sgd", "rmsprop", "adamax"}) {
    CAPTURE(optimizer);
    json whole = tiny_experiment();
    whole["train"]["optimizer"] = {{"name", optimizer}};
    whole["train"]["ema_decay"] = 0.9;
    json half = whole;
    half["train"]["steps"] = 5;  // in the middle of an epoch
    whole["train"]["steps"] = 12;
    REQUIRE(run(whole, temp / "whole", 1, true) == kDone);
    REQUIRE(run(half, temp / "half", 1, true) == kDone);
    // A plan made longer goes on where the shorter one ended.
    ExperimentConfig config = experiment(whole);
    atomic_write(temp / "half" / "config.json", experiment_text(config));
    REQUIRE(resume_run(temp / "half", {}, {.data_dir = std::nullopt, .threads = 1, .quiet = true}) == kDone);
    CHECK(checkpoint_numbers(temp / "whole", "state") == checkpoint_numbers(temp / "half", "state"));
    CHECK(checkpoint_numbers(temp / "whole", "last") == checkpoint_numbers(temp / "half", "last"));
    CHECK(metrics_without_time(temp / "whole") == metrics_without_time(temp / "half"));
  }
}

TEST_CASE("run: a run that was killed at any moment resumes bit for bit") {
  const TempFolder temp;
  json value = long_experiment();
  value["train"]["epochs"] = 60;
  value["output"]["tensorboard"] = true;
  for (const int every : {3, 7}) {  // an epoch has 7 steps: saved within epochs, and at their ends
    CAPTURE(every);
    value["train"]["checkpoint_every_steps"] = every;
    if (every == 7) {  // buffers, pseudo-inputs and a rate that waits
      const json conv = {{"name", "conv"}, {"channels", {4}}, {"dense", {16}}, {"norm", "batch"}};
      value["model"] = {{"name", "vae"}, {"latent_dim", 3}, {"encoder", conv}, {"decoder", conv},
                        {"prior", {{"name", "vampprior"}, {"components", 10}}}};
      value["train"]["ema_decay"] = 0.9;
      value["train"]["schedule"] = "reduce_on_plateau";
    }
    const std::string file = write_experiment(temp, value), whole = (temp / cat("whole", every)).string(),
                      killed = (temp / cat("killed", every)).string();
    REQUIRE(run_program(temp, {"run", file, "--quiet", "--out", whole}).code == kDone);
    std::vector<std::string> command = {"run", file, "--quiet", "--out", killed};
    for (const std::int64_t step : {30, 150, 290}) {
      Child child(command, temp / "killed.txt");
      REQUIRE(wait_for_step(child, killed, step));
      child.send(SIGKILL);
      child.wait();
      command = {"resume", killed, "--quiet"};
    }
    CHECK_FALSE(fs::exists(fs::path(killed) / "report.html"));
    REQUIRE(run_program(temp, command).code == kDone);
    check_same_run(whole, killed);
  }
}

TEST_CASE("run: Ctrl-C saves the step it came in and ends with 130, SIGTERM with 143") {
  const TempFolder temp;
  const std::string file = write_experiment(temp, long_experiment());
  for (const auto& one : {std::pair(SIGINT, 130), std::pair(SIGTERM, 143)}) {
    const int signal = one.first, code = one.second;
    CAPTURE(signal);
    const fs::path folder = temp / std::to_string(signal);
    Child child({"run", file, "--out", folder.string()}, temp / "child.txt");
    REQUIRE(wait_for_step(child, folder, 3));
    child.send(signal);
    CHECK(child.wait() == code);
    CHECK(contains(child.output(), "vaezoo resume " + folder.string()));
    CHECK(contains(child.output(), "stopped at step " + std::to_string(saved_step(folder)) + ";"));
  }
}

TEST_CASE("run: a folder that holds a run is left alone unless --force") {
  const TempFolder temp;
  REQUIRE(run(tiny_experiment(), temp / "run") == kDone);
  const std::string before = checkpoint_numbers(temp / "run", "last");
  json other = tiny_experiment();
  other["seed"] = 3;
  CHECK_THROWS_AS(run(other, temp / "run"), UsageError);
  CHECK(checkpoint_numbers(temp / "run", "last") == before);
  CHECK(run(other, temp / "run", 1, true) == kDone);
  CHECK(checkpoint_numbers(temp / "run", "last") != before);
}

TEST_CASE("run: the table cuts a long name between two characters") {
  const TempFolder temp;
  json value = tiny_experiment();
  value["name"] = "ääääääääää";
  const ProgramResult outcome = run_program(temp, {"run", write_experiment(temp, value), "--out", (temp / "run").string()});
  CHECK(contains(outcome.output, "\näääääää  "));
}

TEST_CASE("run: what is wrong has its exit code and a sentence") {
  const TempFolder temp;
  json value = tiny_experiment();
  const auto expect = [&](int code, const std::string& part, std::vector<std::string> arguments) {
    const ProgramResult outcome = run_program(temp, arguments);
    CAPTURE(outcome.output);
    CHECK(outcome.code == code);
    CHECK(contains(outcome.output, part));
  };
  value["model"]["latent_dims"] = 2;
  expect(kConfig, "did you mean \"latent_dim\"?", {"run", write_experiment(temp, value), "--out", (temp / "x").string()});
  expect(kConfig, "nothing.json", {"run", (temp / "nothing.json").string()});
  expect(kConfig, "did you mean \"vae\"?", {"describe", "vea"});
  value = tiny_experiment();
  value["dataset"] = "mnist";
  expect(kData, "vaezoo download mnist",
         {"run", write_experiment(temp, value), "--data-dir", (temp / "data").string(), "--out", (temp / "x").string()});
  CHECK_FALSE(fs::exists(temp / "x"));
  expect(kUsage, "there is no command \"fly\"; there are run, sweep, compare, resume", {"fly"});
  expect(kUsage, "there is no command \"evalute\"; did you mean \"evaluate\"?", {"evalute", "x"});
  expect(kUsage, "an empty name was given", {"run", write_experiment(temp, tiny_experiment()), "--out", ""});
  expect(kUsage, "nowhere is no folder; make it first", {"encode", "x", "--out", (temp / "nowhere" / "codes.csv").string()});
  for (const char* number : {"99999999999999999999", "012", "0x10", "1e3", "1.5", "two"})
    expect(kUsage, cat(number, " is not a whole number of at most 64 bits"), {"sample", "x", "--seed", number});
  expect(kUsage, "010 is not a whole number", {"sample", "x", "--count", "010"});
  expect(kUsage, "holds no run", {"resume", (temp / "x").string()});
  expect(kUsage, "digits is not downloaded", {"download", "digits"});
}

TEST_CASE("run: divergence ends with 5, names what went non-finite and keeps the last checkpoint") {
  const TempFolder temp;
  json value = tiny_experiment();
  value["train"]["optimizer"] = {{"name", "sgd"}, {"learning_rate", 1e9}};
  value["train"]["checkpoint_every_steps"] = 1;
  const ProgramResult outcome = run_program(temp, {"run", write_experiment(temp, value), "--out", (temp / "run").string()});
  CAPTURE(outcome.output);
  CHECK(outcome.code == kDiverged);
  CHECK(contains(outcome.output, "training diverged at step"));
  CHECK((contains(outcome.output, "first in node") || contains(outcome.output, "the gradient of ")));
  CHECK_NOTHROW(ad::Safetensors(temp / "run" / "checkpoints" / "state.safetensors"));
}

TEST_CASE("run: trained weights answer evaluate, sample, reconstruct and encode") {
  const TempFolder temp;
  REQUIRE(run(tiny_experiment(), temp / "run") == kDone);
  const std::string folder = (temp / "run").string();
  CHECK(run_program(temp, {"evaluate", folder}).code == kDone);
  CHECK(read_json_file(temp / "run" / "evaluation.json").at("test") == read_json_file(temp / "run" / "summary.json").at("test"));
  CHECK(run_program(temp, {"sample", folder, "--count", "3", "--out", (temp / "s.npy").string()}).code == kDone);
  CHECK(fs::file_size(temp / "s.npy") == 128 + 3 * 64 * 4);
  CHECK(run_program(temp, {"sample", folder, "--count", "3", "--out", (temp / "s.png").string()}).code == kDone);
  CHECK(read_file(temp / "s.png").substr(1, 3) == "PNG");
  CHECK(run_program(temp, {"reconstruct", folder, "--count", "5", "--out", (temp / "r.csv").string()}).code == kDone);
  CHECK(count(read_file(temp / "r.csv"), "\n") == 6);
  CHECK(run_program(temp, {"encode", folder, "--out", (temp / "codes.csv").string()}).code == kDone);
  CHECK(read_file(temp / "codes.csv").starts_with("index,split,class,mean_0,mean_1,mean_2,std_0,std_1,std_2\n"));
  CHECK(count(read_file(temp / "codes.csv"), "\n") == 41);
  CHECK(run_program(temp, {"encode", folder, "--out", (temp / "codes.png").string()}).code == kUsage);
}

TEST_CASE("run: every model trains, resumes, evaluates, samples, reconstructs, encodes and reports") {
  for (const ModelEntry& entry : model_registry()) {
    CAPTURE(std::string(entry.name));
    const TempFolder temp;
    json whole = tiny_experiment();
    whole["model"] = {{"name", entry.name}};
    whole["dataset"]["modalities"] = {{"names", {"top", "bottom"}}, {"sizes", {32, 32}}};
    whole["evaluate"]["importance_samples"] = 2;
    whole["train"]["steps"] = 8;  // an epoch has 7
    json half = whole;
    half["train"]["steps"] = 5;
    const std::string folder = (temp / "half").string();
    REQUIRE(run(whole, temp / "whole") == kDone);
    REQUIRE(run(half, temp / "half") == kDone);
    CHECK(run_program(temp, {"resume", folder, "--quiet", "--set", "train.steps=8"}).code == kDone);
    check_same_run(temp / "whole", temp / "half");
    CHECK(run_program(temp, {"evaluate", folder}).code == kDone);
    CHECK(read_json_file(temp / "half" / "evaluation.json").at("test") == read_json_file(temp / "whole" / "summary.json").at("test"));
    CHECK(run_program(temp, {"sample", folder, "--count", "3", "--out", (temp / "s.npy").string()}).code == kDone);
    CHECK(fs::file_size(temp / "s.npy") == 128 + 3 * 64 * 4);
    CHECK(run_program(temp, {"reconstruct", folder, "--count", "5", "--out", (temp / "r.csv").string()}).code == kDone);
    CHECK(count(read_file(temp / "r.csv"), "\n") == 6);
    CHECK(run_program(temp, {"encode", folder, "--out", (temp / "codes.csv").string()}).code == kDone);
    CHECK(count(read_file(temp / "codes.csv"), "\n") == 41);
    CHECK(count(read_file(temp / "half" / "report.html"), "data:image/png;base64,") >= 2);
  }
}

TEST_CASE("run: the modalities that a model makes are judged against those that they are made from") {
  const TempFolder temp;
  json e = tiny_experiment();
  e["dataset"] = {{"name", "poly_digits"}, {"count", 2}, {"limit", 600}, {"modalities", {{"keep", 0.8}}}};
  e["model"] = {{"name", "mopoe_vae"}, {"latent_dim", 8}};
  e["train"]["steps"] = 400;
  e["evaluate"] = {{"splits", {"test"}}, {"importance_samples", 2}, {"classifier_epochs", 5}};
  REQUIRE(run(e, temp / "run") == kDone);
  const json test = read_json_file(temp / "run" / "summary.json").at("test");
  const double there = test.at("coherence_black_to_white"), back = test.at("coherence_white_to_black");
  CHECK(test.at("coherence").get<double>() == doctest::Approx((there + back) / 2));
  CHECK(test.at("classifier_accuracy_black").get<double>() > 0.6);
  CHECK(there > 0.3);  // 0.1 by chance
  CHECK(back > 0.3);
  CHECK(test.at("coherence_of_samples").get<double>() <= 1);
}

TEST_CASE("run: the experiments that come with the program are valid and their schema is current") {
  INFO("when a setting was added: vaezoo schema > experiments/schema.json");
  CHECK(read_file("experiments/schema.json") == experiment_schema_text());
  for (const auto& entry : fs::recursive_directory_iterator("experiments")) {
    if (entry.path().extension() != ".json" || entry.path().filename() == "schema.json") continue;
    CAPTURE(entry.path());
    CHECK_NOTHROW(load_experiment(entry.path()));
  }
}

TEST_CASE("run: a model of text trains, resumes, evaluates, samples, reconstructs and reads other files with its own vocabulary") {
  const TempFolder temp;
  std::string text;
  for (int i = 0; i < 40; ++i) text += i % 2 == 0 ? "the cat sat\n" : "a dog ran far away\n";
  atomic_write(temp / "a.txt", text);
  atomic_write(temp / "new.txt", "the dog flew\n");
  json value = tiny_experiment();
  const json network = {{"name", "gru"}, {"embedding", 4}, {"hidden", 8}};
  value["dataset"] = {{"name", "text"}, {"train_file", (temp / "a.txt").string()}, {"max_length", 6}};
  value["model"] = {{"name", "vae"}, {"latent_dim", 2}, {"likelihood", "tokens"}, {"encoder", network}, {"decoder", network}};
  const std::string file = write_experiment(temp, value), folder = (temp / "run").string();
  REQUIRE(run_program(temp, {"run", file, "--quiet", "--out", folder}).code == kDone);
  const json test = read_json_file(temp / "run" / "summary.json").at("test");
  CHECK(test.at("perplexity").get<double>() > 1);
  CHECK_FALSE(test.contains("mse"));
  for (const char* picture : {"samples.svg", "reconstructions.svg"}) CHECK(markup_fault(read_file(temp / "run" / picture)) == "");
  REQUIRE(run_program(temp, {"sample", folder, "--count", "5"}).code == kDone);
  CHECK(count(read_file(temp / "run" / "samples.txt"), "\n") == 5);
  REQUIRE(run_program(temp, {"reconstruct", folder, "--count", "2"}).code == kDone);
  CHECK(count(read_file(temp / "run" / "reconstructions.txt"), "\n") == 4);
  REQUIRE(run_program(temp, {"evaluate", folder}).code == kDone);
  REQUIRE(run_program(temp, {"encode", folder, "--file", (temp / "new.txt").string(), "--out", (temp / "codes.csv").string()}).code == kDone);
  CHECK(count(read_file(temp / "codes.csv"), "\n") == 2);  // names and one line
}
