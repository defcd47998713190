#include "experiments/output/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <utility>
#include <vector>

#include "experiments/output/console.hpp"
#include "experiments/output/text.hpp"

namespace vaezoo {
namespace {

constexpr double kMeasureEvery = 0.1;                     // seconds
constexpr double kTerminalEvery = 0.1, kPlainEvery = 10;  // seconds between drawings
constexpr double kEpochLineEvery = 1;                     // short epochs do not flood a log
constexpr double kAverageOver = 8;                        // seconds that the averaged speed remembers

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value;
}

bool locale_is_utf8() {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    if (!is_set(variable)) continue;
    const std::string_view value = std::getenv(variable);
    return value.find("UTF-8") != std::string_view::npos || value.find("utf8") != std::string_view::npos;
  }
  return false;
}

std::string metric_text(const Metric& metric) { return metric.name + " " + format_number(metric.value, 5); }

}  // namespace

ProgressOptions progress_on_stderr(bool quiet) {
  ProgressOptions options;
  options.quiet = quiet;
  options.terminal = ::isatty(STDERR_FILENO) == 1 && is_set("TERM") && std::string_view(std::getenv("TERM")) != "dumb";
  options.color = options.terminal && !is_set("NO_COLOR");
  options.unicode = locale_is_utf8();
  options.width = [] { return terminal_columns(STDERR_FILENO).value_or(80); };
  options.clock = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
  options.output = tell;
  return options;
}

Progress::Progress(ProgressOptions options, ProgressPlan plan)
    : options_(std::move(options)),
      plan_(std::move(plan)),
      step_(plan_.first_step),
      epoch_(plan_.first_epoch),
      measured_at_(options_.clock()),
      draw_at_(measured_at_ + (options_.terminal ? kTerminalEvery : kPlainEvery)),
      measured_step_(step_) {}

Progress::~Progress() {
  if (line_open_) options_.output("\n");
}

void Progress::advance(std::int64_t epoch, std::int64_t items, std::span<const Metric> metrics) {
  if (options_.quiet) return;
  ++step_;
  epoch_ = epoch;
  items_ += items;
  const double now = options_.clock();
  if (now - measured_at_ >= kMeasureEvery) measure(now);
  if (now >= draw_at_) draw(metrics);
}

void Progress::end_epoch(std::span<const Metric> metrics) {
  if (options_.quiet) return;
  const double now = options_.clock();
  if (now - measured_at_ >= kMeasureEvery) measure(now);
  if (options_.terminal ? now >= draw_at_ : now - drawn_at_ >= kEpochLineEvery) draw(metrics);
}

void Progress::message(std::string_view text) {
  if (options_.quiet) return;
  options_.output(fmt::format("{}{}\n", line_open_ ? "\r\x1b[K" : "", text));
  line_open_ = false;
  if (options_.terminal) draw_at_ = 0;  // the line comes back with the next step
}

void Progress::finish(std::span<const Metric> metrics) {
  if (options_.quiet) return;
  measure(options_.clock());
  if (options_.terminal || drawn_step_ != step_) draw(metrics);
  if (std::exchange(line_open_, false)) options_.output("\n");
}

void Progress::measure(double now) {
  const double elapsed = now - measured_at_;
  if (elapsed <= 0 || step_ == measured_step_) return;
  // The plain mean of the first samples, until the average has enough of them to forget the oldest.
  const double weight = std::max(1 - std::exp(-elapsed / kAverageOver), 1.0 / static_cast<double>(++samples_));
  steps_per_second_ += weight * (static_cast<double>(step_ - measured_step_) / elapsed - steps_per_second_);
  items_per_second_ += weight * (static_cast<double>(items_ - measured_items_) / elapsed - items_per_second_);
  measured_at_ = now;
  measured_step_ = step_;
  measured_items_ = items_;
}

void Progress::draw(std::span<const Metric> metrics) {
  drawn_at_ = options_.clock();
  draw_at_ = drawn_at_ + (options_.terminal ? kTerminalEvery : kPlainEvery);
  drawn_step_ = step_;
  options_.output(options_.terminal ? fmt::format("\r{}\x1b[K", terminal_line(metrics)) : plain_line(metrics) + "\n");
  line_open_ = options_.terminal;
}

double Progress::fraction() const {
  return std::clamp(static_cast<double>(step_) / static_cast<double>(std::max<std::int64_t>(1, plan_.steps)), 0.0, 1.0);
}

std::string Progress::epoch_text() const {
  return plan_.epochs > 0 ? fmt::format("epoch {}/{}", epoch_, plan_.epochs) : fmt::format("epoch {}", epoch_);
}

/// "  45.1k images/s  ETA 0:32"; nothing before the first measurement.
std::string Progress::speed_text() const {
  if (samples_ == 0) return "";
  std::string text = fmt::format("  {} {}/s", format_count(items_per_second_), plan_.items);
  if (plan_.steps > step_) text += "  ETA " + format_duration(static_cast<double>(plan_.steps - step_) / steps_per_second_);
  return text;
}

std::string Progress::plain_line(std::span<const Metric> metrics) const {
  std::string line = epoch_text() + fmt::format("  step {}", step_);
  if (plan_.steps > 0) line += fmt::format("/{} ({:.0f} %)", plan_.steps, std::floor(100 * fraction()));
  line += speed_text();
  for (const Metric& metric : metrics) line += "  " + metric_text(metric);
  return line;
}

std::string Progress::bar(int cells) const {
  const int full = static_cast<int>(fraction() * cells);
  std::string text = options_.color ? "\x1b[36m" : "";
  for (int i = 0; i < full; ++i) text += options_.unicode ? "━" : "=";
  if (options_.color) text += "\x1b[0m\x1b[2m";
  for (int i = full; i < cells; ++i) text += options_.unicode ? (options_.color ? "━" : "─") : "-";
  return text + (options_.color ? "\x1b[0m" : "");
}

/// Fits the terminal: metrics are left out from the last, then the bar shrinks and goes, then the line is cut.
std::string Progress::terminal_line(std::span<const Metric> metrics) const {
  const std::size_t room = static_cast<std::size_t>(std::max(2, options_.width())) - 1;  // the last column may wrap
  std::string head = epoch_text();
  std::string tail = plan_.steps > 0 ? fmt::format("  {:3.0f} %", std::floor(100 * fraction())) : fmt::format("  step {}", step_);
  tail += speed_text();
  const std::size_t shortest_bar = plan_.steps > 0 ? 8 + 2 : 0, longest_bar = 30;
  for (const Metric& metric : metrics) {
    const std::string text = "  " + metric_text(metric);
    if (display_width(head) + shortest_bar + display_width(tail) + display_width(text) > room) break;
    tail += text;
  }
  const std::size_t used = display_width(head) + display_width(tail);
  if (shortest_bar > 0 && used + shortest_bar <= room) {
    return head + "  " + bar(static_cast<int>(std::min(room - used - 2, longest_bar))) + tail;
  }
  return cut_to_width(head + tail, room);
}

}  // namespace vaezoo
