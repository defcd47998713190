// The record of a run. The first line is the step at which the run goes on and, after a blank, how long the log was (else all of it); the
// rest is metrics.jsonl.
#include <charconv>

#include "experiments/output/metrics_log.hpp"
#include "tests/fuzz/fuzz.hpp"

FUZZ_TARGET(metrics) {
  using namespace vaezoo;
  const std::string_view line = fuzzing::take_until('\n', input);
  std::int64_t step = 0, bytes = static_cast<std::int64_t>(input.size());
  const char* const end = std::from_chars(line.data(), line.data() + line.size(), step).ptr;
  if (end != line.data() + line.size()) std::from_chars(end + 1, line.data() + line.size(), bytes);
  const std::filesystem::path path = fuzzing::write_file("metrics.jsonl", input);
  fuzzing::may_refuse([&] {
    const std::vector<MetricRecord> records = read_metrics(path);
    metric_curve(records, "train", "loss", Curve::by_epoch);
    metric_curve(records, "train", "loss", Curve::by_step);
  });
  fuzzing::may_refuse([&] {
    MetricsLog log(fuzzing::folder(), LogMark{.step = step, .bytes = bytes});
    for (const std::string& remark : log.remarks()) fuzzing::check_message(remark);
    log.write({.step = step, .epoch = 1, .split = "train", .time = 1, .epoch_end = true, .values = {{"loss", 1}, {"new", 2}}});
    read_metrics(path);
  });
}
