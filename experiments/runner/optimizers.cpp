#include "experiments/runner/optimizers.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/check.hpp"
#include "config/suggest.hpp"

namespace vaezoo {
namespace {

/// Trains the parameters whose paths begin with one of `prefixes`.
std::unique_ptr<ad::Optimizer> make_optimizer(const OptimizerConfig& c, ad::ParameterStore& store,
                                              const std::vector<std::string>& prefixes) {
  if (c.name == "adam")
    return std::make_unique<ad::Adam>(
        store, ad::AdamOptions{
                   .beta1 = c.adam.beta1, .beta2 = c.adam.beta2, .epsilon = c.adam.epsilon, .weight_decay = c.adam.weight_decay}, prefixes);
  if (c.name == "adamw")
    return std::make_unique<ad::Adam>(store, ad::AdamOptions{.beta1 = c.adamw.beta1,
                                                             .beta2 = c.adamw.beta2,
                                                             .epsilon = c.adamw.epsilon,
                                                             .weight_decay = c.adamw.weight_decay,
                                                             .decoupled = true}, prefixes);
  if (c.name == "adamax")
    return std::make_unique<ad::Adamax>(store, ad::AdamaxOptions{.beta1 = c.adamax.beta1,
                                                                 .beta2 = c.adamax.beta2,
                                                                 .epsilon = c.adamax.epsilon,
                                                                 .weight_decay = c.adamax.weight_decay}, prefixes);
  if (c.name == "sgd")
    return std::make_unique<ad::Sgd>(store, ad::SgdOptions{.momentum = c.sgd.momentum,
                                                           .dampening = c.sgd.dampening,
                                                           .weight_decay = c.sgd.weight_decay,
                                                           .nesterov = c.sgd.nesterov}, prefixes);
  return std::make_unique<ad::Rmsprop>(store, ad::RmspropOptions{.alpha = c.rmsprop.alpha,
                                                                 .epsilon = c.rmsprop.epsilon,
                                                                 .weight_decay = c.rmsprop.weight_decay,
                                                                 .momentum = c.rmsprop.momentum,
                                                                 .centered = c.rmsprop.centered}, prefixes);
}

ad::Schedule make_schedule(const ScheduleConfig& c, double rate, std::int64_t total_steps) {
  const auto choose = [&]() -> ad::Schedule {
    if (c.name == "step") return ad::schedule::step(rate, c.step.every, c.step.gamma);
    if (c.name == "multi_step") return ad::schedule::multi_step(rate, c.multi_step.milestones, c.multi_step.gamma);
    if (c.name == "exponential") return ad::schedule::exponential(rate, c.exponential.gamma);
    if (c.name == "cosine") return ad::schedule::cosine(rate, total_steps, rate * c.cosine.final_fraction);
    if (c.name == "one_cycle")
      return ad::schedule::one_cycle(
          rate, total_steps,
          {.rise = c.one_cycle.rise, .start_divisor = c.one_cycle.start_divisor, .final_divisor = c.one_cycle.final_divisor});
    return ad::schedule::constant(rate);  // of reduce_on_plateau, the warm-up
  };
  return c.warmup_steps > 0 ? ad::schedule::warmup(c.warmup_steps, choose()) : choose();
}

}  // namespace

Optimizers::Optimizers(const TrainConfig& config, ad::ParameterStore& store, std::int64_t total_steps) {
  std::vector<std::string> rest;
  for (const std::string& group : store.group_names())
    if (!config.optimizers.contains(group)) rest.push_back(group + "/");
  for (const auto& [group, part] : config.optimizers)
    if (std::ranges::find(store.group_names(), group) == store.group_names().end())
      throw ConfigError(ad::cat("train.optimizers.", group, ": the model has no parameters of this name; it has ", joined(store.group_names())));
  if (rest.empty()) throw ConfigError("train.optimizers: leaves no parameters to train.optimizer; leave one of the groups out");

  parts_.push_back({"", make_optimizer(config.optimizer, store, config.optimizers.empty() ? std::vector<std::string>{} : rest),
                    make_schedule(config.schedule, config.optimizer.learning_rate(), total_steps), config.clip_norm, config.clip_value});
  for (const auto& [group, part] : config.optimizers)
    parts_.push_back({group, make_optimizer(part.optimizer, store, {group + "/"}),
                      make_schedule(part.schedule, part.optimizer.learning_rate(), total_steps), part.clip_norm, part.clip_value});
}

void Optimizers::step(double learning_rate, ad::Progress progress) {
  for (Part& part : parts_) {
    if (part.clip_norm) part.optimizer->clip_gradient_norm(*part.clip_norm);
    if (part.clip_value) part.optimizer->clip_gradient_value(*part.clip_value);
    part.optimizer->step(part.group.empty() ? learning_rate : part.schedule(progress));
  }
}

bool Optimizers::finite() const {
  return std::ranges::all_of(parts_, [](const Part& part) { return std::isfinite(part.optimizer->last_gradient_norm()); });
}

std::vector<ad::Optimizer::State> Optimizers::state() {
  std::vector<ad::Optimizer::State> all;
  for (Part& part : parts_)
    for (ad::Optimizer::State& s : part.optimizer->state())
      all.push_back({part.group.empty() ? s.name : part.group + "." + s.name, s.values});
  return all;
}

void Optimizers::set_steps(std::int64_t steps) {
  for (Part& part : parts_) part.optimizer->set_steps(steps);
}

}  // namespace vaezoo
