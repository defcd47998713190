#include "experiments/runner/run_report.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "autodiff/gemm.hpp"
#include "autodiff/parallel.hpp"
#include "experiments/output/environment.hpp"
#include "experiments/output/files.hpp"
#include "experiments/output/report.hpp"
#include "experiments/output/text.hpp"
#include "experiments/runner/summary.hpp"

namespace vaezoo {
namespace {

bool ends_with_stderr(const std::string& name) { return name.ends_with("_stderr"); }

/// The split whose numbers the page leads with: test, or what there is.
const SplitResult* leading(const std::vector<SplitResult>& results) {
  for (const Split split : {Split::test, Split::validation, Split::train})
    for (const SplitResult& r : results)
      if (r.split == split) return &r;
  return nullptr;
}

std::vector<Headline> headlines(const Evaluation& e) {
  const std::vector<Metric> metrics = e.metrics();
  std::vector<Headline> rows;
  for (const Metric& m : metrics) {
    if (ends_with_stderr(m.name)) continue;
    const auto error = std::ranges::find_if(metrics, [&](const Metric& other) { return other.name == m.name + "_stderr"; });
    rows.push_back({m.name, m.value, m.unit, error == metrics.end() ? std::nullopt : std::optional(error->value), m.meaning});
  }
  return rows;
}

/// The epoch of the best weights, from their own file.
std::optional<double> best_epoch(const RunFolder& folder) {
  if (!std::filesystem::exists(folder.best())) return std::nullopt;
  return position_of(ad::Safetensors(folder.best()).metadata()).epoch;
}

Figure curve_figure(const std::vector<MetricRecord>& records, const Metric& metric, std::optional<double> best) {
  Series training = metric_curve(records, "train", metric.name, Curve::by_epoch);
  const bool by_epoch = training.x.size() > 1;  // one epoch has no curve: its steps do
  if (!by_epoch) training = metric_curve(records, "train", metric.name, Curve::by_step);
  LineChart chart{.title = metric.name,
                  .x_label = by_epoch ? "epoch" : "step",
                  .y_label = metric.unit,
                  .series = {training},
                  .marker_x = std::nullopt,
                  .marker_label = ""};
  const Series validation = metric_curve(records, "validation", metric.name, Curve::by_epoch);
  if (by_epoch && !validation.x.empty()) {
    chart.series.push_back(validation);
    chart.marker_x = best;
    chart.marker_label = "best";
  }
  if (training.x.empty()) return {};
  return {.caption = metric.meaning, .svg = to_svg(chart), .png = {}};
}

/// The loss and what the objective reports with it, over training.
ReportSection curves(const std::vector<MetricRecord>& records, const Session& s, const RunFolder& folder) {
  ReportSection section{.heading = "Training", .text = "", .figures = {}};
  const std::optional<double> best = best_epoch(folder);
  for (const Metric& m : objective_metrics(*s.model, s.data, s.keys.evaluation(Split::train))) {
    Figure figure = curve_figure(records, m, best);
    if (!figure.svg.empty()) section.figures.push_back(std::move(figure));
  }
  return section;
}

Figure kl_figure(const Evaluation& e) {
  BarChart chart{.title = "KL per latent dimension",
                 .x_label = "dimension of z",
                 .y_label = "nats",
                 .values = e.kl_per_dimension,
                 .faded = {},
                 .name = "active",
                 .faded_name = "idle"};
  for (std::size_t d = 0; d < e.kl_per_dimension.size(); ++d) chart.faded.push_back(!e.active[d]);
  if (std::ranges::none_of(chart.faded, [](bool f) { return f; })) chart.faded_name.clear();
  return {
      .caption = "KL(q(z|x) || p(z)) of each dimension. One is active when the variance of its posterior mean over the data exceeds "
                 "evaluate.active_threshold, or, where the prior is conditional, when this KL exceeds evaluate.active_kl.",
      .svg = to_svg(chart),
      .png = {}};
}

Figure picture_figure(const SavedPicture& picture) {
  const std::string bytes = read_file(picture.file);
  if (picture.file.extension() == ".svg") return {.caption = picture.caption, .svg = bytes, .png = {}};
  return {.caption = picture.caption, .svg = "", .png = {bytes.begin(), bytes.end()}};
}

ReportSection latent_section(const SplitResult* result, const std::vector<SavedPicture>& pictures) {
  ReportSection section{.heading = "Latent space", .text = "", .figures = {}};
  for (const SavedPicture& p : pictures)
    if (p.file.filename() == "latent_map.svg") section.figures.push_back(picture_figure(p));
  if (result != nullptr && !result->evaluation.kl_per_dimension.empty())
    section.figures.push_back(kl_figure(result->evaluation));
  return section;
}

ReportSection picture_section(const std::vector<SavedPicture>& pictures) {
  ReportSection section{.heading = "Samples and reconstructions", .text = "", .figures = {}};
  for (const SavedPicture& p : pictures)
    if (p.file.filename() != "latent_map.svg") section.figures.push_back(picture_figure(p));
  return section;
}

std::vector<std::pair<std::string, std::string>> environment_rows(const std::vector<MetricRecord>& records) {
  std::vector<std::pair<std::string, std::string>> rows;
  if (!records.empty()) rows.emplace_back("training", format_duration(records.back().time));
  rows.emplace_back("peak memory", fmt::format("{:.0f} MB", static_cast<double>(peak_memory_bytes()) / 1e6));
  Environment environment = describe_environment(ad::threads());
  environment.libraries.emplace_back("GEMM", ad::gemm_backend());
  for (auto& row : to_rows(environment)) rows.push_back(std::move(row));
  return rows;
}

}  // namespace

void write_run_report(const RunFolder& folder, const Session& s, const std::vector<SplitResult>& results,
                      const std::vector<SavedPicture>& pictures) {
  const std::vector<MetricRecord> records = read_metrics(folder.path / "metrics.jsonl");
  const SplitResult* lead = leading(results);
  Report report{.title = s.config.name, .description = s.config.description, .subtitle = "", .warnings = {}, .headlines = {}, .sections = {},
                .config = read_file(folder.config()), .environment = environment_rows(records)};
  report.subtitle = fmt::format("{} on {}: minimises {}. {} parameters.", s.config.model_name, s.data.name, s.model->describe(),
                                s.store.count());
  if (lead != nullptr) {
    report.subtitle += fmt::format(" Results of the {} split, {} examples.", to_text(lead->split), lead->evaluation.examples);
    if (lead->evaluation.nll)
      report.subtitle += fmt::format(" nll with {} importance samples.", s.config.evaluate.importance_samples);
    report.headlines = headlines(lead->evaluation);
    report.warnings = lead->evaluation.warnings();
  }
  for (ReportSection section :
       {picture_section(pictures), latent_section(lead, pictures), curves(records, s, folder)})
    if (!section.figures.empty()) report.sections.push_back(std::move(section));
  atomic_write(folder.path / "report.html", to_html(report));
}

}  // namespace vaezoo
