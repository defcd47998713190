#include "experiments/tasks/disentanglement_measures.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "experiments/tasks/linear_classifiers.hpp"
#include "experiments/tasks/roc.hpp"

namespace vaezoo {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// -sum p log p of counts.
double entropy_of(const std::vector<double>& counts) {
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  double h = 0;
  for (const double c : counts)
    if (c > 0) h -= c / total * std::log(c / total);
  return h;
}

double discrete_information(const std::vector<int>& a, int a_count, const std::vector<int>& b, int b_count) {
  std::vector<double> joint(at(Index{a_count} * b_count), 0), left(at(a_count), 0), right(at(b_count), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    ++joint[at(Index{a[i]} * b_count + b[i])];
    ++left[at(a[i])];
    ++right[at(b[i])];
  }
  return std::max(0.0, entropy_of(left) + entropy_of(right) - entropy_of(joint));
}

std::vector<double> standard_deviations(const Matrix& codes, Index begin, Index end) {
  std::vector<double> out;
  for (Index d = 0; d < codes.columns; ++d) {
    double mean = 0, squares = 0;
    for (Index i = begin; i < end; ++i) mean += codes(i, d) / static_cast<double>(end - begin);
    for (Index i = begin; i < end; ++i) squares += std::pow(codes(i, d) - mean, 2);
    out.push_back(std::sqrt(squares / static_cast<double>(end - begin - 1)));
  }
  return out;
}

/// The first and the second largest of column k.
std::pair<double, double> top_two(const Matrix& m, Index k) {
  double first = -INFINITY, second = -INFINITY;
  for (Index d = 0; d < m.rows; ++d) {
    const double v = m(d, k);
    if (v > first) second = std::exchange(first, v);
    else second = std::max(second, v);
  }
  return {first, m.rows > 1 ? second : 0};
}

/// Calls f(factors of some batches, the one factor of each that is to be shared, key) until `batches` are done: some thousand rows at a time.
template <class F>
void for_shared(const std::vector<int>& counts, Index batches, Index batch, Key key, const F& f) {
  const Index some = std::max<Index>(1, 4096 / batch);
  for (Index begin = 0; begin < batches; begin += some) {
    const Key own = key.fold(static_cast<std::uint64_t>(begin));
    std::vector<int> shared;
    for (Index b = 0; b < std::min(some, batches - begin); ++b)
      shared.push_back(static_cast<int>(ad::uniform_integer(own.fold("which").fold(static_cast<std::uint64_t>(b)), counts.size())));
    f(draw_factors(counts, std::ssize(shared) * batch, own.fold("factors")), shared, own);
  }
}

}  // namespace

double mean_of(const std::vector<double>& values) {
  return values.empty() ? 0 : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::vector<int> equal_width_bins(const std::vector<double>& values, int bins) {
  const auto [low, high] = std::ranges::minmax(values);
  if (!(low < high)) return std::vector<int>(values.size(), 0);
  std::vector<double> edges;  // the left ones
  const double step = (high - low) / bins;
  for (int b = 0; b < bins; ++b) edges.push_back(low + b * step);
  std::vector<int> out;
  for (const double v : values) out.push_back(static_cast<int>(std::ranges::upper_bound(edges, v) - edges.begin()) - 1);
  return out;
}

Matrix mutual_information(const Matrix& codes, const FactorTable& factors, int bins) {
  Matrix out(codes.columns, factors.factors());
  for (Index d = 0; d < codes.columns; ++d) {
    const std::vector<int> binned = equal_width_bins(codes.column(d), bins);
    for (Index k = 0; k < factors.factors(); ++k)
      out(d, k) = discrete_information(binned, bins, factors.column(k), factors.counts[at(k)]);
  }
  return out;
}

std::vector<double> factor_entropies(const FactorTable& factors) {
  std::vector<double> out;
  for (Index k = 0; k < factors.factors(); ++k) {
    std::vector<double> counts(at(factors.counts[at(k)]), 0);
    for (Index i = 0; i < factors.rows; ++i) ++counts[at(factors(i, k))];
    out.push_back(entropy_of(counts));
  }
  return out;
}

std::vector<double> information_gaps(const Matrix& information, const std::vector<double>& entropies) {
  std::vector<double> gaps;
  for (Index k = 0; k < information.columns; ++k) {
    const auto [first, second] = top_two(information, k);
    gaps.push_back(entropies[at(k)] > 0 ? (first - second) / entropies[at(k)] : 0);
  }
  return gaps;
}

double modularity(const Matrix& information) {
  std::vector<double> scores;
  for (Index d = 0; d < information.rows; ++d) {
    double largest = 0, sum = 0;
    for (Index k = 0; k < information.columns; ++k) {
      const double squared = information(d, k) * information(d, k);
      sum += squared;
      largest = std::max(largest, squared);
    }
    const double others = static_cast<double>(std::max<Index>(1, information.columns - 1));
    scores.push_back(largest > 0 ? 1 - (sum - largest) / (largest * others) : 0);
  }
  return mean_of(scores);
}

ImportanceScores importance_scores(const Matrix& importance) {
  // One side's 1 - entropy, weighted by the share of all importance.
  const auto concentration = [&](Index outer, Index inner, const auto& value) {
    double total = 0, score = 0;
    for (const double v : importance.values) total += v;
    if (total <= 0) return 0.0;
    for (Index o = 0; o < outer; ++o) {
      std::vector<double> row;
      for (Index i = 0; i < inner; ++i) row.push_back(value(o, i));
      const double sum = std::accumulate(row.begin(), row.end(), 0.0);
      if (sum > 0) score += sum / total * (inner > 1 ? 1 - entropy_of(row) / std::log(static_cast<double>(inner)) : 1);
    }
    return score;
  };
  return {concentration(importance.rows, importance.columns, [&](Index d, Index k) { return importance(d, k); }),
          concentration(importance.columns, importance.rows, [&](Index k, Index d) { return importance(d, k); })};
}

namespace {

/// numpy's percentile: linear between the order statistics.
double percentile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  const double place = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
}

}  // namespace

