#include "experiments/runner/train_config.hpp"

#include <algorithm>

namespace vaezoo {
namespace {

constexpr const char* kEpsilonDoc = "added to the denominator";
constexpr const char* kL2Doc = "L2 penalty, added to the gradient";

template <class Config>
void adam_fields(Fields& f, Config& c, const char* weight_decay_doc) {
  f("learning_rate", c.learning_rate, "step size", more_than(0));
  f("beta1", c.beta1, "decay of the gradient's running mean", below_one());
  f("beta2", c.beta2, "decay of the running mean of its square (adamax: of its maximum)", below_one());
  f("epsilon", c.epsilon, kEpsilonDoc, more_than(0));
  f("weight_decay", c.weight_decay, weight_decay_doc, at_least(0));
}

constexpr const char* kGammaDoc = "factor on the learning rate";

bool ascends(const std::vector<std::int64_t>& values) {
  return std::adjacent_find(values.begin(), values.end(), std::greater_equal<>()) == values.end();
}

}  // namespace

void AdamConfig::fields(Fields& f) { adam_fields(f, *this, kL2Doc); }
void AdamWConfig::fields(Fields& f) { adam_fields(f, *this, "weights shrink by learning_rate * weight_decay each step"); }
void AdamaxConfig::fields(Fields& f) { adam_fields(f, *this, kL2Doc); }

void SgdConfig::fields(Fields& f) {
  f("learning_rate", learning_rate, "step size", more_than(0));
  f("momentum", momentum, "decay of the running sum of gradients", below_one());
  f("dampening", dampening, "share of the gradient that momentum leaves out", between(0, 1));
  f("weight_decay", weight_decay, kL2Doc, at_least(0));
  f("nesterov", nesterov, "Nesterov momentum");
  f.require("nesterov", !nesterov || (momentum > 0 && dampening == 0), "needs a momentum above 0 and no dampening");
}

void RmspropConfig::fields(Fields& f) {
  f("learning_rate", learning_rate, "step size", more_than(0));
  f("alpha", alpha, "decay of the running mean of squared gradients", below_one());
  f("epsilon", epsilon, kEpsilonDoc, more_than(0));
  f("weight_decay", weight_decay, kL2Doc, at_least(0));
  f("momentum", momentum, "decay of the running sum of steps", below_one());
  f("centered", centered, "divide by the deviation of the gradient, not by its root mean square");
}

std::vector<Alternative> OptimizerConfig::alternatives() {
  return {alternative("adam", "Adam (Kingma and Ba 2015)", adam),
          alternative("adamw", "Adam with decoupled weight decay (Loshchilov and Hutter 2019)", adamw),
          alternative("adamax", "Adam with the infinity norm (Kingma and Ba 2015)", adamax),
          alternative("sgd", "stochastic gradient descent with momentum", sgd),
          alternative("rmsprop", "gradient over its root mean square (Hinton 2012)", rmsprop)};
}

double OptimizerConfig::learning_rate() const {
  if (name == "adamw") return adamw.learning_rate;
  if (name == "adamax") return adamax.learning_rate;
  if (name == "sgd") return sgd.learning_rate;
  if (name == "rmsprop") return rmsprop.learning_rate;
  return adam.learning_rate;
}

void StepScheduleConfig::fields(Fields& f) {
  f("every", every, "epochs between two falls", at_least(1));
  f("gamma", gamma, kGammaDoc, more_than(0));
}

void MultiStepScheduleConfig::fields(Fields& f) {
  f("milestones", milestones, "epochs, ascending, at which the learning rate falls", at_least(1));
  f("gamma", gamma, kGammaDoc, more_than(0));
  f.require("milestones", ascends(milestones), "each milestone must be later than the one before");
}

void ExponentialScheduleConfig::fields(Fields& f) { f("gamma", gamma, "factor on the learning rate each epoch", more_than(0)); }

void CosineScheduleConfig::fields(Fields& f) {
  f("final_fraction", final_fraction, "what is left of the learning rate at the end", between(0, 1));
}

void OneCycleScheduleConfig::fields(Fields& f) {
  f("rise", rise, "share of the steps in which the learning rate rises",
    Range{.low = 0, .high = 1, .low_open = true, .high_open = true});
  f("start_divisor", start_divisor, "training starts with learning_rate / start_divisor", at_least(1));
  f("final_divisor", final_divisor, "and ends with that divided by final_divisor", at_least(1));
}

void PlateauScheduleConfig::fields(Fields& f) {
  f("factor", factor, kGammaDoc, Range{.low = 0, .high = 1, .low_open = true, .high_open = true});
  f("patience", patience, "validations without improvement that are forgiven", at_least(0));
  f("threshold", threshold, "relative improvement that counts", at_least(0));
  f("cooldown", cooldown, "validations after a fall during which none are counted", at_least(0));
  f("min_learning_rate", min_learning_rate, "the learning rate falls no lower", at_least(0));
}

std::vector<Alternative> ScheduleConfig::alternatives() {
  const auto with_warmup = [this](std::string schedule, std::string doc, auto... config) -> Alternative {
    return {std::move(schedule), std::move(doc), [this, config...](Fields& f) {
              (config->fields(f), ...);
              f("warmup_steps", warmup_steps, "steps over which the learning rate first rises linearly from 0", at_least(0));
            }};
  };
  return {with_warmup("constant", "the same learning rate throughout"),
          with_warmup("step", "falls every so many epochs", &step),
          with_warmup("multi_step", "falls at given epochs", &multi_step),
          with_warmup("exponential", "falls by the same factor every epoch", &exponential),
          with_warmup("cosine", "half a cosine over the whole training", &cosine),
          with_warmup("one_cycle", "up and far down over the whole training (Smith and Topin 2018)", &one_cycle),
          with_warmup("reduce_on_plateau", "falls when the validation metric stops improving", &reduce_on_plateau)};
}

std::vector<Alternative> GroupOptimizerConfig::alternatives() {
  std::vector<Alternative> all = optimizer.alternatives();
  for (Alternative& one : all)
    one.fields = [this, optimizer_fields = std::move(one.fields)](Fields& f) {
      optimizer_fields(f);
      std::vector<Alternative> schedules = schedule.alternatives();
      std::erase_if(schedules, [](const Alternative& a) { return a.name == "reduce_on_plateau"; });  // it watches the whole model
      f.one_of("schedule", schedule.name, schedules, "how this learning rate changes during training");
      f("clip_norm", clip_norm, "largest norm of the gradient of these parameters together", more_than(0));
      f("clip_value", clip_value, "largest absolute value of an element of their gradient", more_than(0));
    };
  return all;
}

void EarlyStoppingConfig::fields(Fields& f) {
  f.choice("metric", metric, {"loss", "elbo", "latest"},
           "decides which checkpoint is the best: the least loss or the highest ELBO of the validation split, or, where neither can be compared over "
           "training (an adversary, a weight that moves), the latest");
  f("patience", patience, "validations without improvement after which training stops; null never stops", at_least(1));
  f("min_delta", min_delta, "nats by which the metric must improve to count", at_least(0));
  f.require("patience", !patience || metric != "latest", "waits for a better checkpoint, and by metric latest each is better; choose loss or elbo");
}

void TrainConfig::fields(Fields& f) {
  f("epochs", epochs, "passes over the training data", at_least(1));
  f("steps", steps, "when set, training ends after this many steps, whatever epochs says", at_least(1));
  f("batch_size", batch_size, "examples per step", between(1, 1e9));
  f("shuffle", shuffle, "a new order of the training data every epoch");
  f("drop_last", drop_last, "leave out an epoch's last batch when it is smaller than the others");
  f.one_of("optimizer", optimizer.name, optimizer.alternatives(), "how gradients become steps");
  f.entries("optimizers", optimizers, "GROUP",
            "optimisers of parts of the model; each trains the parameters whose paths begin with its name",
            [](Fields& g, const char* group, GroupOptimizerConfig& o) {
              g.one_of(group, o.optimizer.name, o.alternatives(), "how gradients of these parameters become steps");
            });
  f.one_of("schedule", schedule.name, schedule.alternatives(), "how the learning rate changes during training");
  f("clip_norm", clip_norm, "largest norm of the gradient of all parameters together", more_than(0));
  f("clip_value", clip_value, "largest absolute value of a gradient's element", more_than(0));
  f("ema_decay", ema_decay, "evaluate the running average of the weights, with this decay per step", below_one());
  f("early_stopping", early_stopping, "the best checkpoint, and when to stop waiting for a better one");
  f("validate_every", validate_every, "epochs between validations", at_least(1));
  f("log_every", log_every, "steps between two lines of metrics", at_least(1));
  f("checkpoint_every", checkpoint_every, "epochs between checkpoints", at_least(1));
  f("checkpoint_every_steps", checkpoint_every_steps, "also save after every so many steps", at_least(1));
  f("start_from", start_from, "a run's folder or a .safetensors file: its weights of equal name and shape are the first; empty: none");
}

void EvaluateConfig::fields(Fields& f) {
  f("splits", splits, "which of train, validation and test to evaluate after training");
  for (std::size_t i = 0; i < splits.size(); ++i) {
    const bool known = splits[i] == "train" || splits[i] == "validation" || splits[i] == "test";
    f.require("splits", known, "no split \"" + splits[i] + "\"; choices: train, validation, test");
    f.require("splits", std::count(splits.begin(), splits.end(), splits[i]) == 1, "names " + splits[i] + " twice");
  }
  f("batch_size", batch_size, "examples evaluated together", between(1, 1e9));
  f("classifier_epochs", classifier_epochs, "epochs of a classifier that judges class-conditional samples, or modalities that are made from others; 0 leaves it out",
    at_least(0));
  f("importance_samples", importance_samples, "samples K of the log-likelihood estimate; 0 leaves it out", between(0, 1e9));
  f("kl_split", kl_split,
    "draws at which the KL is split into mutual information, total correlation and dimension-wise KL, where the split has examples enough to tell "
    "(log N well above the first); 0 leaves it out",
    between(0, 1e9));
  f("chunk", chunk, "of the K samples, how many are evaluated side by side", between(1, 1e9));
  f("active_threshold", active_threshold, "a latent unit is active when the variance of its mean exceeds this", at_least(0));
  f("active_kl", active_kl, "where the prior is conditional, a latent unit is active when its KL exceeds this many nats", at_least(0));
}

void OutputConfig::fields(Fields& f) {
  f("samples", samples, "images drawn from the prior; 0 for none", between(0, 100'000));
  f("reconstructions", reconstructions, "test images shown with their reconstructions; 0 for none", between(0, 100'000));
  f("latent_map", latent_map, "a map of the latent space, coloured by label");
  f("tensorboard", tensorboard, "write TensorBoard event files");
  f("report", report, "write report.html");
}

}  // namespace vaezoo
