#include "experiments/runner/commands.hpp"
#include "experiments/runner/sweep.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/json.hpp"
#include "config/printable.hpp"
#include "config/schema.hpp"
#include "config/suggest.hpp"
#include "datasets/download.hpp"
#include "experiments/output/console.hpp"
#include "experiments/output/environment.hpp"
#include "experiments/output/text.hpp"
#include "experiments/runner/checks.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/interrupt.hpp"
#include "experiments/runner/start_from.hpp"

namespace vaezoo {
namespace {

using ad::cat;

const DatasetInfo* find_dataset(const std::vector<DatasetInfo>& sets, const std::string& name) {
  const auto it = std::ranges::find(sets, name, &DatasetInfo::name);
  return it == sets.end() ? nullptr : &*it;
}

std::string sentence(std::string text) {
  if (!text.empty() && text.front() >= 'a' && text.front() <= 'z') text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text + ".";
}

void describe_model(const ModelEntry& entry) {
  const std::unique_ptr<ModelConfig> config = entry.make_config();
  fmt::print("{}: {}\n  {}\n\n\"model\": {{\"name\": \"{}\", ...}} takes\n\n{}", entry.name, sentence(entry.summary), entry.paper,
             entry.name, describe_config([&](Fields& f) { config->fields(f); }, 2));
}

void describe_dataset(const DatasetInfo& info) {
  DatasetConfig config;
  for (const Alternative& a : config.alternatives()) {
    if (a.name != info.name) continue;
    fmt::print("{}: {}\n{}\n\"dataset\": {{\"name\": \"{}\", ...}} takes\n\n{}", info.name, sentence(info.doc),
               info.downloadable ? cat("  vaezoo download ", info.name, " fetches it.\n") : "", info.name,
               describe_config(a.fields, 2));
  }
}

void describe_task(const TaskEntry& entry) {
  TaskChoice choice(entry.name);
  fmt::print("{}: {}\n\n\"tasks\": [{{\"name\": \"{}\", ...}}] takes\n\n{}", entry.name, sentence(entry.summary), entry.name,
             describe_config([&](Fields& f) { choice.visit_settings(f); }, 2));
}

/// Is the file what schema_command writes? A shell's experiments/*.json takes it in.
bool is_schema(const std::string& file) {
  if (std::filesystem::path(file).filename() != "schema.json") return false;
  const nlohmann::json value = read_json(file);
  return value.is_object() && value.contains("$schema") && value.contains("additionalProperties");
}

/// What a run checks before its first step, where the data can be read; else why they cannot.
std::string check_with_data(ExperimentConfig config, const std::filesystem::path& data_dir) {
  Dataset data;
  try {
    data = load_dataset(config.dataset, data_dir);
  } catch (const DataError& e) {
    return e.what();
  }
  Session session(std::move(config), std::move(data));
  check_before_training(session);
  if (const std::string& from = session.config.train.start_from; !from.empty()) start_weights(from);
  return "";
}

/// Says on standard error how much of a file has come, at most every few percent.
class DownloadLine {
 public:
  void operator()(const std::string& file, std::uint64_t done, std::uint64_t total) {
    const int percent = total == 0 ? 0 : static_cast<int>(100 * done / total);
    if (!terminal_ || (file == file_ && percent == percent_)) return;
    if (file != file_ && !file_.empty()) tell("\n");
    file_ = file;
    percent_ = percent;
    tell(fmt::format("\r{}  {:>3} % of {:.1f} MB", file, percent, static_cast<double>(total) / 1e6));
  }
  ~DownloadLine() {
    if (!file_.empty()) tell("\n");
  }