Robustness interventional_robustness(const Matrix& codes, const FactorTable& factors) {
  Robustness out{0, Matrix(codes.columns, factors.factors())};
  double weights = 0;
  for (Index d = 0; d < codes.columns; ++d) {
    const std::vector<double> z = codes.column(d);
    const double mean = mean_of(z);
    double largest = 0;
    for (const double v : z) largest = std::max(largest, std::abs(v - mean));
    if (largest <= 0) continue;  // a constant code has no information
    double best = -INFINITY;
    for (Index k = 0; k < factors.factors(); ++k) {
      std::map<int, std::vector<double>> groups;
      for (Index i = 0; i < codes.rows; ++i) groups[factors(i, k)].push_back(z[at(i)]);
      double moves = 0;
      for (auto& [value, group] : groups) {
        const double middle = mean_of(group);
        for (double& v : group) v = std::abs(v - middle);
        moves += percentile(group, 0.99) / static_cast<double>(groups.size());
      }
      out.matrix(d, k) = 1 - moves / largest;
      best = std::max(best, out.matrix(d, k));
    }
    out.score += largest * best;
    weights += largest;
  }
  if (weights > 0) out.score /= weights;
  return out;
}

double factor_vae_score(const Represent& represent, const std::vector<int>& counts, const VoteOptions& options, Key key) {
  constexpr double kStill = 0.05;
  const Matrix sample = represent(draw_factors(counts, options.variance_examples, key.fold("variance")), key.fold("variance codes"));
  const std::vector<double> scale = standard_deviations(sample, 0, sample.rows);
  std::vector<Index> voters;
  for (Index d = 0; d < sample.columns; ++d)
    if (scale[at(d)] >= kStill) voters.push_back(d);
  if (voters.empty()) return 0;
  const auto votes = [&](Index count, Key own) {
    Matrix table(sample.columns, std::ssize(counts));
    for_shared(counts, count, options.batch, own, [&](FactorTable factors, const std::vector<int>& shared, Key of_some) {
      for (Index i = 0; i < factors.rows; ++i) {
        const Index b = i / options.batch;
        factors(i, shared[at(b)]) = factors(b * options.batch, shared[at(b)]);
      }
      const Matrix codes = represent(factors, of_some.fold("codes"));
      for (Index b = 0; b < std::ssize(shared); ++b) {
        const std::vector<double> spread = standard_deviations(codes, b * options.batch, (b + 1) * options.batch);
        const Index vote = *std::ranges::min_element(voters, {}, [&](Index d) { return spread[at(d)] / scale[at(d)]; });
        ++table(vote, shared[at(b)]);
      }
    });
    return table;
  };
  const Matrix learned = votes(options.train, key.fold("train")), judged = votes(options.test, key.fold("test"));
  double right = 0;
  for (Index d = 0; d < learned.rows; ++d) {
    Index factor = 0;
    for (Index k = 1; k < learned.columns; ++k)
      if (learned(d, k) > learned(d, factor)) factor = k;
    right += judged(d, factor);
  }
  return right / static_cast<double>(options.test);
}

