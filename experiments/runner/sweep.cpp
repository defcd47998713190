#include "experiments/runner/sweep.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "autodiff/random.hpp"
#include "config/json.hpp"
#include "config/printable.hpp"
#include "experiments/output/console.hpp"
#include "experiments/output/files.hpp"
#include "experiments/output/text.hpp"
#include "experiments/runner/compare.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/interrupt.hpp"

namespace vaezoo {
namespace {

using ad::cat;
using nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::size_t kMostRuns = 10'000, kLongestName = 150;

using Setting = std::pair<std::string, ordered_json>;  // path and value

std::string last_part(const std::string& path) { return path.substr(path.rfind('.') + 1); }

/// "beta=2,seed=1", with whole paths where two settings end alike; it names a folder.
std::string name_of(const std::vector<Setting>& settings) {
  std::map<std::string, int> ends;
  for (const auto& [path, value] : settings) ++ends[last_part(path)];
  std::string name;
  for (const auto& [path, value] : settings) {
    const bool named = value.is_object() && value.contains("name") && value["name"].is_string();
    name += cat(name.empty() ? "" : ",", ends[last_part(path)] > 1 ? path : last_part(path), "=",
                named               ? value["name"].get<std::string>()
                : value.is_string() ? value.get<std::string>()
                                    : value.dump());
  }
  std::erase(name, '"');
  for (char& c : name)
    if (c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '_';
  return name;
}

SweepRun run_of(const std::vector<Setting>& settings) {
  SweepRun run{name_of(settings), {}};
  for (const auto& [path, value] : settings) run.overrides.push_back(cat(path, "=", value.dump()));
  return run;
}

/// Reads the block, and knows how to complain.
class Planner {
 public:
  Planner(const ordered_json& sweep, const std::string& source) : sweep_(sweep), source_(source) {}

  std::vector<SweepRun> runs() const {
    std::vector<SweepRun> runs = sweep_.is_array()                                 ? listed_runs()
                                 : sweep_.is_object() && sweep_.contains("random") ? drawn_runs()
                                                                                   : grid();
    std::set<std::string> names;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (runs[i].name.size() > kLongestName) runs[i].name = fmt::format("run_{:04}", i);
      if (!names.insert(runs[i].name).second) runs[i].name += fmt::format(",{}", i), names.insert(runs[i].name);
    }
    return runs;
  }

 private:
  [[noreturn]] void fail(const std::string& where, const std::string& what) const {
    throw ConfigError(cat(source_, ": sweep", where.empty() ? "" : ".", where, ": ", what));
  }

  const ordered_json& settings_of(const ordered_json& object) const {
    if (!object.is_object() || object.empty())
      fail("", "expected settings, for example {\"model.beta\": [1, 2, 4], \"seed\": [1, 2, 3]}");
    for (const auto& [path, value] : object.items())
      if (path == "name" || path.find('=') != std::string::npos || path.empty())
        fail(path, "is no setting that runs can differ in");
    return object;
  }

  std::vector<SweepRun> grid() const {
    std::vector<std::vector<Setting>> all(1);
    for (const auto& [path, values] : settings_of(sweep_).items()) {
      if (!values.is_array() || values.empty()) fail(path, "expected a list of values, for example [1, 2, 4]");
      if (all.size() * values.size() > kMostRuns) fail("", cat("has more than ", kMostRuns, " combinations"));
      std::vector<std::vector<Setting>> longer;
      for (const std::vector<Setting>& begun : all)
        for (const ordered_json& value : values) {
          longer.push_back(begun);
          longer.back().emplace_back(path, value);
        }
      all = std::move(longer);
    }
    std::vector<SweepRun> runs;
    for (const std::vector<Setting>& settings : all) runs.push_back(run_of(settings));
    return runs;
  }

  std::vector<SweepRun> listed_runs() const {
    if (sweep_.empty() || sweep_.size() > kMostRuns) fail("", cat("expected a list of 1 to ", kMostRuns, " runs"));
    std::vector<SweepRun> runs;
    for (const ordered_json& one : sweep_) {
      std::vector<Setting> settings;
      for (const auto& [path, value] : settings_of(one).items()) settings.emplace_back(path, value);
      runs.push_back(run_of(settings));
    }
    return runs;
  }

  std::vector<SweepRun> drawn_runs() const {
    const ordered_json& random = sweep_["random"];
    if (!random.is_object()) fail("random", "expected {\"count\": 20, \"seed\": 0}");
    for (const auto& [key, value] : random.items()) {
      if (key != "count" && key != "seed") fail(cat("random.", key), "there is no such setting; choices: count, seed");
      if (!value.is_number_integer() || value.get<std::int64_t>() < 0)
        fail(cat("random.", key), "expected a whole number from 0 on");
    }
    const std::int64_t count = random.value("count", std::int64_t{0});
    if (count < 1 || count > std::int64_t{kMostRuns}) fail("random.count", cat("expected 1 to ", kMostRuns));
    const ad::Key key(static_cast<std::uint64_t>(random.value("seed", std::int64_t{0})));
    std::vector<SweepRun> runs;
    for (std::int64_t i = 0; i < count; ++i) {
      std::vector<Setting> settings;
      for (const auto& [path, values] : settings_of(sweep_).items()) {
        if (path == "random") continue;
        std::array<ad::Real, 1> u{};
        ad::fill_uniform(key.fold(path).fold(static_cast<std::uint64_t>(i)), u);
        settings.emplace_back(path, draw(path, values, double(u[0])));
      }
      if (settings.empty()) fail("", "names no setting to draw");
      runs.push_back(run_of(settings));
    }
    return runs;
  }

  /// The value at the share u of a range or a list.
  ordered_json draw(const std::string& path, const ordered_json& values, double u) const {
    if (values.is_array() && !values.empty()) return values[static_cast<std::size_t>(u * double(values.size()))];
    if (!values.is_object() || values.size() != 1)
      fail(path, "expected a list of values, or one of {\"uniform\": [a, b]}, {\"log_uniform\": [a, b]}, {\"integer\": [a, b]}");
    const std::string law = values.begin().key();
    const ordered_json& range = values.begin().value();
    if (law != "uniform" && law != "log_uniform" && law != "integer")
      fail(path, cat("there is no law \"", excerpt(law), "\"; choices: uniform, log_uniform, integer"));
    if (!range.is_array() || range.size() != 2 || !range[0].is_number() || !range[1].is_number() ||
        !(range[0].get<double>() < range[1].get<double>()))
      fail(path, "expected a range of two numbers, the lower first");
    const double low = range[0], high = range[1];
    if (law == "integer") {
      if (!range[0].is_number_integer() || !range[1].is_number_integer()) fail(path, "expected a range of two whole numbers");
      return range[0].get<std::int64_t>() + static_cast<std::int64_t>(u * (high - low + 1));
    }
    if (law == "log_uniform" && low <= 0) fail(path, "expected a range of positive numbers");
    const double value = law == "uniform" ? low + u * (high - low) : low * std::pow(high / low, u);
    return std::strtod(fmt::format("{:.4g}", value).c_str(), nullptr);  // as it stands in names and tables
  }

  const ordered_json& sweep_;
  const std::string& source_;
};

/// A run as a child process, with its output in a log file.
pid_t start(const std::vector<std::string>& words, const fs::path& log) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) throw std::runtime_error(cat("cannot write ", log.string(), "; is the folder writable?"));
  const pid_t child = fork();
  if (child == 0) {  // only calls that are safe between fork and exec
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    setpgid(0, 0);  // so that a Ctrl-C of the terminal comes once, from the parent
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    execv("/proc/self/exe", arguments.data());
    _exit(127);
  }
  close(file);
  if (child < 0) throw std::runtime_error("cannot start a process for a run; is memory or the number of processes exhausted?");
  return child;
}

