// Signals and closed streams: no command crashes, loses what it has, or leaves a file half-written.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <random>
#include <thread>

#include "autodiff/safetensors.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/interrupt.hpp"
#include "tests/zoo/runner_support.hpp"

using namespace vaezoo;
using namespace test_support;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

void pause_for(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

/// Seconds that a process has computed so far, however busy the machine is. (man 5 proc)
double processor_time(const Child& child) {
  std::ifstream file(ad::cat("/proc/", child.id(), "/stat"));
  std::string field;
  std::getline(file, field, ')');  // the name, which may hold spaces
  double ticks = 0;
  for (int i = 3; i <= 15 && file >> field; ++i)
    if (i >= 14) ticks += std::stod(field);
  return ticks / double(sysconf(_SC_CLK_TCK));
}

/// Wide layers, so that nearly all of its time is spent in matrix products.
json wide_experiment() {
  json value = tiny_experiment();
  value["model"]["encoder"]["hidden"] = value["model"]["decoder"]["hidden"] = {400, 400};
  value["train"] = {{"epochs", 100000}, {"batch_size", 100}, {"log_every", 1000}, {"checkpoint_every", 1000000}};
  value["evaluate"] = {{"importance_samples", 0}};
  value["output"] = {{"tensorboard", false}, {"report", false}, {"samples", 0}, {"reconstructions", 0}, {"latent_map", false}};
  return value;
}

std::string write_json(const fs::path& file, const json& value) {
  atomic_write(file, value.dump());
  return file.string();
}

/// Trained weights for the commands that want some.
std::string trained_run(const TempFolder& temp) {
  json value = wide_experiment();
  value["train"]["epochs"] = 1;
  REQUIRE(run(value, temp / "run") == kDone);
  return (temp / "run").string();
}

/// Sends the signal after the training has begun to write and `delay`.
int interrupt_training(Child& child, const fs::path& folder, int signal, std::chrono::milliseconds delay) {
  while (child.running() && !fs::exists(folder / "metrics.csv")) pause_for(std::chrono::milliseconds(1));
  pause_for(delay);
  child.send(signal);
  return child.wait();
}

/// What each thread of a process holds back.
std::vector<std::uint64_t> blocked_signals(pid_t process) {
  std::vector<std::uint64_t> masks;
  for (const auto& thread : fs::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    const std::string status = read_file(thread.path() / "status");
    const std::size_t at = status.find("SigBlk:");
    masks.push_back(std::stoull(status.substr(at + 7), nullptr, 16));
  }
  return masks;
}

bool has_temporary(const fs::path& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().filename().string().ends_with(".tmp")) return true;
  return false;
}

}  // namespace

TEST_CASE("signals: training that is interrupted at any moment saves, says how to go on and loses nothing") {
  const TempFolder temp;
  const std::string file = write_json(temp / "experiment.json", wide_experiment());
  std::mt19937 random(1);
  int number = 0;
  for (const char* threads : {"1", "2"})
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGINT, SIGTERM}) {
      const fs::path folder = temp / std::to_string(number++);
      CAPTURE(signal);
      Child child({"run", file, "--threads", threads, "--out", folder.string()}, temp / "child.txt");
      CHECK(interrupt_training(child, folder, signal, std::chrono::milliseconds(random() % 120)) == 128 + signal);
      CHECK(contains(child.output(), "everything is saved: go on with\n  vaezoo resume " + folder.string()));
      CHECK_NOTHROW(ad::Safetensors(folder / "checkpoints" / "state.safetensors"));
      CHECK_NOTHROW(ad::Safetensors(folder / "checkpoints" / "last.safetensors"));
    }
}

