#pragma once
// What the tests of runs share: a tiny experiment, and the built program as a child process.
#include <signal.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "autodiff/safetensors.hpp"
#include "experiments/output/files.hpp"
#include "experiments/runner/run.hpp"
#include "tests/zoo/output_support.hpp"

namespace test_support {

/// 200 digits, a network of 16 units, 2 epochs of 7 steps.
inline nlohmann::json tiny_experiment() {
  return {{"name", "tiny"},
          {"dataset", {{"name", "digits"}, {"limit", 200}, {"validation", 40}, {"test", 40}}},
          {"model",
           {{"name", "vae"},
            {"latent_dim", 3},
            {"encoder", {{"name", "mlp"}, {"hidden", {16}}}},
            {"decoder", {{"name", "mlp"}, {"hidden", {16}}}}}},
          {"train", {{"epochs", 2}, {"batch_size", 32}, {"log_every", 1}}},
          {"evaluate", {{"importance_samples", 4}}},
          {"output", {{"samples", 4}, {"reconstructions", 4}}}};
}

inline vaezoo::ExperimentConfig experiment(const nlohmann::json& value) {
  return vaezoo::read_experiment(vaezoo::Document::from_json(value, "test.json"));
}

/// Trains in this process; returns the exit code.
inline int run(const nlohmann::json& value, const std::filesystem::path& folder, int threads = 1, bool force = false) {
  return vaezoo::run_experiment(experiment(value), folder, force, {.data_dir = std::nullopt, .threads = threads, .quiet = true});
}

/// The tensors of a run's checkpoint "state" or "last", as bytes (the header tells times, so it is left out).
inline std::string checkpoint_numbers(const std::filesystem::path& folder, const std::string& which) {
  const std::string bytes = vaezoo::read_file(folder / "checkpoints" / (which + ".safetensors"));
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  return bytes.substr(sizeof header + header);
}

/// The lines of metrics.jsonl without their "time".
inline std::vector<nlohmann::json> metrics_without_time(const std::filesystem::path& folder) {
  std::ifstream file(folder / "metrics.jsonl");
  std::vector<nlohmann::json> records;
  for (std::string line; std::getline(file, line);) {
    records.push_back(nlohmann::json::parse(line));
    records.back().erase("time");
  }
  return records;
}

/// The lines of metrics.csv without their fourth column, "time".
inline std::vector<std::string> csv_without_time(const std::filesystem::path& folder) {
  std::ifstream file(folder / "metrics.csv");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    std::size_t begin = 0;
    for (int comma = 0; comma < 3; ++comma) begin = line.find(',', begin) + 1;
    const std::size_t end = std::min(line.find(',', begin), line.size());
    lines.push_back(line.erase(begin, end - begin));
  }
  return lines;
}

inline nlohmann::json read_json_file(const std::filesystem::path& path) { return nlohmann::json::parse(vaezoo::read_file(path)); }

/// The program, started with these arguments; its output goes to a file.
class Child {
 public:
  Child(std::vector<std::string> arguments, const std::filesystem::path& output) : output_(output) {
    arguments.insert(arguments.begin(), VAEZOO_PROGRAM);
    std::vector<char*> argv;
    for (std::string& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    if (posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ) != 0) pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Child() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      wait();
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t id() const { return pid_; }
  pid_t process() const { return pid_; }
  void send(int signal) const { kill(pid_, signal); }
  bool running() {
    if (pid_ > 0 && waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = 0;
    return pid_ > 0;
  }
  /// The exit code, or minus the signal that ended it.
  int wait() {
    if (pid_ > 0) waitpid(pid_, &status_, 0);
    pid_ = 0;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
  }
  std::string output() const { return vaezoo::read_file(output_); }

 private:
  std::filesystem::path output_;
  pid_t pid_ = -1;
  int status_ = 0;
};

struct ProgramResult {
  int code;
  std::string output;
};
/// Runs the program to its end.
inline ProgramResult run_program(const TempFolder& temp, const std::vector<std::string>& arguments) {
  Child child(arguments, temp / "output.txt");
  const int code = child.wait();
  return {code, child.output()};
}

/// Writes the experiment as a file; returns its path.
inline std::string write_experiment(const TempFolder& temp, const nlohmann::json& value) {
  const std::filesystem::path file = temp / "experiment.json";
  vaezoo::atomic_write(file, value.dump());
  return file.string();
}

/// Many short steps, each saved: something to interrupt.
inline nlohmann::json long_experiment() {
  nlohmann::json value = tiny_experiment();
  value["train"]["epochs"] = 400;
  value["train"]["log_every"] = 10;
  value["train"]["checkpoint_every_steps"] = 3;
  value["output"]["tensorboard"] = false;
  return value;
}

/// Waits until the run has saved a state of at least that step; false when the program ended before.
inline bool wait_for_step(Child& child, const std::filesystem::path& folder, std::int64_t step) {
  while (child.running()) {
    if (std::filesystem::exists(folder / "checkpoints" / "state.safetensors")) {
      const ad::Safetensors file(folder / "checkpoints" / "state.safetensors");
      if (std::stoll(file.metadata().at("step")) >= step) return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

}  // namespace test_support
