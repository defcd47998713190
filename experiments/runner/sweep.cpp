#include "experiments/runner/sweep.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

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
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

struct Job {
  const SweepRun* run;
  std::size_t number;  ///< of those that were not finished, from 1 on
  Clock::time_point begun;
};

/// A run as a child process, with its output in a log file. Throws std::runtime_error.
pid_t start(const std::vector<std::string>& words, const fs::path& log) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) throw std::runtime_error(cat("cannot write ", log.string(), "; is the folder writable?"));
  const pid_t parent = getpid(), child = fork();
  if (child == 0) {  // only calls that are safe between fork and exec
    signal(SIGTERM, SIG_DFL);  // the handler of the parent would swallow one that comes before exec
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    setpgid(0, 0);  // so that a Ctrl-C of the terminal comes once, from the parent
    prctl(PR_SET_PDEATHSIG, SIGTERM);  // a sweep that is killed leaves no run behind
    if (getppid() != parent) _exit(127);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    execv("/proc/self/exe", arguments.data());
    constexpr std::string_view kWhy = "vaezoo: cannot start /proc/self/exe\n";
    [[maybe_unused]] const auto written = write(STDERR_FILENO, kWhy.data(), kWhy.size());
    _exit(127);
  }
  close(file);
  if (child < 0) throw std::runtime_error("cannot start a process for a run; is memory or the number of processes exhausted?");
  return child;
}

/// The runs at work. However it ends, none is left behind: they are asked to save and end, and waited for.
class Children {
 public:
  Children() = default;
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;
  ~Children() {
    stop();
    for (const auto& [child, job] : running_) waitpid(child, nullptr, 0);
  }

  std::ptrdiff_t count() const { return std::ssize(running_); }
  void add(pid_t child, Job job) { running_[child] = std::move(job); }
  void stop() const {
    for (const auto& [child, job] : running_) kill(child, SIGTERM);
  }
  /// One that has ended, with its status as of waitpid; none while all work on.
  std::optional<std::pair<Job, int>> ended() {
    for (auto it = running_.begin(); it != running_.end(); ++it) {
      int status = 0;
      if (waitpid(it->first, &status, WNOHANG) != it->first) continue;
      std::pair<Job, int> result{std::move(it->second), status};
      running_.erase(it);
      return result;
    }
    return std::nullopt;
  }

 private:
  std::map<pid_t, Job> running_;
};

/// Why a run ended that did not end well: the last line of its log, which is its error.
std::string reason_of(int status, const fs::path& log) {
  if (WIFSIGNALED(status)) return cat("ended by signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)), ")");
  std::string text = read_file(log);
  text.erase(text.find_last_not_of("\r\n") + 1);
  const std::string line = excerpt(text.substr(text.find_last_of("\r\n") + 1), 200);
  return line.empty() ? cat("exit code ", WEXITSTATUS(status)) : line;
}

/// Is the run in this folder done? Throws UsageError when it has other settings.
bool finished(const RunFolder& folder, ExperimentConfig& wanted) {
  if (!folder.holds_run()) return false;
  if (fs::exists(folder.config()) && read_file(folder.config()) != experiment_text(wanted))
    throw UsageError(cat(folder.path.string(),
                         ": holds a run with other settings than the sweep now has; choose another --out, or remove it"));
  return fs::exists(folder.summary());
}

/// Trains the runs of one request.
class Sweep {
 public:
  Sweep(const SweepRequest& request, const CommonOptions& common, const fs::path& out)
      : request_(request), common_(common), out_(out) {}