 private:
  bool terminal_ = isatty(STDERR_FILENO) != 0;
  std::string file_;
  int percent_ = -1;
};

}  // namespace

std::string version_text() {
  const Environment e = describe_environment(1);
  return fmt::format("vaezoo {} ({}, {})", e.vaezoo_version, e.compiler, e.flags);
}

int list_command() {
  fmt::print("Models (vaezoo describe NAME tells their settings)\n");
  for (const ModelEntry& m : model_registry()) fmt::print("  {:<18} {} ({})\n", m.name, m.summary, m.paper);
  fmt::print("\nData sets (* vaezoo download NAME fetches it)\n");
  for (const DatasetInfo& d : dataset_list()) fmt::print("  {:<18} {}\n", d.name + (d.downloadable ? " *" : ""), d.doc);
  fmt::print("\nTasks, for \"tasks\" in an experiment and vaezoo task\n");
  for (const TaskEntry& t : task_registry()) fmt::print("  {:<18} {}\n", t.name, t.summary);
  return kDone;
}

int describe_command(const std::string& name) {
  if (name == "-" || name.ends_with(".json")) {
    ExperimentConfig config = load_experiment(name);
    fmt::print("{}", experiment_text(config));
    return kDone;
  }
  const std::vector<DatasetInfo> sets = dataset_list();
  std::vector<std::string> names{"experiment"};
  for (const ModelEntry& m : model_registry()) names.emplace_back(m.name);
  for (const DatasetInfo& d : sets) names.push_back(d.name);
  for (const TaskEntry& t : task_registry()) names.emplace_back(t.name);
  if (std::ranges::find(names, name) == names.end())
    throw ConfigError(cat("there is no model, data set or task \"", excerpt(name), "\"", did_you_mean(name, names)));
  if (name == "experiment") {
    ExperimentConfig config;
    fmt::print("An experiment, a JSON file: an object with these keys, all optional.\n\n{}",
               describe_config([&](Fields& f) { config.fields(f); }, 2));
  } else if (const DatasetInfo* set = find_dataset(sets, name)) {
    describe_dataset(*set);
  } else if (const auto task = std::ranges::find(task_registry(), name, &TaskEntry::name); task != task_registry().end()) {
    describe_task(*task);
  } else {
    describe_model(find_model(name));
  }
  return kDone;
}

int validate_command(const std::vector<std::string>& files, const std::vector<std::string>& overrides, const CommonOptions& common) {
  int code = kDone;
  for (const std::string& file : files) {
    try {
      if (is_schema(file)) {
        fmt::print("{}: the schema of experiments, no experiment\n", printable(file));
        continue;
      }
      ExperimentConfig config = load_experiment(file, overrides);
      for (const std::string& note : config.notes) fmt::print("{}: note: {}\n", printable(file), printable(note));
      if (!config.sweep.empty()) {
        const std::vector<SweepRun> runs = plan_sweep(config.sweep, file);
        for (const SweepRun& run : runs) load_sweep_run(file, overrides, run);
        fmt::print("{}: a sweep of {} runs\n", printable(file), runs.size());
      }
      const std::string unread = check_with_data(std::move(config), data_directory(common.data_dir));
      fmt::print("{}: ok{}\n", printable(file), unread.empty() ? "" : printable(cat(", but without its data: ", unread)));
    } catch (const ConfigError& e) {
      const std::string what = e.what();
      const bool names_source = what.starts_with(file) || what.starts_with("--set") || file == "-";
      fmt::print("{}\n", printable_lines(names_source ? what : cat(file, ": ", what)));
      code = kConfig;
    }
  }
  return code;
}

int schema_command() {
  fmt::print("{}", experiment_schema_text());
  return kDone;
}

int download_command(const std::string& name, const CommonOptions& common) {
  const std::vector<DatasetInfo> sets = dataset_list();
  std::vector<std::string> names;
  for (const DatasetInfo& d : sets)
    if (d.downloadable) names.push_back(d.name);
  const DatasetInfo* set = find_dataset(sets, name);
  if (set == nullptr) throw UsageError(cat("there is no data set \"", excerpt(name), "\"", did_you_mean(name, names)));
  if (!set->downloadable)
    throw UsageError(cat(name, " is not downloaded: it is ", set->doc, "; ", joined(names), " can be"));
  const std::filesystem::path folder = data_directory(common.data_dir);
  end_on_signals("stopped; files that came whole are kept: the same command goes on with the others");
  std::vector<std::string> fetched;
  {
    DownloadLine line;
    fetched = download(name, folder,
                       [&line](const std::string& file, std::uint64_t done, std::uint64_t total) { line(file, done, total); });
  }
  const std::string place = (folder / name).string();
  if (fetched.empty())
    tell(fmt::format("{}: complete in {}, nothing to fetch\n", name, place));
  else
    tell(fmt::format("{}: fetched and verified {} into {}\n", name, joined(fetched), place));
  return kDone;
}

}  // namespace vaezoo
