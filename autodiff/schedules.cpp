#include "autodiff/schedules.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "autodiff/check.hpp"

namespace ad {
namespace {

void require(bool condition, const char* schedule, const std::string& sentence) {
  if (!condition) throw Error(cat("[", schedule, "] ", sentence));
}

void require_rate(double rate, const char* schedule) {
  require(rate >= 0 && std::isfinite(rate), schedule, cat("the learning rate must be 0 or more, got ", rate));
}

/// From `a` to `b` along half a cosine while x goes from 0 to 1.
double along_cosine(double a, double b, double x) { return b + (a - b) * (1 + std::cos(std::numbers::pi * x)) / 2; }

}  // namespace

namespace schedule {

Schedule constant(double rate) {
  require_rate(rate, "constant");
  return [=](const Progress&) { return rate; };
}

Schedule step(double rate, std::int64_t every, double gamma) {
  require_rate(rate, "step");
  require(every >= 1, "step", cat("needs at least one epoch between changes, got ", every));
  return [=](const Progress& at) { return rate * std::pow(gamma, static_cast<double>(at.epoch / every)); };
}

Schedule multi_step(double rate, std::vector<std::int64_t> milestones, double gamma) {
  require_rate(rate, "multi_step");
  return [=, milestones = std::move(milestones)](const Progress& at) {
    const auto reached = std::ranges::count_if(milestones, [&](std::int64_t m) { return m <= at.epoch; });
    return rate * std::pow(gamma, static_cast<double>(reached));
  };
}

Schedule exponential(double rate, double gamma) {
  require_rate(rate, "exponential");
  return [=](const Progress& at) { return rate * std::pow(gamma, static_cast<double>(at.epoch)); };
}

Schedule cosine(double rate, std::int64_t steps, double final_rate) {
  require_rate(rate, "cosine");
  require(steps >= 1, "cosine", cat("needs at least one step, got ", steps));
  return [=](const Progress& at) {
    return along_cosine(rate, final_rate, static_cast<double>(std::min(at.step, steps)) / static_cast<double>(steps));
  };
}

Schedule one_cycle(double rate, std::int64_t steps, OneCycleOptions o) {
  require_rate(rate, "one_cycle");
  require(steps >= 1, "one_cycle", cat("needs at least one step, got ", steps));
  require(o.rise >= 0 && o.rise <= 1 && o.start_divisor > 0 && o.final_divisor > 0, "one_cycle",
          cat("rise must be in [0, 1] and the divisors positive, got ", o.rise, ", ", o.start_divisor, " and ", o.final_divisor));
  const double first = rate / o.start_divisor, last = first / o.final_divisor;
  // the steps at which the arcs end, as in torch
  const double end = static_cast<double>(steps - 1), top = o.rise * static_cast<double>(steps) - 1;
  return [=](const Progress& at) {
    const double t = std::min(static_cast<double>(at.step), end);
    if (t <= top && top > 0) return along_cosine(first, rate, t / top);
    return along_cosine(rate, last, end > top ? (t - top) / (end - top) : 1);
  };
}

Schedule warmup(std::int64_t steps, Schedule inner) {
  require(steps >= 0, "warmup", cat("cannot last ", steps, " steps"));
  return [=, inner = std::move(inner)](const Progress& at) {
    const double part = static_cast<double>(at.step + 1) / static_cast<double>(steps + 1);
    return std::min(part, 1.0) * inner(at);
  };
}

}  // namespace schedule

ReduceOnPlateau::ReduceOnPlateau(double rate, Options options)
    : options_(options), state_{rate, std::numeric_limits<double>::infinity()} {
  require_rate(rate, "reduce_on_plateau");
  require(options.factor > 0 && options.factor < 1, "reduce_on_plateau",
          cat("the factor must be in (0, 1), got ", options.factor));
  require(options.patience >= 0 && options.cooldown >= 0, "reduce_on_plateau",
          cat("patience and cooldown must be 0 or more, got ", options.patience, " and ", options.cooldown));
}

void ReduceOnPlateau::observe(double metric) {
  State& s = state_;
  const bool first = std::isinf(s.best);
  if (first ? metric < s.best : metric < s.best - options_.threshold * std::abs(s.best)) {
    s.best = metric;
    s.bad = 0;
  } else {
    ++s.bad;
  }
  if (s.cooldown > 0) {
    --s.cooldown;
    s.bad = 0;
  }
  if (s.bad <= options_.patience) return;
  const double lower = std::max(s.rate * options_.factor, options_.min_rate);
  if (s.rate - lower > options_.epsilon) s.rate = lower;
  s.cooldown = options_.cooldown;
  s.bad = 0;
}

}  // namespace ad