TEST_CASE("signals: what an interrupted training goes on to is what it would have been") {
  const TempFolder temp;
  json value = wide_experiment();
  const std::string file = write_json(temp / "experiment.json", value);
  Child child({"run", file, "--threads", "1", "--quiet", "--out", (temp / "stopped").string()}, temp / "child.txt");
  REQUIRE(interrupt_training(child, temp / "stopped", SIGINT, std::chrono::milliseconds(40)) == 130);
  const ad::Safetensors state(temp / "stopped" / "checkpoints" / "state.safetensors");
  value["train"] = {{"steps", std::stoll(state.metadata().at("step"))}, {"batch_size", 100}, {"log_every", 1000}};
  REQUIRE(run(value, temp / "whole") == kDone);
  CHECK(checkpoint_numbers(temp / "stopped", "last") == checkpoint_numbers(temp / "whole", "last"));
}

TEST_CASE("signals: evaluate, sample, reconstruct and encode stop at once, say so and leave no file") {
  const TempFolder temp;
  const std::string folder = trained_run(temp);
  const std::string many = "evaluate.importance_samples=100000000";
  std::mt19937 random(2);
  struct Command {
    std::vector<std::string> arguments;
    std::string sentence;
    fs::path file;
  };
  for (const Command& c :
       {Command{{"evaluate", folder, "--threads", "1", "--set", many}, "evaluation stopped; nothing was written", temp / "run" / "evaluation.json"},
        Command{{"sample", folder, "--threads", "1", "--count", "1000000", "--out", (temp / "s.csv").string()},
                "stopped; nothing was written",
                temp / "s.csv"},
        Command{{"encode", folder, "--threads", "1", "--nll", "100000000", "--out", (temp / "c.csv").string()},
                "stopped; nothing was written",
                temp / "c.csv"}})
    for (const int signal : {SIGINT, SIGTERM, SIGINT}) {
      CAPTURE(c.arguments[0]);
      CAPTURE(signal);
      Child child(c.arguments, temp / "child.txt");
      while (child.running() && processor_time(child) < 0.3 + double(random() % 100) / 1000)  // until it is loaded, and far from done
        pause_for(std::chrono::milliseconds(10));
      child.send(signal);
      CHECK(child.wait() == 128 + signal);
      CHECK(contains(child.output(), c.sentence));
      CHECK_FALSE(fs::exists(c.file));
      CHECK_FALSE(has_temporary(temp.path()));
    }
}

TEST_CASE("signals: an evaluation after training that is stopped says that the training is saved") {
  const TempFolder temp;
  json value = wide_experiment();
  value["train"]["epochs"] = 1;
  value["evaluate"]["importance_samples"] = 100000000;
  Child child({"run", write_json(temp / "e.json", value), "--quiet", "--out", (temp / "run").string()}, temp / "child.txt");
  while (child.running() && !fs::exists(temp / "run" / "checkpoints" / "last.safetensors")) pause_for(std::chrono::milliseconds(2));
  pause_for(std::chrono::milliseconds(100));
  child.send(SIGTERM);
  CHECK(child.wait() == 143);
  CHECK(contains(child.output(), "stopped during the evaluation; training is saved: go on with\n  vaezoo resume " +
                                     (temp / "run").string()));
}

TEST_CASE("signals: only one thread takes them, which computes nothing; nohup's SIGHUP stays ignored") {
  const TempFolder temp;
  const std::string file = write_json(temp / "experiment.json", wide_experiment());
  const auto before = std::signal(SIGHUP, SIG_IGN);
  Child child({"run", file, "--threads", "2", "--out", (temp / "run").string()}, temp / "child.txt");
  std::signal(SIGHUP, before);
  while (child.running() && !fs::exists(temp / "run" / "metrics.csv")) pause_for(std::chrono::milliseconds(1));
  pause_for(std::chrono::milliseconds(50));
  const std::vector<std::uint64_t> masks = blocked_signals(child.process());
  CHECK(masks.size() >= 2);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGPROF, SIGWINCH})
    CHECK(std::ranges::count_if(masks, [&](std::uint64_t m) { return (m >> (signal - 1) & 1) == 0; }) == 1);
  child.send(SIGHUP);
  pause_for(std::chrono::milliseconds(50));
  CHECK(child.running());
  child.send(SIGINT);
  CHECK(child.wait() == 130);
}

