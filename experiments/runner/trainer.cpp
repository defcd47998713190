#include "experiments/runner/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "config/printable.hpp"
#include "experiments/output/console.hpp"
#include "experiments/runner/checks.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/interrupt.hpp"
#include "experiments/runner/start_from.hpp"
#include "experiments/runner/training_state.hpp"

namespace vaezoo {
namespace {

using ad::cat;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The names of the loss and the terms are those of the first step; later steps only fill in values.
void set_metrics(std::vector<Metric>& metrics, const Objective& objective) {
  if (metrics.empty()) {
    metrics.push_back({"loss", 0});
    for (const Term& t : objective.report()) metrics.push_back({t.name, 0});
  }
  metrics[0].value = double(objective.loss.item());
  for (std::size_t i = 0; i < objective.term_count; ++i) metrics[i + 1].value = double(objective.terms[i].value.item());
}

/// Where the gradients' norm is lost: in a gradient that is not finite, or in the squares of finite ones.
std::string about_gradients(ad::ParameterStore& store) {
  if (const std::string path = store.first_nonfinite_gradient(); !path.empty())
    return cat("not a finite number, first in the gradient of ", path);
  Real largest = 0;
  std::string path;
  for (ad::Parameter& p : store.all()) {
    if (p.is_buffer()) continue;
    for (const Real g : p.gradient())
      if (std::abs(g) >= largest) largest = std::abs(g), path = p.path();
  }
  return cat("the squares of the gradients overflow, the largest is ", largest, " in the gradient of ", path);
}

}  // namespace

Trainer::Trainer(Session& session, RunFolder folder, Options options)
    : session_(session), folder_(std::move(folder)), options_(options),
      feed_(session.data, Split::train,
            {.batch_size = session.config.train.batch_size,
             .shuffle = session.config.train.shuffle,
             .drop_last = session.config.train.drop_last},
            session.keys.order()) {
  const TrainConfig& train = session_.config.train;
  check_before_training(session_);
  if (!options.resume && !train.start_from.empty()) {
    take_start_weights(session_);  // what they do not have still starts from data, and may start from what these weights make of them
    initialize();
    const std::string sentence = take_start_weights(session_);
    if (!options.quiet) tell(printable(sentence) + "\n");
  }
  const double rate = state_.learning_rate = train.optimizer.learning_rate();
  optimizers_.emplace(train, session_.store, total_steps());
  if (train.schedule.name == "reduce_on_plateau") {
    const PlateauScheduleConfig& p = train.schedule.reduce_on_plateau;
    plateau_.emplace(rate, ad::ReduceOnPlateau::Options{.factor = p.factor,
                                                        .patience = p.patience,
                                                        .threshold = p.threshold,
                                                        .cooldown = p.cooldown,
                                                        .min_rate = p.min_learning_rate});
  }
  if (train.ema_decay) average_.emplace(session_.store, ad::AveragingOptions{.decay = *train.ema_decay});
  if (options.resume) load();
}

const std::vector<std::string>& Trainer::open_logs() {
  const TrainConfig& train = session_.config.train;
  log_.emplace(folder_.path, options_.resume ? std::optional(LogMark{state_.step, state_.log_bytes}) : std::nullopt);
  if (session_.config.output.tensorboard)
    events_.emplace(folder_.tensorboard(), options_.resume ? std::optional(state_.step) : std::nullopt);
  progress_ = std::make_unique<Progress>(
      progress_on_stderr(options_.quiet),
      ProgressPlan{
          .steps = total_steps(), .epochs = train.steps ? 0 : train.epochs, .first_step = state_.step,
          .first_epoch = state_.epoch + (state_.batch > 0 ? 1 : 0), .items = "examples"});
  return log_->remarks();
}

std::int64_t Trainer::total_steps() const {
  const TrainConfig& train = session_.config.train;
  return train.steps.value_or(train.epochs * static_cast<std::int64_t>(feed_.batches().per_epoch()));
}

Position Trainer::position() const {
  return {.step = state_.step,
          .epoch = static_cast<double>(state_.epoch) +
                   static_cast<double>(state_.batch) / static_cast<double>(feed_.batches().per_epoch())};
}

double Trainer::learning_rate() const {
  const double scheduled = optimizers_->learning_rate({.step = state_.step, .epoch = state_.epoch});
  // While the plateau schedule warms up, the warm-up rules; its own rate is a factor on the optimiser's.
  return plateau_ ? scheduled * plateau_->rate() / session_.config.train.optimizer.learning_rate() : scheduled;
}

void Trainer::initialize() {
  const Index wanted = std::min(session_.model->initial_examples(), session_.data.train.size());
  if (wanted == 0) return;
  Feed first(session_.data, Split::train, {.batch_size = wanted}, session_.keys.initial());
  first.next();
  Tape tape(ad::Grad::off);
  session_.model->initialize({tape, false, session_.keys.initial().fold("examples")}, first.batch(tape));
}

Outcome Trainer::run() {
  if (state_.step == 0 && session_.config.train.start_from.empty()) initialize();
  const std::optional<std::int64_t>& patience = session_.config.train.early_stopping.patience;
  while (state_.step < total_steps()) {
    if (patience && state_.waited >= *patience) {  // asked first, so that a run which stopped here stops again when resumed
      save();
      progress_->finish(shown_);
      return Outcome::stopped_early;
    }
    if (!epoch_of_steps()) return Outcome::interrupted;
    if (epoch_is_over()) end_epoch();
  }
  save();
  progress_->finish(shown_);
  return Outcome::finished;
}

bool Trainer::epoch_of_steps() {
  const TrainConfig& train = session_.config.train;
  feed_.batches().start(state_.epoch);
  feed_.batches().seek(state_.batch);
  double started = now();
  const auto keep_time = [&] {
    const double t = now();
    state_.seconds += t - started;
    started = t;
  };
  while (state_.step < total_steps()) {
    const Index count = feed_.next();
    if (count == 0) break;
    step(count);
    ++state_.step;
    ++state_.batch;
    progress_->advance(state_.epoch + 1, count, shown_);
    const bool interrupted = signal_received() != 0;
    // The last step of an epoch is saved when the epoch's records are written.
    const bool save_now = interrupted || (save_due() && !epoch_is_over());
    if (state_.step % train.log_every == 0 || save_now) keep_time();
    if (state_.step % train.log_every == 0) log_step(learning_rate());
    if (save_now) save();
    if (interrupted) return false;
  }
  keep_time();
  return true;
}

void Trainer::check_terms(const Objective& objective) const {
  if (state_.sums.empty()) return;
  std::vector<std::string> then, now{"loss"};
  for (const Metric& m : state_.sums) then.push_back(m.name);
  for (const Term& t : objective.report()) now.emplace_back(t.name);
  if (then != now)
    throw FileError(cat(folder_.state().string(), ": tells of an epoch with the terms ", listed(then), ", and the model's are ", listed(now),
                        "; it does not belong to this run's config.json, or was changed by hand"));
}

bool Trainer::save_due() const {
  const auto& every = session_.config.train.checkpoint_every_steps;
  return every && state_.step % *every == 0;
}

void Trainer::step(Index count) {
  tape_.reset();
  session_.store.zero_grad();
  const Context c{tape_, true, session_.keys.noise().fold(static_cast<std::uint64_t>(state_.step)), position()};
  const Objective objective = session_.model->objective(c, feed_.batch(tape_));
  if (step_metrics_.empty()) check_terms(objective);
  set_metrics(step_metrics_, objective);
  for (const Loss& loss : objective.losses())
    if (!std::isfinite(loss.value.item())) diverged(cat("not a finite number, first in ", tape_.first_nonfinite()));

  for (const Loss& loss : objective.losses()) tape_.backward(loss.value, loss.groups);
  optimizers_->step(learning_rate(), {.step = state_.step, .epoch = state_.epoch});
  tape_.commit();
  if (!optimizers_->finite()) diverged(about_gradients(session_.store));
  if (average_) average_->update();

  if (state_.sums.empty()) {
    state_.sums = step_metrics_;
    for (Metric& m : state_.sums) m.value = 0;
  }
  for (std::size_t i = 0; i < step_metrics_.size(); ++i)
    state_.sums[i].value += step_metrics_[i].value * static_cast<double>(count);
  state_.examples += static_cast<double>(count);
  if (shown_.empty()) shown_ = step_metrics_;
  for (std::size_t i = 0; i < shown_.size() && i < state_.sums.size(); ++i)
    shown_[i].value = state_.sums[i].value / state_.examples;
}

void Trainer::diverged(const std::string& where) {
  const bool saved = std::filesystem::exists(folder_.state());
  std::string advice = about_scale(session_.data);
  if (advice.empty() && state_.step > 0) advice = "a smaller learning rate or train.clip_norm may help";  // before a step no rate counts
  throw DivergedError(cat("training diverged at step ", state_.step + 1, " (epoch ", state_.epoch + 1, "): ", where,
                          saved ? "; the last checkpoint is of before" : "; no checkpoint was saved yet",
                          advice.empty() ? "" : "; ", advice));
}

void Trainer::log_step(double rate) {
  std::vector<Metric> values = step_metrics_;
  values.push_back({"learning_rate", rate});
  values.push_back({"gradient_norm", optimizers_->last_gradient_norm()});
  log_->write({.step = state_.step,
               .epoch = state_.epoch + 1,
               .split = "train",
               .time = state_.seconds,
               .epoch_end = false,
               .values = values});
  if (!events_) return;
  for (Metric& m : values) m.name = "step/" + m.name;
  events_->scalars(state_.step, values);
}

std::vector<Metric> Trainer::epoch_means() const {
  std::vector<Metric> means = state_.sums;
  for (Metric& m : means) m.value /= state_.examples;
  return means;
}

void Trainer::end_epoch() {
  const TrainConfig& train = session_.config.train;
  ++state_.epoch;
  state_.batch = 0;
  const std::vector<Metric> means = epoch_means();
  log_->write(
      {.step = state_.step, .epoch = state_.epoch, .split = "train", .time = state_.seconds, .epoch_end = true, .values = means});
  if (events_) {
    std::vector<Metric> tagged = means;
    for (Metric& m : tagged) m.name = "train/" + m.name;
    events_->scalars(state_.step, tagged);
  }
  state_.examples = 0;
  state_.sums.clear();
  if (session_.data.validation.size() > 0 && state_.epoch % train.validate_every == 0) validate();
  progress_->end_epoch(shown_);
  if (state_.epoch % train.checkpoint_every == 0 || save_due()) save();
}

void Trainer::validate() {
  const double started = now();
  EvaluationOptions options = evaluation_options(session_.config.evaluate, position());
  options.importance_samples = options.kl_split = 0;
  std::optional<ad::WeightAverage::Swapped> averaged;
  if (average_) averaged.emplace(*average_);
  const Evaluation e =
      evaluate(*session_.model, session_.data, Split::validation, options, session_.keys.evaluation(Split::validation));
  state_.seconds += now() - started;
  const std::vector<Metric> values = e.metrics();
  log_->write({.step = state_.step,
               .epoch = state_.epoch,
               .split = "validation",
               .time = state_.seconds,
               .epoch_end = true,
               .values = values});
  if (events_) {
    std::vector<Metric> tagged = values;
    for (Metric& m : tagged) m.name = "validation/" + m.name;
    events_->scalars(state_.step, tagged);
  }
  const EarlyStoppingConfig& stopping = session_.config.train.early_stopping;
  const double metric = stopping.metric == "elbo" ? -*e.elbo : e.loss;
  if (plateau_) {
    plateau_->observe(metric);
    state_.plateau = plateau_->state();
  }
  ++state_.waited;
  if (metric < state_.best - stopping.min_delta || state_.best_step < 0 || stopping.metric == "latest" ||
      (stopping.metric == "loss" && !session_.model->loss_measures_progress())) {
    state_.best = metric;
    state_.best_step = state_.step;
    state_.waited = 0;
    make_folder(folder_.checkpoints());
    ad::save_parameters(session_.store, folder_.best(), checkpoint_metadata(session_, position()));
  }
  std::erase_if(shown_, [](const Metric& m) { return m.name == "validation"; });
  shown_.push_back({"validation", e.loss});
}

void Trainer::save() {
  log_->sync();
  if (events_) events_->sync();
  state_.log_bytes = log_->bytes();
  make_folder(folder_.checkpoints());
  save_training(folder_.state(), session_, state_, position(), *optimizers_, average_ ? &*average_ : nullptr);
  std::optional<ad::WeightAverage::Swapped> averaged;
  if (average_) averaged.emplace(*average_);
  ad::save_parameters(session_.store, folder_.last(), checkpoint_metadata(session_, position()));
}

void Trainer::load() {
  state_ = load_training(folder_.state(), session_, *optimizers_, average_ ? &*average_ : nullptr, feed_.batches().per_epoch());
  if (state_.step > total_steps())
    throw ConfigError(cat("train: the plan of ", total_steps(), " steps is shorter than the ", state_.step,
                          " steps that are done; set more train.epochs or train.steps"));
  const double rate = session_.config.train.optimizer.learning_rate();
  if (rate != state_.learning_rate) state_.plateau.rate *= rate / state_.learning_rate;
  state_.learning_rate = rate;
  // Of rate 0 before the first validation, and in a run that began with another schedule: then this one stands at its beginning.
  if (plateau_ && state_.plateau.rate > 0) plateau_->set_state(state_.plateau);
}

}  // namespace vaezoo