std::string last_line(const fs::path& log) {
  std::string text = fs::exists(log) ? read_file(log) : "", line;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return excerpt(text.substr(text.find_last_of("\n\r") + 1), 200);
}

struct Job {
  const SweepRun* run;
  fs::path folder;
  std::size_t number;
  std::chrono::steady_clock::time_point begun;
};

/// Is the run in this folder done? Throws UsageError when it has other settings.
bool finished(const RunFolder& folder, ExperimentConfig& wanted) {
  if (!folder.holds_run()) return false;
  if (fs::exists(folder.config()) && read_file(folder.config()) != experiment_text(wanted))
    throw UsageError(cat(folder.path.string(),
                         ": holds a run with other settings than the sweep now has; choose another --out, or remove it"));
  return fs::exists(folder.summary());
}

}  // namespace

std::vector<SweepRun> plan_sweep(const std::string& sweep, const std::string& source) {
  const ordered_json block = ordered_json::parse(sweep);
  return Planner(block, source).runs();
}

ExperimentConfig load_sweep_run(const std::string& file, const std::vector<std::string>& overrides, const SweepRun& run) {
  std::vector<std::string> all = overrides;
  all.insert(all.end(), run.overrides.begin(), run.overrides.end());
  try {
    ExperimentConfig config = load_experiment(file, all);
    config.name = run.name;
    return config;
  } catch (const ConfigError& error) {
    throw ConfigError(cat(file, ": sweep: ", run.name, ": ", error.what()));
  }
}

