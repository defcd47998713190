#pragma once
// What is said of a trained model, the same for every model.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "datasets/dataset.hpp"
#include "experiments/output/metric.hpp"
#include "models/model.hpp"

namespace vaezoo {

struct EvaluationOptions {
  Index batch_size = 100;
  Index importance_samples = 100;  ///< K of the log-likelihood; 0 leaves it out
  Index chunk = 50;                ///< of the K, how many side by side (memory)
  double active_threshold = 0.01;  ///< a unit is active when the variance of its posterior mean over the data exceeds this
  double active_kl = 0.01;         ///< ... where the prior is conditional (Model::conditional_prior): when its mean KL exceeds this, nats
  Index kl_split = 1000;           ///< draws at which the KL is split by the aggregate posterior; 0 leaves it out
  Position progress;               ///< where training stands: the objective's weights depend on it
};

/// Means over the examples of a split; nats per example unless said otherwise. What a model cannot answer is empty.
struct Evaluation {
  std::int64_t examples = 0;
  double loss = 0;                              ///< the model's own objective, z sampled
  std::optional<double> loss_mean_code;         ///< -ELBO with z = E[z | x] instead of a sample
  double reconstruction = 0;                    ///< E_q log p(x | z), one sample
  std::optional<double> kl;                     ///< KL(q(z | x) || p(z))
  /// The KL in three, of a model of one code with a normal q(z | x) and no condition. Hoffman & Johnson 2016; Chen et al. 2018.
  std::optional<double> mutual_information, total_correlation, dimension_wise_kl;
  std::optional<double> elbo, elbo_stderr;      ///< reconstruction - kl; its standard error over the examples
  std::optional<double> nll, nll_stderr;        ///< -log p(x), by importance sampling: an upper bound that falls as K grows
  std::optional<double> bits_per_dim;           ///< nll (or -elbo) / (D log 2); for discrete data
  std::optional<double> nll_per_token, perplexity;  ///< of sequences: nll (or -elbo) over the mean number of tokens with the end; e to it
  std::optional<double> mse;                    ///< squared error per data dimension of the reconstruction from the mean code; not of sequences
  std::optional<double> hidden_mse;             ///< the same of the numbers that dataset.cells hid; their values in the data set are the truth
  std::optional<std::int64_t> active_units;     ///< Burda et al. 2016, section 5; under a conditional prior by the KL
  std::optional<double> cluster_accuracy, cluster_nmi;  ///< of a model with clusters on data with labels, see clustering.hpp
  std::vector<bool> active;                     ///< which they are, [Z]
  std::vector<double> kl_per_dimension;         ///< [Z], or as ElboTerms has it
  std::vector<double> code_variance;            ///< Var_x E_q[z_d], [Z]
  std::vector<Level> levels;                    ///< the stochastic layers, as stretches of the Z
  std::vector<Metric> terms;                    ///< what the objective reports, and the numbers of each level
  std::optional<double> exact_nll;              ///< -log p(x) of the true distribution, where the data set knows it

  /// All of it by name, in the order above, with units and meanings, for logs, tables and summary.json.
  std::vector<Metric> metrics() const;
  /// Sentences about what looks wrong: a collapsed posterior, idle units.
  std::vector<std::string> warnings() const;
};

/// Runs over the split once in order. The noise of example i depends on key, the batch size and i. Throws DivergedError
/// when a number is not finite.
Evaluation evaluate(const Model& model, const Dataset& data, Split split, const EvaluationOptions& options, Key key);

/// The loss and the terms of the objective for the first training example, with their units and meanings: they explain the
/// numbers of a run's log, which has names only.
std::vector<Metric> objective_metrics(const Model& model, const Dataset& data, Key key);

/// The noise of a split's batch `number`, of an evaluation with `key`: of its ELBO and of its importance samples.
struct BatchKeys {
  Key elbo, nll;
};
BatchKeys batch_keys(Key key, std::uint64_t number);

/// log p(x) of each example of `batch`, which puts it on a tape, estimated with K samples in chunks: logsumexp_k log w_k - log K. [B]
/// Resets the tape (of Grad::off), whose memory serves all chunks and the caller's next batches.
std::vector<double> importance_log_likelihood(const Model& model, Tape& tape, const std::function<Minibatch(Tape&)>& batch,
                                              Index samples, Index chunk, Key key);

}  // namespace vaezoo