TEST_CASE("signals: a second one ends a program that is stuck") {
  const TempFolder temp;
  const std::string file = write_json(temp / "experiment.json", wide_experiment());
  // Nobody reads its words: when the pipe is full, the training waits.
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  REQUIRE(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
  const std::string filler(4096, '.');
  while (write(ends[1], filler.data(), filler.size()) > 0) {}
  REQUIRE(fcntl(ends[1], F_SETFL, 0) == 0);
  Child child({"run", file, "--out", (temp / "run").string()}, "/dev/fd/" + std::to_string(ends[1]));
  pause_for(std::chrono::milliseconds(400));
  for (int i = 0; i < 2 && child.running(); ++i) {
    child.send(SIGINT);
    pause_for(std::chrono::milliseconds(100));
  }
  CHECK(child.wait() == 130);
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("streams: words that cannot be written are lost, and the training is not; results that cannot be are an error") {
  const TempFolder temp;
  const auto shell = [&](const std::string& arguments) {
    const int status = std::system((std::string(VAEZOO_PROGRAM) + " " + arguments).c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  };
  const std::string file = write_json(temp / "experiment.json", tiny_experiment());
  const auto train = [&](const std::string& name, const std::string& streams) {
    const int code = shell("run " + file + " --out " + (temp / name).string() + " " + streams);
    CHECK(fs::exists(temp / name / "report.html"));
    return code;
  };
  REQUIRE(train("open", ">/dev/null 2>&1") == kDone);
  CHECK(train("full", ">/dev/null 2>/dev/full") == kDone);
  CHECK(train("closed", ">/dev/null 2>&- <&-") == kDone);
  CHECK(checkpoint_numbers(temp / "open", "last") == checkpoint_numbers(temp / "closed", "last"));
  CHECK(metrics_without_time(temp / "open") == metrics_without_time(temp / "closed"));  // no file took the stream's place
  CHECK(train("unread", "2>&1 >/dev/null | true") == kDone);
  const std::string words = (temp / "words").string();
  CHECK(train("results", ">/dev/full 2>" + words) == kFailure);
  CHECK(contains(read_file(words), "cannot write to standard output: No space left on device"));
  for (const char* arguments : {"list", "--help", "schema", "describe vae", "validate experiments/quickstart.json"})
    for (const char* stream : {" >/dev/full 2>", " >&- 2>"}) {
      CAPTURE(arguments);
      CHECK(shell(arguments + (stream + words)) == kFailure);
      CHECK(contains(read_file(words), "cannot write to standard output"));
    }
  CHECK(shell("fly 2>/dev/full") == kUsage);
}

TEST_CASE("streams: a limit of the file size is the error of a write, not the end of the program") {
  const TempFolder temp;
  const std::string file = write_json(temp / "experiment.json", wide_experiment());
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit small{100000, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  Child child({"run", file, "--set", "train.epochs=1", "--out", (temp / "run").string()}, temp / "child.txt");
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(child.wait() == kFailure);
  CHECK(contains(child.output(), "File too large"));
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

/// Not under a sanitizer, whose shadow memory needs more addresses than these.
TEST_CASE("memory: where the address space is small, a sentence ends the program, and nothing spins" * doctest::skip(kSanitized)) {
  const TempFolder temp;
  const std::string file = write_json(temp / "experiment.json", tiny_experiment());
  for (const int megabytes : {118, 122, 130, 150, 200, 250, 300}) {
    CAPTURE(megabytes);
    const std::string words = (temp / "words").string();
    const int status = std::system(("ulimit -v " + std::to_string(megabytes * 1024) + "; timeout -s KILL 60 " + VAEZOO_PROGRAM + " run " + file +
                                    " --threads 2 --force --out " + (temp / "run").string() + " >/dev/null 2>" + words)
                                       .c_str());
    REQUIRE(WIFEXITED(status));
    const std::string said = read_file(words);
    CAPTURE(said);
    CHECK(WEXITSTATUS(status) < 128);
    CHECK((WEXITSTATUS(status) == kDone) == fs::exists(temp / "run" / "report.html"));
    if (WEXITSTATUS(status) != kDone) CHECK(count(said, "\n") > 0);
    fs::remove_all(temp / "run");
  }
}
