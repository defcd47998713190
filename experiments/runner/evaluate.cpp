#include "experiments/runner/evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "experiments/runner/aggregate_posterior.hpp"
#include "experiments/runner/clustering.hpp"
#include "experiments/runner/detection.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/feed.hpp"
#include "models/parts/terms.hpp"
#include "models/parts/tokens.hpp"

namespace vaezoo {
namespace {

/// A mean that is built up one number at a time, and the variance about it (Welford 1962).
struct Running {
  double count = 0, mean = 0, squares = 0;
  void add(double x) {
    count += 1;
    const double d = x - mean;
    mean += d / count;
    squares += d * (x - mean);
  }
  double variance() const { return count > 0 ? squares / count : 0; }
  double standard_error() const { return count > 1 ? std::sqrt(squares / (count - 1) / count) : 0; }
};

struct Sums {
  Running loss, reconstruction, kl, elbo, elbo_mean_code, nll, squared_error, hidden_error, exact, tokens;
  std::vector<Running> code, kl_per_dimension;
  std::vector<std::pair<Metric, Running>> terms;  ///< the objective's, each with its mean
  struct {
    std::vector<double> elbo, reconstruction, kl, nll;  ///< of each example
    std::vector<std::uint8_t> anomaly;
  } scores;  ///< of data with anomalies
};

Metric metric(const Term& term, double value) { return {term.name, value, term.unit, term.meaning}; }

/// Adds the numbers of x, [B, Z], to one running mean per column.
void add_columns(Var x, std::vector<Running>& columns) {
  const Index width = x.shape().back();
  columns.resize(static_cast<std::size_t>(width));
  for (Index i = 0; i < x.size(); ++i) columns[static_cast<std::size_t>(i % width)].add(double(x.data()[i]));
}

void add_objective(const Model& model, const Context& c, const Minibatch& batch, Sums& sums) {
  const Objective objective = model.objective(c, batch);
  const Index count = batch.x.shape()[0];
  if (sums.terms.empty())
    for (const Term& term : objective.report()) sums.terms.emplace_back(metric(term, 0), Running());
  for (Index i = 0; i < count; ++i) {  // a batch's mean counts once for each of its examples
    sums.loss.add(double(objective.loss.item()));
    for (std::size_t t = 0; t < objective.term_count; ++t) sums.terms[t].second.add(double(objective.terms[t].value.item()));
  }
}

void add_elbo(const Model& model, const Context& c, const Minibatch& batch, Sums& sums) {
  const ElboTerms sampled = model.elbo(c, batch, Code::sample), at_mean = model.elbo(c, batch, Code::mean);
  for (Index i = 0; i < batch.x.shape()[0]; ++i) {
    const double r = double(sampled.reconstruction.data()[i]), k = double(sampled.kl.data()[i]);
    sums.reconstruction.add(r);
    sums.kl.add(k);
    sums.elbo.add(r - k);
    sums.scores.reconstruction.push_back(-r);
    sums.scores.kl.push_back(k);
    sums.scores.elbo.push_back(k - r);
    sums.elbo_mean_code.add(double(at_mean.reconstruction.data()[i]) - double(at_mean.kl.data()[i]));
  }
  if (sampled.kl_per_dimension) add_columns(sampled.kl_per_dimension, sums.kl_per_dimension);
}

void add_reconstruction(const Model& model, const Context& c, const Minibatch& batch, Var code, const Examples& examples,
                        std::span<const Index> rows, Sums& sums) {
  const Var mean = model.decode(c, code, batch);
  add_columns(code, sums.code);
  const auto size = static_cast<std::size_t>(batch.x.shape()[1]);
  const auto row_of = [size](Var v, std::size_t b) { return std::span<const Real>(v.value()).subspan(b * size, size); };
  std::vector<Real> truth(size);
  for (std::size_t b = 0; b < rows.size(); ++b) {
    const std::span<const Cell> cells = examples.cells(rows[b]);
    if (!cells.empty()) examples.read(rows[b], truth);
    const std::span<const Real> x = row_of(batch.x, b), r = row_of(mean, b);
    double error = 0, count = 0;
    for (std::size_t i = 0; i < size; ++i) {
      if (cells.empty() || cells[i] == Cell::observed) error += std::pow(double(r[i]) - double(x[i]), 2), ++count;
      else if (cells[i] == Cell::hidden) sums.hidden_error.add(std::pow(double(r[i]) - double(truth[i]), 2));
    }
    if (count > 0) sums.squared_error.add(error / count);
  }
}

void add_lengths(Var x, Sums& sums) {
  for (Index b = 0; b < x.shape()[0]; ++b) sums.tokens.add(double(sequence_length(sequence(x, b))));
}

void add_exact(const Dataset& data, Var x, Index count, Sums& sums) {
  const auto size = static_cast<std::size_t>(x.shape()[1]);
  for (Index i = 0; i < count; ++i)
    sums.exact.add(data.log_density(std::span<const Real>(x.value()).subspan(static_cast<std::size_t>(i) * size, size)));
}

/// Which latent units are active, level by level.
std::vector<bool> active_units(const Model& model, const Evaluation& e, const EvaluationOptions& options) {
  std::vector<bool> active(e.code_variance.size());
  for (std::size_t l = 0; l < e.levels.size(); ++l)
    for (auto d = static_cast<std::size_t>(e.levels[l].begin); d < static_cast<std::size_t>(e.levels[l].end); ++d)
      active[d] = model.conditional_prior(l) && d < e.kl_per_dimension.size() ? e.kl_per_dimension[d] > options.active_kl
                                                                               : e.code_variance[d] > options.active_threshold;
  return active;
}

/// The numbers of each stochastic layer, of a model that has several: its rate and how many of its units are active.
void add_levels(Evaluation& e) {
  if (e.levels.size() < 2) return;
  for (const Level& level : e.levels) {
    if (level.end <= std::ssize(e.kl_per_dimension))
      e.terms.push_back(metric(terms::level_rate(level.name)(Var()),
                               std::accumulate(e.kl_per_dimension.begin() + level.begin,
                                               e.kl_per_dimension.begin() + level.end, 0.0)));
    e.terms.push_back({"active_units_" + level.name,
                       double(std::count(e.active.begin() + level.begin, e.active.begin() + level.end, true)), "units",
                       "dimensions of level " + level.name + " that say something of x"});
  }
}

/// How well each score tells the anomalies.
void add_detection(Evaluation& e, const Sums& s, bool has_density) {
  const auto add = [&](const std::string& name, const std::vector<double>& scores, const std::string& what) {
    if (scores.empty()) return;
    e.terms.push_back({"auroc_" + name, auroc(scores, s.scores.anomaly), "", "area under the ROC curve of anomalies by " + what});
    e.terms.push_back({"auprc_" + name, average_precision(scores, s.scores.anomaly), "", "average precision of anomalies by " + what});
  };
  const auto anomalies = std::ranges::count(s.scores.anomaly, 1);
  if (anomalies == 0 || anomalies == std::ssize(s.scores.anomaly)) return;
  if (has_density) add("elbo", s.scores.elbo, "-ELBO");
  add("reconstruction", s.scores.reconstruction, "-log p(x|z)");
  if (!has_density) return;
  add("kl", s.scores.kl, "KL(q(z|x) || p(z))");
  add("nll", s.scores.nll, "-log p(x) by importance sampling");
}

Evaluation summarise(const Model& model, const Sums& s, const Dataset& data, const EvaluationOptions& options) {
  Evaluation e;
  e.examples = static_cast<std::int64_t>(s.loss.count);
  e.loss = s.loss.mean;
  e.reconstruction = s.reconstruction.mean;
  if (s.squared_error.count > 0) e.mse = s.squared_error.mean;
  if (s.hidden_error.count > 0) e.hidden_mse = s.hidden_error.mean;
  for (const auto& [term, value] : s.terms) {
    e.terms.push_back(term);
    e.terms.back().value = value.mean;
  }
  for (const Running& r : s.code) e.code_variance.push_back(r.variance());
  if (data.log_density) e.exact_nll = -s.exact.mean;
  add_detection(e, s, model.has_density());
  if (!model.has_density()) return e;

  e.kl = s.kl.mean;
  e.elbo = s.elbo.mean;
  e.elbo_stderr = s.elbo.standard_error();
  e.loss_mean_code = -s.elbo_mean_code.mean;
  for (const Running& r : s.kl_per_dimension) e.kl_per_dimension.push_back(r.mean);
  e.levels = model.levels();
  e.active = active_units(model, e, options);
  e.active_units = std::ranges::count(e.active, true);
  add_levels(e);
  if (s.nll.count > 0) {
    e.nll = s.nll.mean;
    e.nll_stderr = s.nll.standard_error();
  }
  if (s.tokens.count > 0) {
    e.nll_per_token = e.nll.value_or(-*e.elbo) / s.tokens.mean;
    e.perplexity = std::exp(*e.nll_per_token);
  }
  // Grey values as targets of a Bernoulli are no discrete data: their cross-entropy is not a code length.
  if (model.discrete() && data.levels > 0 && (data.levels == 2 || !model.binary()))
    e.bits_per_dim = e.nll.value_or(-*e.elbo) / (static_cast<double>(data.shape.size()) * std::log(2.0));
  return e;
}

}  // namespace

BatchKeys batch_keys(Key key, std::uint64_t number) {
  const Key batch = key.fold(number);
  return {batch.fold("elbo"), batch.fold("nll")};
}

std::vector<double> importance_log_likelihood(const Model& model, Tape& tape, const std::function<Minibatch(Tape&)>& batch,
                                              Index samples, Index chunk, Key key) {
  // log sum_k w_k as a running maximum and the sum of exp(log w_k - maximum).
  std::vector<double> top, sum;
  for (Index done = 0; done < samples; done += chunk) {
    const Index k = std::min(chunk, samples - done);
    tape.reset();
    const Context c{tape, false, key.fold(static_cast<std::uint64_t>(done))};
    const Var log_w = model.log_weights(c, batch(tape), k);
    top.resize(static_cast<std::size_t>(log_w.shape()[0]), -std::numeric_limits<double>::infinity());
    sum.resize(top.size(), 0);
    for (Index b = 0; b < log_w.shape()[0]; ++b) {
      for (Index i = 0; i < k; ++i) {
        const double w = double(log_w.data()[b * k + i]);
        double &m = top[static_cast<std::size_t>(b)], &s = sum[static_cast<std::size_t>(b)];
        if (w > m) {
          s = s * std::exp(m - w) + 1;
          m = w;
        } else if (w > -std::numeric_limits<double>::infinity()) {
          s += std::exp(w - m);
        }
      }
    }
  }
  std::vector<double> log_p(top.size());
  for (std::size_t b = 0; b < log_p.size(); ++b) log_p[b] = top[b] + std::log(sum[b]) - std::log(static_cast<double>(samples));
  return log_p;
}

Evaluation evaluate(const Model& model, const Dataset& data, Split split, const EvaluationOptions& options, Key key) {
  Feed feed(data, split, {.batch_size = options.batch_size}, key);
  Tape tape(ad::Grad::off);
  Sums sums;
  AggregatePosterior aggregate;
  std::vector<Index> clusters;
  std::vector<int> labels;
  const bool splits = options.kl_split > 0 && model.has_density() && model.levels().size() == 1 && model.conditioning() == Conditioning::none;
  std::uint64_t number = 0;
  while (const Index count = feed.next()) {
    tape.reset();
    const BatchKeys keys = batch_keys(key, number++);
    const Context c{tape, false, keys.elbo, options.progress};
    const Minibatch batch = feed.batch(tape);
    add_objective(model, c, batch, sums);
    add_elbo(model, c, batch, sums);
    const DiagonalNormal q = model.posterior(c, batch);
    if (data.vocabulary.empty()) {
      add_reconstruction(model, c, batch, q.mean, data.split(split), feed.batches().rows(), sums);
    } else {
      add_columns(q.mean, sums.code);
      add_lengths(batch.x, sums);
    }
    // A condition may tell the label itself.
    const bool judged = !batch.labels.empty() && model.conditioning() == Conditioning::none;
    if (const std::span<const Index> found = judged ? model.clusters(c, batch) : std::span<const Index>(); !found.empty()) {
      clusters.insert(clusters.end(), found.begin(), found.end());
      labels.insert(labels.end(), batch.labels.begin(), batch.labels.end());
    }
    if (splits && q.log_variance) aggregate.add(q);
    if (!std::isfinite(sums.loss.mean) || !std::isfinite(sums.elbo.mean))
      throw DivergedError(ad::cat("evaluation on the ", to_text(split), " split gives a number that is not finite, first in ",
                                  tape.first_nonfinite()));
    if (model.has_density() && options.importance_samples > 0)
      for (const double log_p : importance_log_likelihood(
               model, tape, [&](Tape& t) { return feed.batch(t); }, options.importance_samples, options.chunk, keys.nll))
        sums.nll.add(-log_p), sums.scores.nll.push_back(-log_p);
    if (!data.normal.empty())
      for (const int label : feed.batch(tape).labels) sums.scores.anomaly.push_back(label >= 0 && !data.normal[static_cast<std::size_t>(label)]);
    if (data.log_density) add_exact(data, feed.batch(tape).x, count, sums);
  }
  Evaluation e = summarise(model, sums, data, options);
  if (const std::optional<AggregateSplit> parts = aggregate.split(options.kl_split, key.fold("aggregate"))) {
    e.mutual_information = parts->mutual_information;
    e.total_correlation = parts->total_correlation;
    e.dimension_wise_kl = *e.kl - parts->mutual_information - parts->total_correlation;
  }
  if (!clusters.empty()) {
    const ClusterScores scores = cluster_scores(clusters, labels);
    e.cluster_accuracy = scores.accuracy;
    e.cluster_nmi = scores.nmi;
  }
  return e;
}

std::vector<Metric> objective_metrics(const Model& model, const Dataset& data, Key key) {
  Feed feed(data, Split::train, {.batch_size = 1}, key);
  feed.next();
  Tape tape;  // as in training: some terms are there for their gradient
  const Objective objective = model.objective({tape, false, key}, feed.batch(tape));
  std::vector<Metric> m{metric(terms::loss(objective.loss), double(objective.loss.item()))};
  for (const Term& term : objective.report()) m.push_back(metric(term, double(term.value.item())));
  return m;
}

std::vector<Metric> Evaluation::metrics() const {
  std::vector<Metric> m{metric(terms::loss({}), loss)};
  const auto add = [&m](const char* name, const auto& value, const char* unit, const char* meaning) {
    if (value) m.push_back({name, static_cast<double>(*value), unit, meaning});
  };
  add("loss_mean_code", loss_mean_code, "nats",
      "-ELBO with the mean code in place of a sample: no bound, but some codes report it");
  m.push_back(metric(terms::reconstruction({}), reconstruction));
  if (kl) m.push_back(metric(terms::kl({}), *kl));
  add("aggregate_mi", mutual_information, "nats", "part of kl: mutual information of x and z over the examples, at most the log of their number");
  add("aggregate_tc", total_correlation, "nats", "part of kl: total correlation of q(z), what the dimensions of z say of each other");
  add("aggregate_dwkl", dimension_wise_kl, "nats", "the rest of kl: how far each dimension's q(z_d) is from its prior");
  add("elbo", elbo, "nats", "reconstruction - kl, a lower bound of log p(x)");
  add("elbo_stderr", elbo_stderr, "nats", "standard error of elbo over the examples");
  add("nll", nll, "nats", "-log p(x) by importance sampling; lower is better");
  add("nll_stderr", nll_stderr, "nats", "standard error of nll over the examples");
  add("exact_nll", exact_nll, "nats", "-log p(x) under the true distribution: no model does better on average");
  add("bits_per_dim", bits_per_dim, "bits/dim", "nll (or -elbo) per data dimension; lower is better");
  add("nll_per_token", nll_per_token, "nats", "nll (or -elbo) over the tokens of the sequences with their ends; lower is better");
  add("perplexity", perplexity, "tokens", "e to the nll_per_token: as many equally likely tokens would be as hard to guess");
  add("mse", mse, "", "squared error per data dimension of the reconstruction from the mean code");
  add("hidden_mse", hidden_mse, "", "squared error of the reconstruction from the mean code, per number that dataset.cells hid");
  add("active_units", active_units, "units", "latent dimensions that say something of x");
  add("cluster_accuracy", cluster_accuracy, "", "share of the examples in their class's cluster, under the best match of clusters and classes");
  add("cluster_nmi", cluster_nmi, "", "mutual information of clusters and classes over the mean of their entropies");
  for (const Metric& t : terms)  // the family's own, unless the evaluation has its own estimate of the same name
    if (std::ranges::none_of(m, [&](const Metric& known) { return known.name == t.name; })) m.push_back(t);
  return m;
}

std::vector<std::string> Evaluation::warnings() const {
  std::vector<std::string> w;
  if (kl && *kl < 0.1)
    w.push_back(ad::cat("the posterior has collapsed: KL(q(z|x) || p(z)) is ", std::round(*kl * 1000) / 1000,
                        " nats, so z says nothing of x; try a KL warm-up, free bits or a smaller beta"));
  for (const Level& level : levels.size() < 2 ? std::vector<Level>{} : levels) {
    const auto rate = std::ranges::find(terms, "kl_" + level.name, &Metric::name);
    if (rate != terms.end() && rate->value < 0.1)
      w.push_back(ad::cat("level ", level.name, " has collapsed: its KL is ", std::round(rate->value * 1000) / 1000,
                          " nats, so it says nothing of x; try a KL warm-up, free bits or batch norm"));
  }
  if (active_units && *active_units < std::ssize(code_variance) && w.empty())
    w.push_back(ad::cat(*active_units, " of ", std::ssize(code_variance),
                        " latent units are active (above the threshold: the variance of the posterior mean, or where the prior is "
                        "conditional the KL)"));
  return w;
}

}  // namespace vaezoo
