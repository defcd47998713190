#include "experiments/runner/compare.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "config/json.hpp"
#include "config/printable.hpp"
#include "experiments/output/files.hpp"
#include "experiments/output/metrics_log.hpp"
#include "experiments/output/report.hpp"
#include "experiments/output/tables.hpp"
#include "experiments/output/text.hpp"
#include "experiments/runner/errors.hpp"

namespace vaezoo {
namespace {

using ad::cat;
using nlohmann::json;
namespace fs = std::filesystem;

struct Run {
  std::string name;
  RunFolder folder;
  std::map<std::string, std::string> settings;  ///< every path of config.json and its value as JSON
  json summary;                                 ///< null while the run is unfinished
};

/// Runs that differ only in seeds.
struct Group {
  std::string name;  ///< the settings that set it apart
  std::vector<const Run*> runs;
};

struct Mean {
  double value = 0;
  std::optional<double> standard_error;
};

void flatten(const json& value, const std::string& path, std::map<std::string, std::string>& into) {
  if (!value.is_object() || value.empty()) {
    into[path] = value.dump();
    return;
  }
  for (const auto& [key, below] : value.items()) flatten(below, path.empty() ? key : cat(path, ".", key), into);
}

Run read_run(const std::string& path) {
  Run run{fs::path(path).lexically_normal().filename().string(), {path}, {}, {}};
  if (run.name.empty()) run.name = fs::path(path).lexically_normal().parent_path().filename().string();
  if (!fs::exists(run.folder.config()))
    throw UsageError(cat(path, ": holds no run (no config.json); a run's folder is what --out named"));
  flatten(read_json(run.folder.config()), "", run.settings);
  if (fs::exists(run.folder.summary())) run.summary = read_json(run.folder.summary());
  return run;
}

bool says_nothing_of_results(const std::string& path) {
  return path == "name" || path == "description" || path.starts_with("output.");
}
bool is_seed(const std::string& path) { return path == "seed" || path.ends_with(".seed"); }

std::string value_in(const Run& run, const std::string& path) {
  const auto found = run.settings.find(path);
  return found == run.settings.end() ? "" : found->second;
}

/// The settings that are not the same in all runs.
std::vector<std::string> differing(const std::vector<Run>& runs) {
  std::map<std::string, bool> paths;
  for (const Run& run : runs)
    for (const auto& [path, value] : run.settings)
      if (!says_nothing_of_results(path)) paths[path] = paths[path] || value_in(runs.front(), path) != value;
  for (auto& [path, differs] : paths)
    for (const Run& run : runs) differs = differs || value_in(run, path) != value_in(runs.front(), path);
  std::vector<std::string> list;
  for (const auto& [path, differs] : paths)
    if (differs) list.push_back(path);
  return list;
}

std::vector<Group> groups_of(const std::vector<Run>& runs, const std::vector<std::string>& settings) {
  std::vector<Group> groups;
  for (const Run& run : runs) {
    if (run.summary.is_null()) continue;
    std::string name;
    for (const std::string& path : settings)
      if (!is_seed(path) && !value_in(run, path).empty())
        name += cat(name.empty() ? "" : ", ", path.substr(path.rfind('.') + 1), "=", value_in(run, path));
    const auto same = std::ranges::find(groups, name, &Group::name);
    if (same == groups.end()) groups.push_back({name, {&run}});
    else same->runs.push_back(&run);
  }
  return groups;
}

/// The first of test, validation and train that all finished runs were evaluated on; "" when there is none.
std::string common_split(const std::vector<Run>& runs) {
  for (const std::string split : {"test", "validation", "train"})
    if (std::ranges::all_of(runs, [&](const Run& r) { return r.summary.is_null() || r.summary.contains(split); })) return split;
  return "";
}

std::optional<double> number(const Run& run, const std::string& split, const std::string& metric) {
  if (run.summary.is_null() || !run.summary[split].contains(metric) || !run.summary[split][metric].is_number())
    return std::nullopt;
  return run.summary[split][metric].get<double>();
}

/// Every number that some run has, in the order of the first that has it; standard errors stand with their numbers.
std::vector<std::string> metrics_of(const std::vector<Run>& runs, const std::string& split) {
  std::vector<std::string> names;
  for (const Run& run : runs) {
    if (run.summary.is_null()) continue;
    const json& numbers = run.summary[split];
    for (const auto& [name, value] : numbers.items())
      if (value.is_number() && name != "examples" && !name.ends_with("_stderr") && std::ranges::find(names, name) == names.end())
        names.push_back(name);
  }
  const std::vector<std::string> first = {"nll", "elbo", "bits_per_dim", "reconstruction", "kl"};
  std::ranges::stable_sort(names, {}, [&](const std::string& n) { return std::ranges::find(first, n) - first.begin(); });
  return names;
}

std::optional<Mean> mean_of(const Group& group, const std::string& split, const std::string& metric) {
  std::vector<double> values;
  for (const Run* run : group.runs)
    if (const auto v = number(*run, split, metric)) values.push_back(*v);
  if (values.empty()) return std::nullopt;
  Mean mean;
  for (const double v : values) mean.value += v / double(values.size());
  if (values.size() == 1) {
    mean.standard_error = number(*group.runs.front(), split, metric + "_stderr");
    return mean;
  }
  double squares = 0;
  for (const double v : values) squares += (v - mean.value) * (v - mean.value);
  mean.standard_error = std::sqrt(squares / double(values.size() - 1) / double(values.size()));
  return mean;
}

/// What keeps the numbers from being compared as they stand.
std::vector<std::string> caveats(const std::vector<Run>& runs, const std::string& split,
                                 const std::vector<std::string>& settings) {
  std::vector<std::string> sentences;
  std::map<std::string, int> samples, examples;
  for (const Run& run : runs) {
    if (run.summary.is_null()) {
      sentences.push_back(run.name + " is not finished (no summary.json); it has no numbers here");
      continue;
    }
    if (number(run, split, "nll")) ++samples[run.summary.value("importance_samples", json()).dump()];
    ++examples[run.summary[split].value("examples", json()).dump()];
  }
  const auto joined_keys = [](const std::map<std::string, int>& counts) {
    std::string text;
    for (const auto& [key, count] : counts) text += (text.empty() ? "" : ", ") + key;
    return text;
  };
  if (samples.size() > 1)
    sentences.push_back(cat("nll is by different numbers of importance samples (", joined_keys(samples),
                            "), and falls as they grow; evaluate again with one number"));
  if (examples.size() > 1)
    sentences.push_back(cat("the runs were evaluated on different numbers of examples (", joined_keys(examples), ")"));
  const auto of_data = [](const std::string& path) { return path.starts_with("dataset"); };
  if (std::ranges::any_of(settings, of_data))
    sentences.push_back("the runs differ in their data, so that likelihoods may be of different things");
  if (std::ranges::any_of(settings, [](const std::string& path) { return path.starts_with("model.likelihood"); }))
    sentences.push_back("the runs differ in their likelihood, so that nats may be of different things");
  return sentences;
}

using Table = ReportTable;

Table numbers_table(const std::vector<Group>& groups, const std::string& split, const std::vector<std::string>& metrics) {
  const bool repeated = std::ranges::any_of(groups, [](const Group& g) { return g.runs.size() > 1; });
  Table table{.caption = repeated ? "Mean over the runs of a row, which differ only in seeds, and its standard error over runs; "
                                    "where a row has one run, the standard error over examples."
                                  : "With the standard error over examples, where there is one.",
              .header = {"run"},
              .rows = {}};
  if (repeated) table.header.emplace_back("runs");
  table.header.insert(table.header.end(), metrics.begin(), metrics.end());
  table.header.emplace_back("seconds");
  for (const Group& group : groups) {
    std::vector<std::string> row = {group.name.empty() ? group.runs.front()->name : group.name};
    if (repeated) row.push_back(std::to_string(group.runs.size()));
    for (const std::string& metric : metrics) {
      const auto mean = mean_of(group, split, metric);
      row.push_back(mean ? format_measurement(mean->value, mean->standard_error) : "");
    }
    double seconds = 0;
    for (const Run* run : group.runs) seconds += run->summary.value("training_seconds", 0.0) / double(group.runs.size());
    row.push_back(format_number(seconds, 3));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table settings_table(const std::vector<Run>& runs, const std::vector<std::string>& settings) {
  Table table{
      .caption = "The settings in which the runs differ; empty where a run has no such setting.", .header = {"run"}, .rows = {}};
  table.header.insert(table.header.end(), settings.begin(), settings.end());
  for (const Run& run : runs) {
    std::vector<std::string> row = {run.name};
    for (const std::string& path : settings) row.push_back(value_in(run, path));
    table.rows.push_back(std::move(row));
  }
  return table;
}

/// Columns as wide as their cells; the first to the left, the others to the right.
std::string text_of(const Table& table) {
  std::vector<std::size_t> width(table.header.size());
  const auto widen = [&](const std::vector<std::string>& row) {
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], display_width(row[i]));
  };
  widen(table.header);
  for (const auto& row : table.rows) widen(row);
  std::string text;
  const auto add = [&](const std::vector<std::string>& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(width[i] - display_width(row[i]), ' ');
      text += i == 0 ? row[i] + space : "  " + space + row[i];
    }
    text += '\n';
  };
  add(table.header);
  for (const auto& row : table.rows) add(row);
  return text;
}

/// One line a run; the standard errors are columns of their own.
std::string csv_of(const std::vector<Run>& runs, const std::string& split, const std::vector<std::string>& settings,
                   const std::vector<std::string>& metrics) {
  std::string text = "run";
  for (const std::string& path : settings) text += "," + csv_cell(path);
  for (const std::string& metric : metrics) text += cat(",", csv_cell(metric), ",", csv_cell(metric + "_stderr"));
  text += ",training_seconds\n";
  for (const Run& run : runs) {
    if (run.summary.is_null()) continue;
    text += csv_cell(run.name);
    for (const std::string& path : settings) text += "," + csv_cell(value_in(run, path));
    const auto cell = [](std::optional<double> v) { return v ? fmt::format("{}", *v) : std::string(); };
    for (const std::string& metric : metrics)
      text += cat(",", cell(number(run, split, metric)), ",", cell(number(run, split, metric + "_stderr")));
    text += cat(",", cell(run.summary.value("training_seconds", 0.0)), "\n");
  }
  return text;
}

/// The curve of each run; of the split where all have one, else of training.
std::optional<Figure> curves(const std::vector<Run>& runs, const std::string& metric) {
  for (const std::string split : {"validation", "train"}) {
    LineChart chart{.title = cat(metric, " (", split, ")"),
                    .x_label = "epoch",
                    .y_label = "",
                    .series = {},
                    .marker_x = std::nullopt,
                    .marker_label = ""};
    for (const Run& run : runs) {
      const fs::path log = run.folder.path / "metrics.jsonl";
      if (!fs::exists(log)) continue;
      Series series = metric_curve(read_metrics(log), split, metric, Curve::by_epoch);
      series.name = run.name;
      if (series.x.size() > 1) chart.series.push_back(std::move(series));
    }
    if (!chart.series.empty())
      return Figure{.caption = cat(metric, " of the ", split, " split over training."), .svg = to_svg(chart), .png = {}};
  }
  return std::nullopt;
}

std::optional<Figure> rate_distortion(const std::vector<Group>& groups, const std::string& split) {
  ScatterPlot plot{.title = "rate and distortion",
                   .x_label = "rate: KL(q(z|x) || p(z)), nats",
                   .y_label = "distortion: -E log p(x|z), nats",
                   .x = {},
                   .y = {},
                   .labels = {},
                   .label_names = {}};
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (const Run* run : groups[g].runs) {
      const auto rate = number(*run, split, "kl"), reconstruction = number(*run, split, "reconstruction");
      if (!rate || !reconstruction) continue;
      plot.x.push_back(*rate);
      plot.y.push_back(-*reconstruction);
      plot.labels.push_back(static_cast<int>(g));
    }
    plot.label_names.push_back(groups[g].name.empty() ? groups[g].runs.front()->name : groups[g].name);
  }
  if (plot.x.size() < 2) return std::nullopt;
  return Figure{.caption =
                    "Each point is a run; on a line x + y = c all have the same ELBO, -c. Alemi et al., \"Fixing a Broken "
                    "ELBO\", ICML 2018.",
                .svg = to_svg(plot),
                .png = {}};
}

