#pragma once
// A moving average of the weights, which often evaluates better than the weights themselves (Polyak & Juditsky 1992).
#include <cstdint>
#include <span>

#include "autodiff/flat_buffer.hpp"
#include "autodiff/parameters.hpp"

namespace ad {

struct AveragingOptions {
  double decay = 0.999;
  /// The decay of update t is at most t / (t + 9), t = 1, 2, ... (TensorFlow's num_updates rule): early on the average then
  /// follows the weights instead of remembering where they began.
  bool warmup = true;
};

/// average = d average + (1 - d) weights, after every update. Buffers (running means of batch norms) are not averaged: they are
/// averages already.
class WeightAverage {
 public:
  /// Begins with the store's weights. Throws Error unless decay is in [0, 1).
  explicit WeightAverage(ParameterStore& store, AveragingOptions options = {});

  void update();  ///< one pass; must not be called while swapped

  /// Exchanges weights and average: once for evaluation, once more to go on with training. Prefer Swapped.
  void swap();
  bool swapped() const { return swapped_; }

  std::span<Real> values() { return average_.span(); }  ///< for checkpoints, with updates()
  std::int64_t updates() const { return updates_; }
  void set_updates(std::int64_t updates) { updates_ = updates; }

  /// While it lives, the store holds the average.
  class Swapped {
   public:
    explicit Swapped(WeightAverage& average) : average_(average) { average_.swap(); }
    ~Swapped() { average_.swap(); }
    Swapped(const Swapped&) = delete;
    Swapped& operator=(const Swapped&) = delete;

   private:
    WeightAverage& average_;
  };

 private:
  ParameterStore& store_;
  AveragingOptions options_;
  FlatBuffer average_;
  std::int64_t updates_ = 0;
  bool swapped_ = false;
};

}  // namespace ad
