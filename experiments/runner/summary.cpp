#include "experiments/runner/summary.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "autodiff/gemm.hpp"
#include "autodiff/parallel.hpp"
#include "config/printable.hpp"
#include "experiments/output/environment.hpp"
#include "experiments/output/files.hpp"
#include "experiments/output/json_numbers.hpp"

namespace vaezoo {
namespace {

using ad::cat;
using nlohmann::ordered_json;

ordered_json number(double x) { return std::isfinite(x) ? ordered_json(x) : ordered_json(); }

ordered_json to_json(const Evaluation& e) {
  ordered_json j;
  j["examples"] = e.examples;
  for (const Metric& m : e.metrics()) j[m.name] = m.name == "active_units" ? ordered_json(*e.active_units) : number(m.value);
  if (!e.kl_per_dimension.empty()) j["kl_per_dimension"] = e.kl_per_dimension;
  if (const auto warnings = e.warnings(); !warnings.empty()) j["warnings"] = warnings;
  return j;
}

ordered_json environment_json() {
  ordered_json j;
  Environment environment = describe_environment(ad::threads());
  environment.libraries.emplace_back("GEMM", ad::gemm_backend());
  for (const auto& [name, value] : to_rows(environment)) j[name] = value;
  return j;
}

}  // namespace

void write_summary(const RunFolder& folder, const Session& s, const TrainingState& state, const std::vector<SplitResult>& results,
                   const std::string& checkpoint, bool stopped_early) {
  ordered_json j;
  j["experiment"] = s.config.name;
  j["model"] = s.config.model_name;
  j["dataset"] = s.data.name;
  j["seed"] = s.config.seed;
  j["parameters"] = s.store.count();
  j["steps"] = state.step;
  j["epochs"] = state.epoch;
  j["stopped_early"] = stopped_early;
  j["training_seconds"] = std::round(state.seconds * 1000) / 1000;
  j["peak_memory_mb"] = std::round(static_cast<double>(peak_memory_bytes()) / 1e5) / 10;
  j["checkpoint"] = checkpoint;
  if (state.best_step >= 0) j["best_step"] = state.best_step;
  j["importance_samples"] = s.config.evaluate.importance_samples;
  for (const SplitResult& r : results) j[std::string(to_text(r.split))] = to_json(r.evaluation);
  j["environment"] = environment_json();
  atomic_write(folder.summary(), j.dump(2) + "\n");
}

void write_evaluation(const std::filesystem::path& file, const Session& s, const std::vector<SplitResult>& results,
                      const std::string& checkpoint) {
  ordered_json j;
  j["experiment"] = s.config.name;
  j["checkpoint"] = checkpoint;
  j["importance_samples"] = s.config.evaluate.importance_samples;
  if (!s.config.notes.empty()) j["notes"] = s.config.notes;
  for (const SplitResult& r : results) j[std::string(to_text(r.split))] = to_json(r.evaluation);
  atomic_write(file, j.dump(2) + "\n");
}

std::string results_table(const Session& s, const std::vector<SplitResult>& results) {
  if (results.empty()) return "no split was evaluated: evaluate.splits names none that has examples\n";
  std::vector<Metric> rows;
  for (const SplitResult& r : results)
    for (Metric& m : r.evaluation.metrics())
      if (std::ranges::find(rows, m.name, &Metric::name) == rows.end()) rows.push_back(std::move(m));
  std::size_t cut = std::min<std::size_t>(s.config.name.size(), 15);
  while (cut < s.config.name.size() && (static_cast<unsigned char>(s.config.name[cut]) & 0xC0u) == 0x80u) --cut;  // inside a character
  std::string table = fmt::format("{:<16}", s.config.name.substr(0, cut));
  for (const SplitResult& r : results) table += fmt::format("{:>12}", std::string(to_text(r.split)));
  table += '\n';
  for (const Metric& row : rows) {
    table += fmt::format("{:<16}", row.name);
    for (const SplitResult& r : results) {
      const auto metrics = r.evaluation.metrics();
      const auto it = std::ranges::find(metrics, row.name, &Metric::name);
      table += it == metrics.end() ? fmt::format("{:>12}", "-")
                                   : fmt::format("{:>12.{}f}", it->value,
                                                 row.name == "active_units" ? 0
                                                 : std::abs(it->value) < 1  ? 4
                                                                            : 2);
    }
    table += fmt::format("  {:<8} {}\n", row.unit, row.meaning);
  }
  for (const SplitResult& r : results)
    for (const std::string& w : r.evaluation.warnings())
      table += fmt::format("note ({}): {}\n", std::string(to_text(r.split)), w);
  return table;
}

Position position_of(const ad::Metadata& metadata) {
  const auto read = [&](const char* key, auto value) {
    const auto it = metadata.find(key);
    if (it == metadata.end()) return value;
    const char* const end = it->second.data() + it->second.size();
    const auto [stop, error] = std::from_chars(it->second.data(), end, value);
    if (error != std::errc() || stop != end || !(value >= 0 && value <= static_cast<decltype(value)>(kLargestCounter)))
      throw FileError(cat("a checkpoint's \"", key, "\" is \"", excerpt(it->second),
                          "\", which is no place in training; the file was changed by hand"));
    return value;
  };
  return {.step = read("step", std::int64_t{0}), .epoch = read("epoch", 0.0)};
}

}  // namespace vaezoo
