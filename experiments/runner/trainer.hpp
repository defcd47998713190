#pragma once
// Trains a session's model: steps, validation, checkpoints, logs. Everything that decides the next number is in
// TrainingState, the parameters and the optimiser, so a run that was stopped anywhere goes on bit for bit.
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "autodiff/averaging.hpp"
#include "autodiff/schedules.hpp"
#include "experiments/output/metrics_log.hpp"
#include "experiments/output/progress.hpp"
#include "experiments/output/tensorboard.hpp"
#include "experiments/runner/feed.hpp"
#include "experiments/runner/optimizers.hpp"
#include "experiments/runner/run_folder.hpp"
#include "experiments/runner/session.hpp"

namespace vaezoo {

struct TrainingState {
  std::int64_t step = 0;    ///< updates done
  std::int64_t epoch = 0;   ///< epochs finished
  std::int64_t batch = 0;   ///< batches of the current epoch done
  double seconds = 0;       ///< of training, over all processes
  double best = std::numeric_limits<double>::infinity();  ///< the best validation metric; smaller is better
  std::int64_t best_step = -1;                             ///< its step; -1: none yet
  std::int64_t waited = 0;                                 ///< validations since then
  ad::ReduceOnPlateau::State plateau{0, std::numeric_limits<double>::infinity()};  ///< of rate 0 before the first validation
  double learning_rate = 0;  ///< that plateau's rate began with
  // The current epoch's means so far: sums over examples of the loss and the objective's terms.
  double examples = 0;
  std::vector<Metric> sums;
  std::int64_t log_bytes = 0;  ///< of metrics.jsonl when this was saved: what lies after it is computed again
};

enum class Outcome { finished, stopped_early, interrupted };

class Trainer {
 public:
  struct Options {
    bool quiet = false;
    bool resume = false;  ///< go on from the folder's state
  };
  /// Writes nothing. Throws ConfigError for what check_before_training refuses, FileError when the state is damaged or of another
  /// model.
  Trainer(Session& session, RunFolder folder, Options options);

  /// Opens the logs of the run, which must be done before `run`; returns sentences about a log that was damaged. Throws FileError.
  const std::vector<std::string>& open_logs();

  /// Trains to the end of the plan, to early stopping or to a signal; the state is saved at each. Throws DivergedError when a loss
  /// or gradient is not finite: it names the first, and the last checkpoint stands as it was.
  Outcome run();

  const TrainingState& state() const { return state_; }
  Position position() const;
  Progress& progress() { return *progress_; }
  EventWriter* events() { return events_ ? &*events_ : nullptr; }

 private:
  bool epoch_of_steps();         ///< false when a signal ended it; the state is saved then
  void initialize();             ///< what the model takes from the data before the first step
  void step(Index count);
  void check_terms(const Objective& objective) const;  ///< are they those of the epoch that a state tells of?
  void end_epoch();
  void validate();
  void save();                   ///< the logs first, so that no state knows more than they
  void load();
  bool save_due() const;         ///< does train.checkpoint_every_steps ask for this step?
  bool epoch_is_over() const { return state_.batch == feed_.batches().per_epoch(); }
  void log_step(double learning_rate);
  double learning_rate() const;
  std::int64_t total_steps() const;
  [[noreturn]] void diverged(const std::string& where);
  std::vector<Metric> epoch_means() const;

  Session& session_;
  RunFolder folder_;
  Options options_;
  Feed feed_;
  std::optional<Optimizers> optimizers_;
  std::optional<ad::ReduceOnPlateau> plateau_;
  std::optional<ad::WeightAverage> average_;
  Tape tape_;
  TrainingState state_;
  std::vector<Metric> step_metrics_;  ///< of the last step: loss, terms
  std::vector<Metric> shown_;         ///< what the progress line shows
  std::optional<MetricsLog> log_;
  std::optional<EventWriter> events_;
  std::unique_ptr<Progress> progress_;
};

}  // namespace vaezoo
