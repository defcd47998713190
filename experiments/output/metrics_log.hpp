#pragma once
// The record of a run: metrics.jsonl, one JSON object per event for programs, and metrics.csv, one row per epoch and split
// for spreadsheets. The CSV is made from the same records, so the two never disagree.
//
//   {"event":"epoch","step":469,"epoch":1,"split":"train","time":3.21,"loss":164.2,"kl":17.9}
//   {"event":"step","step":470,"epoch":2,"split":"train","time":3.24,"loss":null,"nonfinite":["loss"]}
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/output/files.hpp"
#include "experiments/output/metric.hpp"
#include "experiments/output/svg.hpp"

namespace vaezoo {

struct MetricRecord {
  std::int64_t step = 0;   ///< optimiser steps done
  std::int64_t epoch = 0;
  std::string split;       ///< "train", "validation", "test"
  double time = 0;         ///< seconds of training so far, kept to the millisecond
  bool epoch_end = false;  ///< the summary of an epoch ("event":"epoch"), which is a row of the CSV too
  std::vector<Metric> values;
};

/// Where a log stood when a state was saved.
struct LogMark {
  std::int64_t step = 0;
  std::int64_t bytes = 0;  ///< of metrics.jsonl
};

class MetricsLog {
 public:
  /// Opens metrics.jsonl and metrics.csv in the folder. A new run starts both empty. With resumed_at the log is cut to what it was
  /// when the state was saved: what a killed run logged later is computed again. So log all of a step, and sync, before its
  /// state is saved. What is amiss with that part (it is shorter, a line is no record) is told by remarks(), and goes;
  /// metrics.jsonl.damaged keeps the log as it was found. Throws FileError.
  explicit MetricsLog(const std::filesystem::path& folder, std::optional<LogMark> resumed_at = std::nullopt);

  /// Has reached the kernel on return. Numbers are written so that they read back exactly; one that is not finite becomes
  /// null and its name is listed under "nonfinite" (in the CSV: nan, inf, -inf). Throws FileError, and
  /// std::invalid_argument for a metric whose name is doubled or one of the record's own keys.
  void write(const MetricRecord& record);

  void sync();                  ///< all that was written is on the disk when it returns; throws FileError
  std::int64_t bytes() const { return bytes_; }  ///< of metrics.jsonl, for the state's LogMark
  const std::vector<std::string>& remarks() const { return remarks_; }  ///< sentences about a log that was damaged

 private:
  void resume(const std::filesystem::path& jsonl, const LogMark& mark);
  void add_row(const MetricRecord& record);
  void rewrite_csv();

  std::filesystem::path folder_;
  std::optional<AppendFile> jsonl_, csv_;  ///< opened once their first content is in place
  std::vector<std::string> columns_;  ///< metric names in the order of their first appearance
  std::vector<MetricRecord> rows_;    ///< of the CSV, written again when a new column appears
  std::int64_t bytes_ = 0;
  std::vector<std::string> remarks_;
};

/// All records of a metrics.jsonl; what was not finite reads as NaN. A half-written last line is left out. Throws FileError
/// with the line for anything else that is not a record.
std::vector<MetricRecord> read_metrics(const std::filesystem::path& jsonl);

/// The curve of one metric, named as the split, over epochs (from the summaries) or over steps (from the others).
enum class Curve { by_epoch, by_step };
Series metric_curve(const std::vector<MetricRecord>& records, const std::string& split, const std::string& metric, Curve curve);

}  // namespace vaezoo
