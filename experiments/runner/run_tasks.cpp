#include "experiments/runner/run_tasks.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "config/json.hpp"
#include "config/printable.hpp"
#include "experiments/output/console.hpp"
#include "experiments/output/files.hpp"
#include "experiments/output/report.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/interrupt.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;
using ad::cat;
using nlohmann::ordered_json;

fs::path folder_of(const RunFolder& folder, const std::string& task) { return folder.tasks() / task; }

std::unique_ptr<Task> build(const TaskChoice& choice, const Session& session) {
  try {
    return choice.build({session});
  } catch (const ConfigError& e) {
    throw ConfigError(cat("tasks: ", choice.name(), ": ", e.what()));
  }
}

ordered_json result_json(const TaskResult& result, TaskChoice& choice, const std::string& checkpoint, double seconds) {
  ordered_json j;
  j["task"] = choice.name();
  j["checkpoint"] = checkpoint;
  j["seconds"] = std::round(seconds * 1000) / 1000;
  j["settings"] = ordered_json::parse(settings_text(choice));
  j["summary"] = result.summary;
  for (const Metric& m : result.metrics)
    j["metrics"].push_back({{"name", m.name}, {"value", std::isfinite(m.value) ? ordered_json(m.value) : ordered_json()}, {"unit", m.unit},
                            {"meaning", m.meaning}});
  for (const TaskFile& file : result.files) j["files"].push_back({{"name", file.name}, {"caption", file.caption}});
  return j;
}

/// What the tasks in the folder left, those of the registry in its order.
std::vector<ordered_json> stored_results(const RunFolder& folder) {
  std::vector<ordered_json> results;
  for (const TaskEntry& entry : task_registry()) {
    const fs::path file = folder_of(folder, entry.name) / "result.json";
    if (fs::exists(file)) results.push_back(ordered_json::parse(read_file(file)));
  }
  return results;
}

ReportSection section_of(const RunFolder& folder, const ordered_json& result) {
  const std::string task = result.at("task");
  ReportSection section{.heading = "Task: " + task, .text = result.at("summary"), .figures = {}};
  std::string tables;
  for (const ordered_json& m : result.value("metrics", ordered_json::array()))
    section.numbers.push_back({m.at("name"), m.at("value").is_null() ? NAN : m.at("value").get<double>(), m.at("unit"), std::nullopt, m.at("meaning")});
  for (const ordered_json& file : result.value("files", ordered_json::array())) {
    const std::string name = file.at("name");
    if (name.ends_with(".csv")) tables += cat(tables.empty() ? " Tables: " : ", ", "tasks/", task, "/", name);
    if (name.ends_with(".csv")) continue;
    const std::string bytes = read_file(folder_of(folder, task) / name);
    const bool svg = name.ends_with(".svg");
    section.figures.push_back({.caption = file.at("caption"), .svg = svg ? bytes : "", .png = {}});
    if (!svg) section.figures.back().png.assign(bytes.begin(), bytes.end());
  }
  section.text += tables + (tables.empty() ? "" : ".");
  return section;
}

/// Brings the section of summary.json and those of report.html in line with the folders.
void refresh(const RunFolder& folder, const CommonOptions& common) {
  const std::vector<ordered_json> results = stored_results(folder);
  if (fs::exists(folder.summary())) {
    ordered_json summary = ordered_json::parse(read_file(folder.summary()));
    ordered_json tasks = ordered_json::object();
    for (const ordered_json& result : results) {
      ordered_json& numbers = tasks[result.at("task").get<std::string>()] = ordered_json::object();
      for (const ordered_json& m : result.value("metrics", ordered_json::array())) numbers[m.at("name").get<std::string>()] = m.at("value");
    }
    summary.erase("tasks");
    if (!tasks.empty()) summary["tasks"] = tasks;
    atomic_write(folder.summary(), summary.dump(2) + "\n");
  }
  const fs::path report = folder.path / "report.html";
  if (!fs::exists(report)) return;
  std::vector<ReportSection> sections;
  for (const ordered_json& result : results) sections.push_back(section_of(folder, result));
  if (const auto page = with_later_sections(read_file(report), sections))
    atomic_write(report, *page);
  else if (!common.quiet)
    tell("note: report.html is of an earlier version and has no place for tasks; vaezoo resume writes it again\n");
}

std::string table(const TaskResult& result) {
  std::string text;
  for (const Metric& m : result.metrics) text += fmt::format("{:<28}{:>12.4f}  {:<8} {}\n", m.name, m.value, m.unit, m.meaning);
  return text;
}

void run_task(TaskChoice choice, const Session& session, const RunFolder& folder, const std::string& checkpoint, const CommonOptions& common) {
  const std::unique_ptr<Task> task = build(choice, session);
  const auto start = std::chrono::steady_clock::now();
  const TaskResult result = task->run();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const fs::path place = folder_of(folder, choice.name());
  fs::remove_all(place);
  fs::create_directories(place);
  for (const TaskFile& file : result.files) atomic_write(place / file.name, file.bytes);
  atomic_write(place / "result.json", result_json(result, choice, checkpoint, seconds).dump(2) + "\n");  // last: it says that all is there
  refresh(folder, common);
  if (!common.quiet) fmt::print("{}: {}\n{}", choice.name(), result.summary, table(result));
}

}  // namespace

void check_tasks(const Session& session) {
  for (const TaskChoice& choice : session.config.tasks.chosen) build(choice, session);
}

void run_tasks(const Session& session, const RunFolder& folder, const std::string& checkpoint, const CommonOptions& common) {
  fs::remove_all(folder.tasks());
  for (const TaskChoice& choice : session.config.tasks.chosen) run_task(choice, session, folder, checkpoint, common);
}

int task_command(const LoadedRun& run, const std::string& name, const std::vector<std::string>& assignments, const CommonOptions& common) {
  const Session& session = *run.session;
  const TaskChoice choice = task_with(session.config.tasks, name, assignments);
  end_on_signals("stopped; nothing was written");
  run_task(choice, session, run.folder, run.weights.checkpoint, common);
  return kDone;
}

std::optional<double> task_number(const RunFolder& folder, const std::string& task, const std::string& metric) {
  const fs::path file = folder_of(folder, task) / "result.json";
  if (!fs::exists(file)) return std::nullopt;
  const nlohmann::json result = read_json(file);
  for (const nlohmann::json& m : result.value("metrics", nlohmann::json::array()))
    if (m.at("name") == metric && m.at("value").is_number()) return m.at("value").get<double>();
  return std::nullopt;
}

}  // namespace vaezoo