double beta_vae_score(const Represent& represent, const std::vector<int>& counts, const VoteOptions& options, Key key) {
  struct Points {
    Matrix features;
    std::vector<int> labels;
  };
  const auto points = [&](Index count, Key own) {
    Points out;
    for_shared(counts, count, options.batch, own, [&](const FactorTable& factors, const std::vector<int>& shared, Key of_some) {
      FactorTable partners = draw_factors(counts, factors.rows, of_some.fold("partners"));
      for (Index i = 0; i < partners.rows; ++i) {  // the two of a pair share the factor, whose value varies from pair to pair
        const int k = shared[at(i / options.batch)];
        partners(i, k) = factors(i, k);
      }
      const Matrix codes = represent(factors, of_some.fold("codes")), others = represent(partners, of_some.fold("partner codes"));
      if (out.features.rows == 0) out.features = Matrix(count, codes.columns);
      for (std::size_t b = 0; b < shared.size(); ++b) {
        const Index row = std::ssize(out.labels);
        for (Index i = 0; i < options.batch; ++i)
          for (Index d = 0; d < codes.columns; ++d)
            out.features(row, d) += std::abs(codes(Index(b) * options.batch + i, d) - others(Index(b) * options.batch + i, d)) / static_cast<double>(options.batch);
        out.labels.push_back(shared[b]);
      }
    });
    return out;
  };
  const Points train = points(options.train, key.fold("train")), test = points(options.test, key.fold("test"));
  const LogisticRegression classifier(train.features, train.labels, static_cast<int>(counts.size()), 1);
  return accuracy(classifier.predict(test.features), test.labels);
}

Matrix separability(const Matrix& train, const FactorTable& train_factors, const Matrix& test, const FactorTable& test_factors) {
  Matrix out(train.columns, train_factors.factors());
  for (Index d = 0; d < train.columns; ++d) {
    const std::vector<double> z = train.column(d), z_test = test.column(d);
    for (Index k = 0; k < out.columns; ++k) {
      const LinearSvm svm(z, train_factors.column(k), train_factors.counts[at(k)], 0.01);
      out(d, k) = accuracy(svm.predict(z_test), test_factors.column(k));
    }
  }
  return out;
}

double mean_top_gap(const Matrix& scores) {
  double sum = 0;
  for (Index k = 0; k < scores.columns; ++k) {
    const auto [first, second] = top_two(scores, k);
    sum += first - second;
  }
  return sum / static_cast<double>(scores.columns);
}

double explicitness(const Matrix& train, const FactorTable& train_factors, const Matrix& test, const FactorTable& test_factors) {
  Matrix scaled_train = train, scaled_test = test;
  for (Index d = 0; d < train.columns; ++d) {
    const double mean = mean_of(train.column(d));
    double squares = 0;
    for (const double v : train.column(d)) squares += std::pow(v - mean, 2) / static_cast<double>(train.rows);
    const double scale = squares > 0 ? std::sqrt(squares) : 1;
    for (Index i = 0; i < train.rows; ++i) scaled_train(i, d) = (train(i, d) - mean) / scale;
    for (Index i = 0; i < test.rows; ++i) scaled_test(i, d) = (test(i, d) - mean) / scale;
  }
  double sum = 0;
  for (Index k = 0; k < train_factors.factors(); ++k) {
    const int classes = train_factors.counts[at(k)];
    const LogisticRegression classifier(scaled_train, train_factors.column(k), classes, 1);
    const Matrix probabilities = classifier.probabilities(scaled_test);
    std::vector<double> areas;
    for (int v = 0; v < classes; ++v) {
      std::vector<bool> is_v;
      for (Index i = 0; i < test.rows; ++i) is_v.push_back(test_factors(i, k) == v);
      if (std::ranges::count(is_v, true) > 0 && std::ranges::count(is_v, false) > 0) areas.push_back(roc_area(probabilities.column(v), is_v));
    }
    sum += mean_of(areas);
  }
  return sum / static_cast<double>(train_factors.factors());
}

}  // namespace vaezoo
