#pragma once
// What people do with a trained model: "tasks": ["disentanglement", {"name": "anomaly", "draws": 20}]. A new task is one file
// experiments/tasks/<name>.cpp that ends in VAEZOO_PART, and one line in registry.def.
#include <memory>
#include <string>
#include <vector>

#include "config/part.hpp"
#include "experiments/output/metric.hpp"

namespace vaezoo {

struct Session;

/// Building throws ConfigError, one sentence, when the model or the data cannot serve the task. The session must outlive it.
struct TaskArgs {
  const Session& session;
};

/// A file that a task leaves: a picture (.png, .svg) with its caption, which the report shows, or a table (.csv) without one.
struct TaskFile {
  std::string name;
  std::string bytes;
  std::string caption = "";
};

struct TaskResult {
  std::string summary;  ///< a sentence or two: on what it was measured, and how
  std::vector<Metric> metrics;
  std::vector<TaskFile> files;
};

class Task {
 public:
  explicit Task(const TaskArgs& args) : session_(args.session) {}
  virtual ~Task() = default;
  /// Throws as its parts do.
  virtual TaskResult run() const = 0;

 protected:
  const Session& session() const { return session_; }

 private:
  const Session& session_;
};

using TaskEntry = PartEntry<Task, TaskArgs>;
Registry<TaskEntry>& task_registry();

struct TaskChoice : PartChoice<Task, TaskArgs> {
  explicit TaskChoice(const std::string& name = "") : PartChoice(task_registry(), name) {}
};

/// The tasks of an experiment, in their order.
struct TasksConfig {
  std::vector<TaskChoice> chosen;
  void visit(Fields& f);  ///< "tasks"
};

/// The settings of a task as JSON text, every default written.
std::string settings_text(TaskChoice& choice);

/// The task `name` with the settings that `config` gives it, else its defaults, changed by `assignments` (KEY=VALUE). Throws
/// ConfigError, with the nearest name where there is no such task.
TaskChoice task_with(const TasksConfig& config, const std::string& name, const std::vector<std::string>& assignments);

}  // namespace vaezoo