  /// Trains these, some at a time; returns when all have ended, or when a signal came and those at work have saved.
  void train(const std::vector<const SweepRun*>& runs) {
    note_signals();
    Children children;
    std::size_t next = 0, done = 0;
    const Clock::time_point began = Clock::now();
    bool stopping = false;
    while (children.count() > 0 || (next < runs.size() && !stopping)) {
      if (signal_received() != 0 && !stopping) {
        stopping = true;
        children.stop();
      }
      if (!stopping && next < runs.size() && children.count() < request_.jobs) {
        const SweepRun& run = *runs[next];
        children.add(start(command_of(run), log_of(run)), {&run, ++next, Clock::now()});
        continue;
      }
      const auto ended = children.ended();
      if (!ended) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        continue;
      }
      const auto& [job, status] = *ended;
      const int result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      if (stopping && result != kDone) continue;
      ++done;
      const std::string head = fmt::format("[{}/{}] {}", job.number, runs.size(), job.run->name);
      if (result == kDone) {
        const double eta = seconds_since(began) / double(done) * double(runs.size() - done);
        say(fmt::format("{}  {}  ETA {}", head, format_duration(seconds_since(job.begun)), format_duration(eta)));
      } else {
        if (code_ == kDone) code_ = result;
        failures_.push_back({job.run->name, reason_of(status, log_of(*job.run))});
        say(cat(head, "  FAILED: ", failures_.back().reason));
      }
    }
  }

  /// The page and the table of those that are finished.
  void compare(const std::vector<SweepRun>& runs, const ExperimentConfig& base) const {
    CompareRequest request{.runs = {},
                           .title = base.name,
                           .description = base.description,
                           .warnings = {},
                           .names_say_settings = true,
                           .html = (out_ / "compare.html").string(),
                           .csv = (out_ / "compare.csv").string()};
    for (const SweepRun& run : runs)
      if (fs::exists(RunFolder{out_ / run.name}.summary())) request.runs.push_back((out_ / run.name).string());
    for (const Failure& failure : failures_) request.warnings.push_back(cat(failure.run, " failed: ", failure.reason));
    if (request.runs.empty()) return tell("no run is finished, so there is nothing to compare\n");
    try {
      compare_command(request, common_);
    } catch (const UsageError& error) {
      tell(printable(cat("the runs are trained but not compared: ", error.what())) + "\n");
    }
  }

  /// Also with --quiet: a failure must not pass unseen.
  void list_failures(std::size_t runs) const {
    if (failures_.empty()) return;
    tell(fmt::format("{} of {} runs failed; the same command tries them again:\n", failures_.size(), runs));
    for (const Failure& failure : failures_)
      tell(printable(cat("  ", failure.run, ": ", failure.reason, " (", (out_ / failure.run).string(), ".log)")) + "\n");
  }

  void say(const std::string& line) const {
    if (!common_.quiet) tell(printable(line) + "\n");
  }
  int code() const { return code_; }  ///< kDone, or that of the first run that failed

 private:
  struct Failure {
    std::string run, reason;
  };

  static double seconds_since(Clock::time_point then) { return std::chrono::duration<double>(Clock::now() - then).count(); }

  fs::path log_of(const SweepRun& run) const { return out_ / (run.name + ".log"); }

  std::vector<std::string> command_of(const SweepRun& run) const {
    const fs::path folder = out_ / run.name;
    const bool begun = RunFolder{folder}.holds_run();
    std::vector<std::string> words = {"vaezoo", begun ? "resume" : "run", begun ? folder.string() : request_.file, "--quiet"};
    const auto add = [&](const std::string& option, const std::string& value) { words.insert(words.end(), {option, value}); };
    if (!begun) {
      add("--out", folder.string());
      for (const std::string& o : request_.overrides) add("--set", o);
      for (const std::string& o : run.overrides) add("--set", o);
      add("--set", cat("name=", nlohmann::json(run.name).dump()));
      words.emplace_back("--of-sweep");
    }
    if (common_.data_dir) add("--data-dir", *common_.data_dir);
    if (common_.threads) add("--threads", std::to_string(*common_.threads));
    return words;
  }

  const SweepRequest& request_;
  const CommonOptions& common_;
  const fs::path& out_;
  std::vector<Failure> failures_;
  int code_ = kDone;
};

}  // namespace

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
  make_folder(out);
  Sweep sweep(request, common, out);
  sweep.say(cat(runs.size(), " runs in ", out.string(), ", ", runs.size() - waiting.size(), " of them finished already"));
  sweep.train(waiting);
  const bool stopped = signal_received() != 0;
  if (!stopped) {
    end_on_signals("stopped; the runs are trained, and the same command compares them");
    sweep.compare(runs, base);
  }
  sweep.list_failures(runs.size());
  if (stopped) sweep.say("stopped; the same command goes on");
  return stopped ? signal_code(signal_received()) : sweep.code();
}

}  // namespace vaezoo
