#pragma once
// The tasks of a run: RUN/tasks/NAME/ holds what each left, result.json with its numbers among it. The section "tasks" of
// summary.json and the sections of report.html are made from these folders.
#include "experiments/runner/run.hpp"
#include "experiments/tasks/task.hpp"

namespace vaezoo {

/// Throws ConfigError, naming the task, for one that the model or the data cannot serve.
void check_tasks(const Session& session);

/// Runs the tasks of the experiment in their order; what tasks left in the folder before goes.
void run_tasks(const Session& session, const RunFolder& folder, const std::string& checkpoint, const CommonOptions& common);

/// `vaezoo task RUN NAME`: runs one task on a finished run, with the settings of its experiment changed by `assignments`, and puts
/// its results in the place of those it left before.
int task_command(const LoadedRun& run, const std::string& name, const std::vector<std::string>& assignments, const CommonOptions& common);

/// The number `metric` that the task left in the run's folder; nothing where it was not run, or has no such number.
std::optional<double> task_number(const RunFolder& folder, const std::string& task, const std::string& metric);

}  // namespace vaezoo
