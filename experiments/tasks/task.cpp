#include "experiments/tasks/task.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "autodiff/check.hpp"
#include "config/printable.hpp"
#include "config/reader.hpp"
#include "config/suggest.hpp"
#include "config/writer.hpp"

#define TASK(name) ::vaezoo::TaskEntry vaezoo_Task_##name();
#include "experiments/tasks/registry.def"
#undef TASK

namespace vaezoo {

Registry<TaskEntry>& task_registry() {
  static Registry<TaskEntry> registry{
#define TASK(name) vaezoo_Task_##name(),
#include "experiments/tasks/registry.def"
#undef TASK
  };
  return registry;
}

void TasksConfig::visit(Fields& f) {
  std::vector<std::string> names;
  for (const TaskChoice& choice : chosen) names.push_back(choice.name());
  const auto alternatives = [this](std::size_t i) {
    if (chosen.size() <= i) chosen.resize(i + 1);
    return chosen[i].alternatives();
  };
  f.list_of("tasks", names, alternatives, "what is done with the trained model after its evaluation, for summary and report");
  chosen.resize(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    chosen[i].choose(names[i]);
    f.require("tasks", std::ranges::count(names, names[i]) == 1, "names " + names[i] + " twice");
  }
}

std::string settings_text(TaskChoice& choice) {
  return write_config([&](Fields& f) { choice.visit_settings(f); }).dump();
}

TaskChoice task_with(const TasksConfig& config, const std::string& name, const std::vector<std::string>& assignments) {
  std::vector<std::string> names;
  for (const TaskEntry& entry : task_registry()) names.emplace_back(entry.name);
  if (std::ranges::find(names, name) == names.end())
    throw ConfigError(ad::cat("there is no task \"", excerpt(name), "\"", did_you_mean(name, names)));
  nlohmann::json settings = nlohmann::json::object();
  for (TaskChoice choice : config.chosen)
    if (choice.name() == name) settings = nlohmann::json::parse(settings_text(choice));
  Document document = Document::from_json(settings, "the task " + name);
  for (const std::string& assignment : assignments) document.set(assignment);
  TaskChoice choice(name);
  read_config(document, [&](Fields& f) { choice.visit_settings(f); });
  return choice;
}

}  // namespace vaezoo
