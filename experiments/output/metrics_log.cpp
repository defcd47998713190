#include "experiments/output/metrics_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "experiments/output/json_numbers.hpp"

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
    const auto step = integer_in(json.at("step"), 0, kLargestCounter), epoch = integer_in(json.at("epoch"), 0, kLargestCounter);
    const auto time = number_in(json.at("time"), 0);
    if (!step || !epoch || !time) return std::nullopt;
    MetricRecord record{*step, *epoch, json.at("split"), *time, json.at("event") == "epoch", {}};
    for (const auto& [name, value] : json.items()) {
      if (!is_own_key(name)) record.values.push_back({name, value.is_null() ? NAN : value.get<double>()});
    }
    return record;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

struct Line {
  std::size_t number;                  ///< from 1
  std::string_view text;               ///< without the line's end
  bool ended;                          ///< a killed machine may leave the last line without its end
  std::optional<MetricRecord> record;  ///< none when the line is not one
};

/// The lines of a log that are not blank.
std::vector<Line> parse_lines(std::string_view text) {
  std::vector<Line> lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    lines.push_back({number, line, end != std::string_view::npos, from_line(line)});
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

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& folder, std::optional<LogMark> resumed_at) : folder_(folder) {
  make_folder(folder_);
  const std::filesystem::path path = folder_ / "metrics.jsonl";
  if (resumed_at) resume(path, *resumed_at);
  else atomic_write(path, std::string_view{});
  jsonl_.emplace(path);
  rewrite_csv();
}

void MetricsLog::resume(const std::filesystem::path& path, const LogMark& mark) {
  const bool found = std::filesystem::exists(path);
  if (found && !std::filesystem::is_regular_file(path))
    throw FileError(path.string() + ": is not a file, so that no records can be read from it; remove it");
  const std::string before = found ? read_file(path) : "";
  const auto wanted = static_cast<std::size_t>(mark.bytes);
  if (before.size() < wanted)
    remarks_.push_back(fmt::format("{}: {}; records of before step {} are missing", path.string(),
                                   found ? fmt::format("has {} bytes, and had {} when the state was saved", before.size(), wanted)
                                         : "is gone",
                                   mark.step));
  std::string after;
  for (Line& line : parse_lines(std::string_view(before).substr(0, wanted))) {
    if (!line.record || line.record->step > mark.step) {
      remarks_.push_back(fmt::format("{}:{}: this line is not a record of a step up to {}; it is left out", path.string(),
                                     line.number, mark.step));
      continue;
    }
    after.append(line.text) += '\n';
    if (line.record->epoch_end) add_row(*line.record);
  }
  if (found && !remarks_.empty()) atomic_write(folder_ / "metrics.jsonl.damaged", before);
  if (!found || after != before) atomic_write(path, after);
  bytes_ = std::ssize(after);
}

void MetricsLog::write(const MetricRecord& record) {
  const std::string line = to_line(record);
  jsonl_->write(line);
  bytes_ += std::ssize(line);
  if (!record.epoch_end) return;
  const std::size_t columns_before = columns_.size();
  add_row(record);
  if (columns_.size() > columns_before) rewrite_csv();
  else csv_->write(csv_row(record, columns_));
}

void MetricsLog::sync() {
  jsonl_->sync();
  csv_->sync();
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
  for (Line& line : parse_lines(text)) {
    if (line.record) records.push_back(std::move(*line.record));
    else if (line.ended)
      throw FileError(
          fmt::format("{}:{}: this line is not a record of metrics; repair or delete it", jsonl.string(), line.number));
  }
  return records;
}

Series metric_curve(const std::vector<MetricRecord>& records, const std::string& split, const std::string& metric, Curve curve) {
  Series series{split, {}, {}};
  for (const MetricRecord& record : records) {
    if (record.split != split || record.epoch_end != (curve == Curve::by_epoch)) continue;
    for (const Metric& m : record.values) {
      if (m.name != metric) continue;
      series.x.push_back(static_cast<double>(curve == Curve::by_epoch ? record.epoch : record.step));
      series.y.push_back(m.value);
    }
  }
  return series;
}

}  // namespace vaezoo
