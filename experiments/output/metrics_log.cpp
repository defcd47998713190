#include "experiments/output/metrics_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace vaezoo {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 6> kOwnKeys = {"event", "step", "epoch", "split", "time", "nonfinite"};

bool is_own_key(std::string_view name) { return std::find(kOwnKeys.begin(), kOwnKeys.end(), name) != kOwnKeys.end(); }

std::string to_line(const MetricRecord& record) {
  Json json = {{"event", record.epoch_end ? "epoch" : "step"}, {"step", record.step}, {"epoch", record.epoch},
               {"split", record.split}, {"time", std::round(record.time * 1000) / 1000}};
  Json nonfinite = Json::array();
  for (const Metric& metric : record.values) {
    if (is_own_key(metric.name) || json.contains(metric.name)) {
      throw std::invalid_argument(
          fmt::format("[MetricsLog] the metric name \"{}\" is taken; give the metric another name", metric.name));
    }
    const bool finite = std::isfinite(metric.value);
    json[metric.name] = finite ? Json(metric.value) : Json(nullptr);
    if (!finite) nonfinite.push_back(metric.name);
  }
  if (!nonfinite.empty()) json["nonfinite"] = std::move(nonfinite);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// nullopt when the line is not a record.
std::optional<MetricRecord> from_line(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  try {
    MetricRecord record{json.at("step"), json.at("epoch"), json.at("split"), json.at("time"), json.at("event") == "epoch", {}};
    for (const auto& [name, value] : json.items()) {
      if (!is_own_key(name)) record.values.push_back({name, value.is_null() ? NAN : value.get<double>()});
    }
    return record;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

struct Line {
  MetricRecord record;
  std::string_view text;  ///< without the line's end
};

/// The lines of a log. The last one may be half written, as when the machine lost power; any other must be a record.
std::vector<Line> parse_lines(std::string_view text, const std::filesystem::path& path) {
  std::vector<Line> lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (auto record = from_line(line)) {
      lines.push_back({std::move(*record), line});
    } else if (end != std::string_view::npos) {
      throw FileError(fmt::format("{}:{}: this line is not a record of metrics; repair or delete it", path.string(), number));
    }
  }
  return lines;
}

/// RFC 4180: quotes around what holds a comma, a quote or a line's end; quotes inside are doubled.
std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

std::string csv_header(const std::vector<std::string>& columns) {
  std::string header = "epoch,step,split,time";
  for (const std::string& name : columns) header.append(",").append(csv_cell(name));
  return header + "\n";
}

std::string csv_row(const MetricRecord& record, const std::vector<std::string>& columns) {
  std::string row = fmt::format("{},{},{},{:.3f}", record.epoch, record.step, csv_cell(record.split), record.time);
  for (const std::string& name : columns) {
    const auto found = std::find_if(record.values.begin(), record.values.end(), [&](const Metric& m) { return m.name == name; });
    row += found == record.values.end() ? "," : fmt::format(",{}", found->value);
  }
  return row + "\n";
}

/// The log's new content: nothing, or what a resumed run keeps.
std::vector<MetricRecord> prepare_jsonl(const std::filesystem::path& path, std::optional<std::int64_t> resumed_at) {
  std::vector<MetricRecord> kept;
  if (!resumed_at || !std::filesystem::exists(path)) {
    atomic_write(path, std::string_view{});
    return kept;
  }
  const std::string before = read_file(path);
  std::string after;
  for (Line& line : parse_lines(before, path)) {
    if (line.record.step > *resumed_at) continue;
    after.append(line.text) += '\n';
    kept.push_back(std::move(line.record));
  }
  if (after != before) atomic_write(path, after);
  return kept;
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& folder, std::optional<std::int64_t> resumed_at) : folder_(folder) {
  make_folder(folder_);
  const std::filesystem::path path = folder_ / "metrics.jsonl";
  for (const MetricRecord& record : prepare_jsonl(path, resumed_at)) {
    if (record.epoch_end) add_row(record);
  }
  jsonl_.emplace(path);
  rewrite_csv();
}

void MetricsLog::write(const MetricRecord& record) {
  jsonl_->write(to_line(record));
  if (!record.epoch_end) return;
  const std::size_t columns_before = columns_.size();
  add_row(record);
  if (columns_.size() > columns_before) rewrite_csv();
  else csv_->write(csv_row(record, columns_));
}

void MetricsLog::add_row(const MetricRecord& record) {
  for (const Metric& metric : record.values) {
    if (std::find(columns_.begin(), columns_.end(), metric.name) == columns_.end()) columns_.push_back(metric.name);
  }
  rows_.push_back(record);
}

void MetricsLog::rewrite_csv() {
  std::string text = csv_header(columns_);
  for (const MetricRecord& row : rows_) text += csv_row(row, columns_);
  const std::filesystem::path path = folder_ / "metrics.csv";
  atomic_write(path, text);
  csv_.emplace(path);  // the name stands for another file now
}

std::vector<MetricRecord> read_metrics(const std::filesystem::path& jsonl) {
  const std::string text = read_file(jsonl);
  std::vector<MetricRecord> records;
  for (Line& line : parse_lines(text, jsonl)) records.push_back(std::move(line.record));
  return records;
}

Series metric_curve(const std::vector<MetricRecord>& records, const std::string& split, const std::string& metric, Curve curve) {
  Series series{split, {}, {}};
  for (const MetricRecord& record : records) {
    if (record.split != split || record.epoch_end != (curve == Curve::by_epoch)) continue;
    for (const auto& [name, value] : record.values) {
      if (name != metric) continue;
      series.x.push_back(static_cast<double>(curve == Curve::by_epoch ? record.epoch : record.step));
      series.y.push_back(value);
    }
  }
  return series;
}

}  // namespace vaezoo
