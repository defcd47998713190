#pragma once
// How far training is: one line that updates itself on a terminal, now and then a plain line in a log file.
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "experiments/output/metric.hpp"

namespace vaezoo {

struct ProgressOptions {
  bool quiet = false;     ///< says nothing at all
  bool terminal = false;  ///< a line that updates itself, else plain lines
  bool color = false, unicode = false;
  std::function<int()> width;                    ///< columns of the terminal now
  std::function<double()> clock;                 ///< seconds that only grow
  std::function<void(std::string_view)> output;  ///< receives whole lines, or the terminal's updates
};

/// Standard error: a terminal if it is one (and TERM is not "dumb"), with colours unless NO_COLOR is set.
ProgressOptions progress_on_stderr(bool quiet = false);

/// What the whole run will be. A run that is resumed starts at first_step.
struct ProgressPlan {
  std::int64_t steps = 0;   ///< 0 when unknown: no bar and no ETA then
  std::int64_t epochs = 0;  ///< 0 when unknown
  std::int64_t first_step = 0;
  std::int64_t first_epoch = 0;  ///< that the first step is in, from 1
  std::string items = "items";  ///< what a step consumes, for the speed: "images"
};

class Progress {
 public:
  Progress(ProgressOptions options, ProgressPlan plan);
  ~Progress();  ///< leaves the cursor on a new line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// One more step is done, in `epoch` (from 1), with this many items. Reads the clock, and draws at most ten times a
  /// second (a terminal) or every ten seconds (plain lines); a call that draws nothing allocates nothing.
  void advance(std::int64_t epoch, std::int64_t items, std::span<const Metric> metrics);

  /// The end of an epoch: a plain line, though no more than one a second.
  void end_epoch(std::span<const Metric> metrics);

  /// A line that stays, above the progress line: "saved checkpoints/best". Quiet drops it.
  void message(std::string_view text);

  /// The last state, left standing on its own line.
  void finish(std::span<const Metric> metrics);

 private:
  void measure(double now);
  void draw(std::span<const Metric> metrics);
  std::string plain_line(std::span<const Metric> metrics) const;
  std::string terminal_line(std::span<const Metric> metrics) const;
  std::string bar(int cells) const;
  std::string epoch_text() const;
  std::string speed_text() const;
  double fraction() const;

  ProgressOptions options_;
  ProgressPlan plan_;
  std::int64_t step_, epoch_ = 0, items_ = 0;
  // Speed: exponential averages over the last few seconds of steps and of items per second.
  double measured_at_, draw_at_, drawn_at_ = -1e9;
  std::int64_t measured_step_, measured_items_ = 0, samples_ = 0;
  double steps_per_second_ = 0, items_per_second_ = 0;
  std::int64_t drawn_step_ = -1;
  bool line_open_ = false;  ///< a terminal line without its end stands on the screen
};

}  // namespace vaezoo