std::string html_of(const CompareRequest& request, const std::vector<Run>& runs, const std::vector<Group>& groups,
                    const std::string& split, const std::vector<std::string>& settings, const std::vector<std::string>& metrics) {
  Report report{.title = request.title,
                .description = request.description,
                .subtitle = fmt::format("{} runs. Numbers of the {} split, in nats per example where they have a unit.",
                                        runs.size(), split),
                .warnings = request.warnings,
                .headlines = {},
                .sections = {},
                .config = "",
                .environment = {}};
  std::ranges::move(caveats(runs, split, settings), std::back_inserter(report.warnings));
  report.sections.push_back({.heading = "Results", .text = "", .figures = {}, .tables = {numbers_table(groups, split, metrics)}});
  ReportSection pictures{.heading = "Pictures", .text = "", .figures = {}, .tables = {}};
  if (auto figure = rate_distortion(groups, split)) pictures.figures.push_back(std::move(*figure));
  for (const char* metric : {"elbo", "loss"})
    if (auto figure = curves(runs, metric)) pictures.figures.push_back(std::move(*figure));
  if (!pictures.figures.empty()) report.sections.push_back(std::move(pictures));
  if (!settings.empty())
    report.sections.push_back({.heading = "Settings", .text = "", .figures = {}, .tables = {settings_table(runs, settings)}});
  return to_html(report);
}

}  // namespace

