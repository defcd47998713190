#include "experiments/runner/checks.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "config/printable.hpp"
#include "config/range.hpp"
#include "experiments/runner/classifier.hpp"
#include "experiments/runner/feed.hpp"
#include "experiments/runner/run_tasks.hpp"

namespace vaezoo {
namespace {

using ad::cat;

void refuse(bool bad, const std::string& sentence) {
  if (bad) throw ConfigError(sentence);
}

void check_splits(const Session& s) {
  const TrainConfig& train = s.config.train;
  const Index examples = s.data.train.size();
  refuse(examples == 0 || (train.drop_last && examples < train.batch_size),
         cat("train.batch_size: the training split of ", s.data.name, " has ", examples,
             " examples, not enough for one batch of ", train.batch_size));
  const bool watched = s.data.validation.size() > 0;
  refuse(train.schedule.name == "reduce_on_plateau" && !watched,
         "train.schedule: reduce_on_plateau watches the validation split, which is empty; set dataset.validation");
  refuse(train.early_stopping.patience && !watched,
         "train.early_stopping: watches the validation split, which is empty; set dataset.validation");
  refuse(s.data.train.hidden() > 0 && !s.model->takes_hidden_x(),
         cat("dataset.inputs.keep: ", s.config.model_name, " needs the numbers of every training example, and ", s.data.train.hidden(),
             " have only their label; choose the model mvae, or leave dataset.inputs out"));
  const Index missing = s.data.train.missing_cells() + s.data.validation.missing_cells() + s.data.test.missing_cells();
  refuse(missing > 0 && !s.model->takes_mask(),
         cat("dataset: ", missing, " numbers are missing, and ", s.config.model_name, " needs all of them; choose vae, a preset of it or a hierarchy"));
  const bool by_moving_loss = train.early_stopping.metric == "loss" && !s.model->loss_measures_progress();
  refuse(by_moving_loss && (train.early_stopping.patience || train.schedule.name == "reduce_on_plateau"),
         cat("train.early_stopping.metric: the loss of ", s.config.model_name,
             " is measured by features that are trained themselves, so that its fall says nothing; set elbo"));
  refuse(train.early_stopping.metric == "elbo" && !s.model->has_density(),
         cat("train.early_stopping.metric: ", s.config.model_name, " has no elbo; use \"loss\""));
}

/// Batch normalisation needs two rows, and an epoch's last batch can have only one: the model is asked whether it takes one.
void check_batch_of_one(Session& s) {
  const TrainConfig& train = s.config.train;
  const Index examples = s.data.train.size();
  const bool last_of_one = examples % train.batch_size == 1 && !train.drop_last;
  if (train.batch_size > 1 && !last_of_one) return;
  Feed feed(s.data, Split::train, {.batch_size = 1, .prefetch = false}, s.keys.order());
  feed.next();
  ad::Tape tape(ad::Grad::off);  // what the step would change beyond gradients waits for a commit that does not come
  try {
    s.model->objective({tape, true, s.keys.noise()}, feed.batch(tape));
  } catch (const ad::Error& e) {
    const std::string why = std::string_view(e.what()).starts_with("[batch_norm]")
                                ? "which batch normalisation cannot take"
                                : cat("which the model cannot take: ", e.what());
    refuse(train.batch_size == 1, cat("train.batch_size: 1, ", why, "; set 2 or more"));
    refuse(true, cat("train.batch_size: ", examples, " examples leave a last batch of one, ", why,
                     "; set train.drop_last or another batch_size"));
  }
}

}  // namespace

void check_evaluation(const Session& s) {
  const std::vector<std::string>& splits = s.config.evaluate.splits;
  if (s.config.evaluate.classifier_epochs == 0) return;
  refuse(s.model->conditioning() != Conditioning::labels && (s.data.modalities.empty() || !s.model->takes_mask()),
         cat("evaluate.classifier_epochs: ", s.config.model_name,
             " is not conditioned on labels and makes no modality from others, so there is nothing to judge; set it to 0"));
  refuse(s.data.classes == 0, cat("evaluate.classifier_epochs: ", s.data.name, " has no labels for a classifier to learn; set it to 0"));
  refuse(fully_observed(s.data).empty(),
         "evaluate.classifier_epochs: no training example has both its numbers and its label, so a classifier has nothing to learn; set it to 0, or "
         "keep more of dataset.labels or dataset.inputs");
  refuse(s.data.test.size() == 0,
         "evaluate.classifier_epochs: samples are judged together with the test split, which is empty; set it to 0, or set dataset.test");
  refuse(std::ranges::find(splits, "test") == splits.end(),
         "evaluate.classifier_epochs: samples are judged together with the test split, which evaluate.splits leaves out; set it to 0, or add \"test\"");
}

void check_before_training(Session& session) {
  check_splits(session);
  check_evaluation(session);
  check_tasks(session);
  check_batch_of_one(session);
}

std::string about_scale(const Dataset& data) {
  constexpr Real kLarge = 100;  // standardised columns reach 10 at most
  if (data.train.is_bytes() || !data.mean.empty()) return "";  // in [0, 1]; standardised
  const auto width = static_cast<std::size_t>(data.train.item_size());
  std::vector<Real> x(width), low(width), high(width);
  for (Index i = 0; i < data.train.size(); ++i) {
    data.train.read(i, x);
    for (std::size_t d = 0; d < width; ++d) {
      low[d] = i == 0 ? x[d] : std::min(low[d], x[d]);
      high[d] = i == 0 ? x[d] : std::max(high[d], x[d]);
    }
  }
  std::size_t widest = 0;
  const auto reach = [&](std::size_t d) { return std::max(std::abs(low[d]), std::abs(high[d])); };
  for (std::size_t d = 1; d < width; ++d)
    if (reach(d) > reach(widest)) widest = d;
  if (width == 0 || reach(widest) <= kLarge) return "";
  const bool can_be_scaled = data.name == "csv" || data.name == "npy";
  const std::string name = widest < data.column_names.size() ? excerpt(data.column_names[widest]) : cat(widest);
  return cat(data.is_image ? "value " : "column ", name, " of the training data reaches from ", shortest(double(low[widest])), " to ",
             shortest(double(high[widest])), ", and networks expect numbers around 1; ",
             can_be_scaled ? "set dataset.standardize" : "scale the data");
}

}  // namespace vaezoo
