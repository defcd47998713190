#include "experiments/runner/compare.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "config/printable.hpp"
#include "experiments/output/console.hpp"
#include "experiments/output/files.hpp"
#include "experiments/output/metrics_log.hpp"
#include "experiments/output/report.hpp"
#include "experiments/output/tables.hpp"
#include "experiments/output/text.hpp"
#include "experiments/runner/compared_runs.hpp"
#include "experiments/runner/errors.hpp"

namespace vaezoo {
namespace {

using ad::cat;
namespace fs = std::filesystem;

/// All that the tables and the page are made of.
struct Comparison {
  std::vector<ComparedRun> runs;
  std::string split;
  std::vector<std::string> settings, metrics;
  std::vector<RunGroup> groups;  // they point into runs
};

bool has_repeats(const Comparison& c) {
  return std::ranges::any_of(c.groups, [](const RunGroup& g) { return g.runs.size() > 1; });
}

ReportTable results_table(const Comparison& c) {
  const bool repeated = has_repeats(c);
  ReportTable table{.caption = repeated ? "Mean over the runs of a row, which differ only in seeds, and its standard error over runs; where "
                                          "only one has the number, its standard error over examples."
                                        : "With the standard error over examples, where there is one.",
                    .header = {"run"},
                    .rows = {}};
  for (const RunGroup& group : c.groups) table.rows.push_back({group.name});
  const auto add_column = [&](const std::string& name, const auto& cell) {
    table.header.push_back(name);
    for (std::size_t g = 0; g < c.groups.size(); ++g) table.rows[g].push_back(cell(c.groups[g]));
  };
  if (repeated) add_column("runs", [](const RunGroup& group) { return std::to_string(group.runs.size()); });
  bool marked = false;
  for (const std::string& metric : c.metrics) {
    const std::vector<const RunGroup*> best = best_of(c.groups, c.split, metric);
    marked = marked || !best.empty();
    add_column(metric, [&](const RunGroup& group) {
      const auto mean = mean_of(group, c.split, metric);
      const char* mark = best.empty() ? "" : std::ranges::find(best, &group) != best.end() ? " *" : "  ";  // numbers stay aligned
      return mean ? format_measurement(mean->value, mean->standard_error) + mark : "";
    });
  }
  add_column("seconds", [](const RunGroup& group) {
    double seconds = 0;
    for (const ComparedRun* run : group.runs) seconds += run->summary.value("training_seconds", 0.0) / double(group.runs.size());
    return format_number(seconds, 3);
  });
  if (marked) table.caption += " *: the best of its column.";
  return table;
}

/// Seed by seed against the first group; without rows where no other is one setting away and shares two seeds with it.
ReportTable differences_table(const Comparison& c) {
  const RunGroup& baseline = c.groups.front();
  ReportTable table{.caption = cat("Each run minus the run of the same seed of the first row above, ", baseline.name,
                                   ": mean over the seeds that both have, and its standard error over these seeds. The rows that "
                                   "differ from it in one setting."),
                    .header = {"run", "seeds"},
                    .rows = {}};
  table.header.insert(table.header.end(), c.metrics.begin(), c.metrics.end());
  for (const RunGroup& group : c.groups) {
    const std::size_t seeds = shared_seeds(group, baseline).size();
    if (&group == &baseline || seeds < 2 || !one_setting_apart(group, baseline)) continue;
    std::vector<std::string> row = {group.name, std::to_string(seeds)};
    for (const std::string& metric : c.metrics) {
      const auto difference = paired_difference(group, baseline, c.split, metric);
      row.push_back(difference ? format_measurement(difference->value, difference->standard_error) : "");
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

ReportTable settings_table(const Comparison& c) {
  ReportTable table{.caption = "The settings in which the runs differ; empty where a run has no such setting.",
                    .header = {"run"},
                    .rows = {}};
  table.header.insert(table.header.end(), c.settings.begin(), c.settings.end());
  for (const ComparedRun& run : c.runs) {
    std::vector<std::string> row = {run.name};
    for (const std::string& path : c.settings) row.push_back(run.setting(path));
    table.rows.push_back(std::move(row));
  }
  return table;
}

/// Columns of a terminal; without bound where the output goes elsewhere.
std::size_t terminal_width() {
  const std::optional<int> columns = terminal_columns(STDOUT_FILENO);
  return columns ? static_cast<std::size_t>(*columns) : std::string::npos;
}

/// Columns as wide as their cells, the first to the left, the others to the right; those that do not fit follow below, with the
/// first again.
std::string text_of(const ReportTable& table, std::size_t room) {
  std::vector<std::vector<std::string>> lines = {table.header};
  lines.insert(lines.end(), table.rows.begin(), table.rows.end());
  std::vector<std::size_t> width(table.header.size());
  for (const auto& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i) width[i] = std::max(width[i], display_width(line[i]));
  std::string text;
  for (std::size_t begin = 1, end; begin < width.size(); begin = end) {
    std::size_t used = width[0];
    for (end = begin; end < width.size() && (end == begin || used + 2 + width[end] <= room); ++end) used += 2 + width[end];
    if (begin > 1) text += '\n';
    for (const auto& line : lines) {
      text += line[0] + std::string(width[0] - display_width(line[0]), ' ');
      for (std::size_t i = begin; i < end; ++i) text += "  " + std::string(width[i] - display_width(line[i]), ' ') + line[i];
      text += '\n';
    }
  }
  return text;
}

/// One line a run; the standard errors are columns of their own.
std::string csv_of(const Comparison& c) {
  std::string text = "run";
  for (const std::string& path : c.settings) text += "," + csv_cell(path);
  for (const std::string& metric : c.metrics) text += cat(",", csv_cell(metric), ",", csv_cell(metric + "_stderr"));
  text += ",training_seconds\n";
  for (const ComparedRun& run : c.runs) {
    if (!run.finished()) continue;
    text += csv_cell(run.name);
    for (const std::string& path : c.settings) text += "," + csv_cell(run.setting(path));
    const auto cell = [](std::optional<double> v) { return v ? fmt::format("{}", *v) : std::string(); };
    for (const std::string& metric : c.metrics)
      text += cat(",", cell(run.number(c.split, metric)), ",", cell(run.number(c.split, metric + "_stderr")));
    text += cat(",", cell(run.summary.value("training_seconds", 0.0)), "\n");
  }
  return text;
}

/// The curve of each run; of the split where all have one, else of training.
std::optional<Figure> curves(const std::vector<ComparedRun>& runs, const std::string& metric) {
  for (const std::string split : {"validation", "train"}) {
    LineChart chart{.title = cat(metric, " (", split, ")"),
                    .x_label = "epoch",
                    .y_label = "",
                    .series = {},
                    .marker_x = std::nullopt,
                    .marker_label = ""};
    for (const ComparedRun& run : runs) {
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

std::optional<Figure> rate_distortion(const Comparison& c) {
  ScatterPlot plot{.title = "rate and distortion",
                   .x_label = "rate: KL(q(z|x) || p(z)), nats",
                   .y_label = "distortion: -E log p(x|z), nats",
                   .x = {},
                   .y = {},
                   .labels = {},
                   .label_names = {}};
  for (std::size_t g = 0; g < c.groups.size(); ++g) {
    for (const ComparedRun* run : c.groups[g].runs) {
      const auto rate = run->number(c.split, "kl"), reconstruction = run->number(c.split, "reconstruction");
      if (!rate || !reconstruction) continue;
      plot.x.push_back(*rate);
      plot.y.push_back(-*reconstruction);
      plot.labels.push_back(static_cast<int>(g));
    }
    plot.label_names.push_back(c.groups[g].name);
  }
  if (plot.x.size() < 2) return std::nullopt;
  return Figure{.caption =
                    "Each point is a run; on a line x + y = c all have the same ELBO, -c. Alemi et al., \"Fixing a Broken "
                    "ELBO\", ICML 2018.",
                .svg = to_svg(plot),
                .png = {}};
}

std::string html_of(const CompareRequest& request, const Comparison& c) {
  Report report{.title = request.title,
                .description = request.description,
                .subtitle = fmt::format("{} runs. Numbers of the {} split, in nats per example where they have a unit.",
                                        c.runs.size(), c.split),
                .warnings = request.warnings,
                .headlines = {},
                .sections = {},
                .config = "",
                .environment = {}};
  std::ranges::move(caveats(c.runs, c.split, c.settings), std::back_inserter(report.warnings));
  const auto add_table = [&](const std::string& heading, ReportTable table) {
    report.sections.push_back({.heading = heading, .text = "", .figures = {}, .tables = {std::move(table)}});
  };
  add_table("Results", results_table(c));
  if (ReportTable differences = differences_table(c); !differences.rows.empty()) add_table("Differences", std::move(differences));
  ReportSection pictures{.heading = "Pictures", .text = "", .figures = {}, .tables = {}};
  if (auto figure = rate_distortion(c)) pictures.figures.push_back(std::move(*figure));
  for (const char* metric : {"elbo", "loss"})
    if (auto figure = curves(c.runs, metric)) pictures.figures.push_back(std::move(*figure));
  if (!pictures.figures.empty()) report.sections.push_back(std::move(pictures));
  if (!c.settings.empty()) add_table("Settings", settings_table(c));
  return to_html(report);
}

void print(const CompareRequest& request, const Comparison& c) {
  const auto print_table = [](const std::string& heading, const ReportTable& table) {
    fmt::print("{}\n{}{}\n\n", printable(heading), printable_lines(text_of(table, terminal_width())), printable(table.caption));
  };
  const bool names_say_all = request.names_say_settings && std::ranges::none_of(c.groups, &RunGroup::shortened);
  if (!c.settings.empty() && !names_say_all) print_table("settings", settings_table(c));
  print_table(c.split + " split", results_table(c));
  if (const ReportTable differences = differences_table(c); !differences.rows.empty())
    print_table(cat("differences from ", c.groups.front().name), differences);
  for (const std::string& sentence : caveats(c.runs, c.split, c.settings)) fmt::print("note: {}\n", printable(sentence));
  if (!request.html.empty()) fmt::print("wrote {}\n", printable(request.html));
}

Comparison read(const std::vector<std::string>& folders) {
  Comparison c;
  for (const std::string& folder : folders) c.runs.push_back(read_compared_run(folder));
  std::vector<std::string> names;
  for (const ComparedRun& run : c.runs) names.push_back(run.name);
  for (std::size_t i = 0; i < c.runs.size(); ++i)  // where folders are called alike, their paths tell them apart
    if (std::ranges::count(names, names[i]) > 1) c.runs[i].name = folders[i];
  if (std::ranges::none_of(c.runs, &ComparedRun::finished))
    throw UsageError("none of these runs is finished (no summary.json); there are no numbers to compare");
  c.split = common_split(c.runs);
  if (c.split.empty())
    throw UsageError("these runs were evaluated on different splits; evaluate one that they share (--set evaluate.splits=...)");
  c.settings = differing_settings(c.runs);
  c.groups = groups_of(c.runs, c.settings, c.split);
  c.metrics = metrics_of(c.groups, c.split);
  return c;
}

}  // namespace

int compare_command(const CompareRequest& request, const CommonOptions& common) {
  const Comparison comparison = read(request.runs);
  if (!request.html.empty()) atomic_write(request.html, html_of(request, comparison));
  if (!request.csv.empty()) atomic_write(request.csv, csv_of(comparison));
  if (!common.quiet) print(request, comparison);
  return kDone;
}

}  // namespace vaezoo
