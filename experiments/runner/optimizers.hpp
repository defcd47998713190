#pragma once
// The optimisers of a training: one for the model, and one for each group of parameters that has its own in "optimizers".
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "autodiff/optimizers.hpp"
#include "autodiff/schedules.hpp"
#include "experiments/runner/train_config.hpp"

namespace vaezoo {

class Optimizers {
 public:
  /// Throws ConfigError for a group that the store does not have.
  Optimizers(const TrainConfig& config, ad::ParameterStore& store, std::int64_t total_steps);

  /// Clips the gradients and steps, each optimiser those of its parameters. The model's has this learning rate, the others' schedules
  /// give theirs.
  void step(double learning_rate, ad::Progress progress);
  /// What the model's schedule says.
  double learning_rate(ad::Progress progress) const { return parts_.front().schedule(progress); }
  /// Of the model's optimiser, in the last step.
  double last_gradient_norm() const { return parts_.front().optimizer->last_gradient_norm(); }
  /// Were all gradients of the last step finite?
  bool finite() const;

  /// For checkpoints: "m" of the model's optimiser, "discriminator.m" of a group's.
  std::vector<ad::Optimizer::State> state();
  std::int64_t steps() const { return parts_.front().optimizer->steps(); }
  void set_steps(std::int64_t steps);

 private:
  struct Part {
    std::string group;  // "": the model
    std::unique_ptr<ad::Optimizer> optimizer;
    ad::Schedule schedule;
    std::optional<double> clip_norm, clip_value;
  };
  std::vector<Part> parts_;  // the model's first
};

}  // namespace vaezoo