int compare_command(const CompareRequest& request, const CommonOptions& common) {
  std::vector<Run> runs;
  for (const std::string& path : request.runs) runs.push_back(read_run(path));
  for (std::size_t i = 0; i < runs.size(); ++i)  // where folders are called alike, their paths tell them apart
    if (std::ranges::count(runs, runs[i].name, &Run::name) > 1) runs[i].name = request.runs[i];
  if (std::ranges::all_of(runs, [](const Run& r) { return r.summary.is_null(); }))
    throw UsageError("none of these runs is finished (no summary.json); there are no numbers to compare");
  const std::string split = common_split(runs);
  if (split.empty())
    throw UsageError("these runs were evaluated on different splits; evaluate one that they share (--set evaluate.splits=...)");
  const std::vector<std::string> settings = differing(runs), metrics = metrics_of(runs, split);
  const std::vector<Group> groups = groups_of(runs, settings);
  if (!request.html.empty()) atomic_write(request.html, html_of(request, runs, groups, split, settings, metrics));
  if (!request.csv.empty()) atomic_write(request.csv, csv_of(runs, split, settings, metrics));
  if (common.quiet) return kDone;
  const std::vector<std::string> shown(
      metrics.begin(), metrics.begin() + std::min<std::ptrdiff_t>(6, std::ssize(metrics)));  // the width of a terminal
  fmt::print("{} split\n{}", split, printable_lines(text_of(numbers_table(groups, split, shown))));
  for (const std::string& sentence : caveats(runs, split, settings)) fmt::print("note: {}\n", printable(sentence));
  if (!request.html.empty()) fmt::print("wrote {}\n", printable(request.html));
  return kDone;
}

}  // namespace vaezoo
