#pragma once
// Learning-rate schedules. A Schedule is a plain function from the place in training to the learning rate, so it has nothing to
// save: resuming at a step gives the same rate again. The formulas are those of torch.optim.lr_scheduler.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ad {

/// Where training stands: updates done and epochs finished, both 0 at first.
struct Progress {
  std::int64_t step = 0, epoch = 0;
};

/// The learning rate of the update that comes next.
using Schedule = std::function<double(const Progress&)>;

}  // namespace ad

namespace ad::schedule {

// Each throws Error for an argument out of its range.

Schedule constant(double rate);

// ---- by epoch
/// rate gamma^(epoch / every, rounded down); every >= 1
Schedule step(double rate, std::int64_t every, double gamma = 0.1);
/// rate times gamma for each milestone that the epoch has reached
Schedule multi_step(double rate, std::vector<std::int64_t> milestones, double gamma = 0.1);
/// rate gamma^epoch
Schedule exponential(double rate, double gamma);

// ---- by step
/// Half a cosine from `rate` at step 0 down to `final_rate` at step `steps`, where it stays (Loshchilov & Hutter 2017, without
/// restarts).
Schedule cosine(double rate, std::int64_t steps, double final_rate = 0);

struct OneCycleOptions {
  double rise = 0.3;            ///< part of the steps in which the rate rises, in [0, 1]
  double start_divisor = 25;    ///< begins at rate / start_divisor
  double final_divisor = 1e4;   ///< ends at rate / (start_divisor final_divisor)
};
/// Up and down again along cosines, within `steps` steps (Smith & Topin 2018). Unlike PyTorch's, it stays at the end instead of
/// failing.
Schedule one_cycle(double rate, std::int64_t steps, OneCycleOptions options = {});

/// In the first `steps` steps (step + 1) / (steps + 1) times what `inner` says, so that the first update is not wasted on rate 0.
Schedule warmup(std::int64_t steps, Schedule inner);

}  // namespace ad::schedule

namespace ad {

/// Lowers the rate when a metric, the smaller the better, stops falling: torch's ReduceLROnPlateau in "min" and "rel" mode.
/// One observation per validation.
class ReduceOnPlateau {
 public:
  struct Options {
    double factor = 0.1;       ///< in (0, 1)
    std::int64_t patience = 10;  ///< so many validations without improvement are borne
    double threshold = 1e-4;   ///< a metric below best (1 - threshold) is an improvement; see observe() for one below 0
    std::int64_t cooldown = 0; ///< so many validations after a reduction are not counted
    double min_rate = 0, epsilon = 1e-8;  ///< the rate never falls below min_rate; a change smaller than epsilon is not made
  };
  /// What must be saved to resume.
  struct State {
    double rate, best;
    std::int64_t bad = 0, cooldown = 0;
  };

  ReduceOnPlateau(double rate, Options options);

  /// Takes a validation's metric. Relative to |best|, so that a negative metric must fall as well (torch's test goes the wrong
  /// way there, best (1 - threshold) being above best). A NaN is no improvement.
  void observe(double metric);

  double rate() const { return state_.rate; }
  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }

 private:
  Options options_;
  State state_;
};

}  // namespace ad