int sweep_command(const SweepRequest& request, const CommonOptions& common) {
  if (request.file == "-") throw UsageError("a sweep reads its file again for each run, so that it cannot be standard input");
  const ExperimentConfig base = load_experiment(request.file, request.overrides);
  if (base.sweep.empty())
    throw ConfigError(
        cat(request.file, ": has no \"sweep\"; add one, for example \"sweep\": {\"seed\": [1, 2, 3]}, or use vaezoo run"));
  const std::vector<SweepRun> runs = plan_sweep(base.sweep, request.file);
  const fs::path out = request.out.empty() ? fs::path("sweeps") / base.name : fs::path(request.out);

  std::vector<const SweepRun*> waiting;
  for (const SweepRun& run : runs) {
    ExperimentConfig config = load_sweep_run(request.file, request.overrides, run);
    if (!finished(RunFolder{out / run.name}, config)) waiting.push_back(&run);
  }
  const auto say = [&](const std::string& line) {
    if (!common.quiet) tell(printable(line) + "\n");
  };
  say(cat(runs.size(), " runs in ", out.string(), ", ", runs.size() - waiting.size(), " of them finished already"));
  make_folder(out);
  note_signals();

  int code = kDone;
  std::map<pid_t, Job> running;
  std::size_t next = 0, done = 0;
  const auto began = std::chrono::steady_clock::now();
  const auto seconds_since = [](std::chrono::steady_clock::time_point t) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - t).count();
  };
  const auto begin_next = [&] {
    const SweepRun& run = *waiting[next];
    const fs::path folder = out / run.name;
    const bool begun = RunFolder{folder}.holds_run();
    std::vector<std::string> words = {"vaezoo", begun ? "resume" : "run", begun ? folder.string() : request.file, "--quiet"};
    const auto add = [&](const std::string& option, const std::string& value) { words.insert(words.end(), {option, value}); };
    if (!begun) {
      add("--out", folder.string());
      for (const std::string& o : request.overrides) add("--set", o);
      for (const std::string& o : run.overrides) add("--set", o);
      add("--set", cat("name=", ordered_json(run.name).dump()));
      words.emplace_back("--of-sweep");
    }
    if (common.data_dir) add("--data-dir", *common.data_dir);
    if (common.threads) add("--threads", std::to_string(*common.threads));
    running[start(words, out / (run.name + ".log"))] = {&run, folder, ++next, std::chrono::steady_clock::now()};
  };
  bool stopping = false;
  while (!running.empty() || (next < waiting.size() && !stopping)) {
    if (signal_received() != 0 && !stopping) {
      stopping = true;
      for (const auto& [child, job] : running) kill(child, SIGTERM);
    }
    if (!stopping && next < waiting.size() && std::ssize(running) < request.jobs) {
      begin_next();
      continue;
    }
    int status = 0;
    const pid_t child = waitpid(-1, &status, WNOHANG);
    const auto job = running.find(child);
    if (child <= 0 || job == running.end()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      continue;
    }
    const Job ended = job->second;
    running.erase(job);
    const int result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (stopping && result != kDone) continue;
    ++done;
    const double eta = seconds_since(began) / double(done) * double(waiting.size() - done);
    say(result == kDone ? fmt::format("[{}/{}] {}  {}  ETA {}", ended.number, waiting.size(), ended.run->name,
                                      format_duration(seconds_since(ended.begun)), format_duration(eta))
                        : fmt::format("[{}/{}] {}  FAILED: {}", ended.number, waiting.size(), ended.run->name,
                                      last_line(out / (ended.run->name + ".log"))));
    if (result != kDone && code == kDone) code = result;
  }
  if (stopping) {
    say("stopped; the same command goes on");
    return signal_code(signal_received());
  }
  std::vector<std::string> folders;
  for (const SweepRun& run : runs)
    if (fs::exists(RunFolder{out / run.name}.summary())) folders.push_back((out / run.name).string());
  if (folders.size() > 1)
    compare_command({.runs = folders,
                     .title = base.name,
                     .description = base.description,
                     .html = (out / "compare.html").string(),
                     .csv = (out / "compare.csv").string()},
                    common);
  return code;
}

}  // namespace vaezoo
