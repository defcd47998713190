#pragma once
// What an experiment's "train", "evaluate" and "output" objects say. The field lists, with ranges and docs, are in
// train_config.cpp.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/fields.hpp"

namespace vaezoo {

// Each optimiser has a struct of its own, because the same field has another default in another one. Defaults are PyTorch's.

/// Adam (Kingma and Ba 2015). `weight_decay` is the L2 term that is added to the gradient.
struct AdamConfig {
  double learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
  void fields(Fields& f);
};
/// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
struct AdamWConfig {
  double learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 1e-2;
  void fields(Fields& f);
};
/// Adam with the infinity norm (Kingma and Ba 2015, section 7.1).
struct AdamaxConfig {
  double learning_rate = 2e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
  void fields(Fields& f);
};
struct SgdConfig {
  double learning_rate = 1e-3, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
  void fields(Fields& f);
};
struct RmspropConfig {
  double learning_rate = 1e-2, alpha = 0.99, epsilon = 1e-8, weight_decay = 0, momentum = 0;
  bool centered = false;
  void fields(Fields& f);
};

/// "optimizer": `name` says which of the structs counts.
struct OptimizerConfig {
  std::string name = "adam";  ///< adam, adamw, adamax, sgd or rmsprop
  AdamConfig adam;
  AdamWConfig adamw;
  AdamaxConfig adamax;
  SgdConfig sgd;
  RmspropConfig rmsprop;

  std::vector<Alternative> alternatives();
  double learning_rate() const;  ///< of the chosen optimiser
};

// Schedules multiply the optimiser's learning rate. Epochs count from 0.

/// times `gamma` every `every` epochs
struct StepScheduleConfig {
  std::int64_t every = 30;
  double gamma = 0.1;
  void fields(Fields& f);
};
/// times `gamma` when each of the epochs `milestones` begins; they ascend
struct MultiStepScheduleConfig {
  std::vector<std::int64_t> milestones = {30, 60};
  double gamma = 0.1;
  void fields(Fields& f);
};
/// times `gamma` every epoch
struct ExponentialScheduleConfig {
  double gamma = 0.95;
  void fields(Fields& f);
};
/// half a cosine over the whole training, from 1 to `final_fraction` of the learning rate
struct CosineScheduleConfig {
  double final_fraction = 0;
  void fields(Fields& f);
};
/// Super-convergence (Smith and Topin 2018) over the whole training, with cosine arcs: from learning_rate / `start_divisor` up
/// to learning_rate during the first `rise` of the steps, then down to learning_rate / (`start_divisor` * `final_divisor`).
struct OneCycleScheduleConfig {
  double rise = 0.3, start_divisor = 25, final_divisor = 1e4;
  void fields(Fields& f);
};
/// times `factor` when the validation metric has not fallen by the relative `threshold` for more than `patience` validations
struct PlateauScheduleConfig {
  double factor = 0.1, threshold = 1e-4, min_learning_rate = 0;
  std::int64_t patience = 10, cooldown = 0;
  void fields(Fields& f);
};

/// "schedule": `name` says which of the structs counts. Every schedule can be preceded by a linear warm-up.
struct ScheduleConfig {
  std::string name = "constant";  ///< constant, step, multi_step, exponential, cosine, one_cycle or reduce_on_plateau
  std::int64_t warmup_steps = 0;  ///< the learning rate rises linearly from 0 over this many steps
  StepScheduleConfig step;
  MultiStepScheduleConfig multi_step;
  ExponentialScheduleConfig exponential;
  CosineScheduleConfig cosine;
  OneCycleScheduleConfig one_cycle;
  PlateauScheduleConfig reduce_on_plateau;

  std::vector<Alternative> alternatives();
};

/// Which checkpoint is the best one, and when to give up waiting for a better one.
struct EarlyStoppingConfig {
  std::string metric = "loss";           ///< of the validation split: "loss", or "elbo", which a moving KL weight does not move
  std::optional<std::int64_t> patience;  ///< validations without improvement after which training stops; null never stops
  double min_delta = 0;                  ///< nats by which the metric must improve to count
  void fields(Fields& f);
};

/// "optimizers": {"discriminator": {"name": "adam", "learning_rate": 1e-4}}: what trains the parameters whose paths begin with the name.
struct GroupOptimizerConfig {
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  std::optional<double> clip_norm, clip_value;

  std::vector<Alternative> alternatives();
};

struct TrainConfig {
  std::string start_from;  ///< a run's folder or a .safetensors file, whose weights training begins with; empty: none
  std::int64_t epochs = 10;
  std::optional<std::int64_t> steps;  ///< when set, training ends after this many steps, whatever `epochs` says
  std::int64_t batch_size = 128;
  bool shuffle = true, drop_last = false;
  OptimizerConfig optimizer;
  std::map<std::string, GroupOptimizerConfig> optimizers;  ///< of groups of parameters; `optimizer` trains the others
  ScheduleConfig schedule;
  std::optional<double> clip_norm, clip_value;
  std::optional<double> ema_decay;
  EarlyStoppingConfig early_stopping;
  std::int64_t validate_every = 1;                     ///< epochs
  std::int64_t log_every = 50;                         ///< steps
  std::int64_t checkpoint_every = 1;                   ///< epochs
  std::optional<std::int64_t> checkpoint_every_steps;  ///< besides those after epochs
  void fields(Fields& f);
};

struct EvaluateConfig {
  std::vector<std::string> splits = {"validation", "test"};
  std::int64_t batch_size = 100;
  std::int64_t kl_split = 1000;           ///< draws at which the KL is split in three; 0 leaves it out
  std::int64_t importance_samples = 100;  ///< K of the log-likelihood estimate; 0 leaves it out
  std::int64_t chunk = 50;                ///< of the K samples, how many are evaluated side by side
  std::int64_t classifier_epochs = 0;     ///< of the classifier that judges class-conditional samples; 0 leaves it out
  double active_threshold = 0.01;         ///< Burda et al. 2016: a unit is active when Var_x E_q[z] exceeds this
  double active_kl = 0.01;                ///< nats; where the prior is conditional, a unit is active when E_x KL(q || p(z | ...)) exceeds this
  void fields(Fields& f);
};

struct OutputConfig {
  std::int64_t samples = 64, reconstructions = 30;  ///< pictures in each grid; 0 leaves the grid out
  bool latent_map = true, tensorboard = true, report = true;
  void fields(Fields& f);
};

}  // namespace vaezoo
