#include "experiments/runner/disentanglement.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autodiff/parallel.hpp"
#include "experiments/runner/trees.hpp"

namespace vaezoo {
namespace {

constexpr std::size_t kBins = 20, kVoters = 64;
constexpr double kLeastSpread = 0.05;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// Bins of equal width from the least to the largest; a constant is in one bin.
std::vector<std::size_t> in_bins(const CodedFactors& data, Index d) {
  std::vector<std::size_t> bins(at(data.size()));
  double low = data.codes[at(d)], high = low;
  for (Index i = 0; i < data.size(); ++i) {
    const double z = data.codes[at(i * data.dimensions + d)];
    low = std::min(low, z), high = std::max(high, z);
  }
  if (!(high > low)) return bins;
  for (Index i = 0; i < data.size(); ++i)
    bins[at(i)] = std::min(
        kBins - 1, static_cast<std::size_t>(double(kBins) * (data.codes[at(i * data.dimensions + d)] - low) / (high - low)));
  return bins;
}

int values_of(const CodedFactors& data, Index k) {
  int most = 0;
  for (Index i = 0; i < data.size(); ++i) most = std::max(most, data.values[at(i * data.factors + k)]);
  return most + 1;
}

double mean(std::span<const double> v) { return std::accumulate(v.begin(), v.end(), 0.0) / double(v.size()); }

/// 1 - entropy of the shares, to the base of their number.
double concentration(std::span<const double> shares, double total) {
  double entropy = 0;
  for (const double v : shares)
    if (v > 0) entropy -= v / total * std::log(v / total);
  return 1 - entropy / std::log(double(shares.size()));
}

/// The mean of concentration over rows, each weighed by its sum.
double weighted_concentration(const CodeFactorMatrix& rows) {
  double sum = 0, all = 0;
  for (const std::vector<double>& row : rows) {
    const double total = std::accumulate(row.begin(), row.end(), 0.0);
    if (total > 0) sum += total * concentration(row, total);
    all += total;
  }
  return all > 0 ? sum / all : 0;
}

}  // namespace

CodeFactorMatrix mutual_information(const CodedFactors& data) {
  const double n = double(data.size());
  CodeFactorMatrix information(at(data.dimensions), std::vector<double>(at(data.factors)));
  for (Index d = 0; d < data.dimensions; ++d) {
    const std::vector<std::size_t> bins = in_bins(data, d);
    for (Index k = 0; k < data.factors; ++k) {
      const auto values = static_cast<std::size_t>(values_of(data, k));
      std::vector<double> joint(kBins * values), of_bin(kBins), of_value(values);
      for (Index i = 0; i < data.size(); ++i) {
        const auto v = static_cast<std::size_t>(data.values[at(i * data.factors + k)]);
        ++joint[bins[at(i)] * values + v], ++of_bin[bins[at(i)]], ++of_value[v];
      }
      for (std::size_t b = 0; b < kBins; ++b)
        for (std::size_t v = 0; v < values; ++v)
          if (const double c = joint[b * values + v]; c > 0)
            information[at(d)][at(k)] += c / n * std::log(c * n / (of_bin[b] * of_value[v]));
    }
  }
  return information;
}

std::vector<double> factor_entropies(const CodedFactors& data) {
  std::vector<double> entropies(at(data.factors));
  for (Index k = 0; k < data.factors; ++k) {
    std::vector<double> count(static_cast<std::size_t>(values_of(data, k)));
    for (Index i = 0; i < data.size(); ++i) ++count[static_cast<std::size_t>(data.values[at(i * data.factors + k)])];
    for (const double c : count)
      if (c > 0) entropies[at(k)] -= c / double(data.size()) * std::log(c / double(data.size()));
  }
  return entropies;
}

std::vector<double> mutual_information_gaps(const CodeFactorMatrix& information, std::span<const double> entropies) {
  std::vector<double> gaps;
  for (std::size_t k = 0; k < entropies.size(); ++k) {
    double first = 0, second = 0;
    for (const std::vector<double>& of_dimension : information) {
      const double i = of_dimension[k];
      if (i > first) second = first, first = i;
      else second = std::max(second, i);
    }
    gaps.push_back(entropies[k] > 0 ? (first - second) / entropies[k] : 0);
  }
  return gaps;
}

double modularity(const CodeFactorMatrix& information) {
  double total = 0;
  for (const std::vector<double>& row : information) {
    const double largest = *std::ranges::max_element(row);
    if (largest < 1e-12 || row.size() < 2) continue;
    double others = -largest * largest;
    for (const double i : row) others += i * i;
    total += 1 - others / (largest * largest * double(row.size() - 1));
  }
  return total / double(information.size());
}

double interventional_robustness(const CodedFactors& data) {
  const double n = double(data.size());
  double sum = 0, weights = 0;
  for (Index d = 0; d < data.dimensions; ++d) {
    const auto z = [&](Index i) { return data.codes[at(i * data.dimensions + d)]; };
    double center = 0, reach = 0;
    for (Index i = 0; i < data.size(); ++i) center += z(i) / n;
    for (Index i = 0; i < data.size(); ++i) reach = std::max(reach, std::abs(z(i) - center));
    if (reach < 1e-9) continue;  // a constant dimension
    double best = 0;
    for (Index k = 0; k < data.factors; ++k) {
      std::vector<std::vector<double>> groups(static_cast<std::size_t>(values_of(data, k)));
      for (Index i = 0; i < data.size(); ++i)
        groups[static_cast<std::size_t>(data.values[at(i * data.factors + k)])].push_back(z(i));
      double deviation = 0, seen = 0;
      for (std::vector<double>& group : groups) {
        if (group.empty()) continue;
        const double middle = mean(group);
        for (double& v : group) v = std::abs(v - middle);
        std::ranges::sort(group);
        const double place = 0.99 * double(group.size() - 1);  // between two neighbours, as numpy.percentile
        const auto below = static_cast<std::size_t>(place);
        const double above = group[std::min(below + 1, group.size() - 1)];
        deviation += group[below] + (place - double(below)) * (above - group[below]);
        ++seen;
      }
      best = std::max(best, 1 - deviation / seen / reach);
    }
    sum += reach * best, weights += reach;
  }
  return weights > 0 ? sum / weights : 0;
}

double disentanglement(const CodeFactorMatrix& importance) { return weighted_concentration(importance); }

double completeness(const CodeFactorMatrix& importance) {
  CodeFactorMatrix turned(importance.front().size(), std::vector<double>(importance.size()));
  for (std::size_t d = 0; d < importance.size(); ++d)
    for (std::size_t k = 0; k < turned.size(); ++k) turned[k][d] = importance[d][k];
  return weighted_concentration(turned);
}

double factor_vae_score(const Factors& truth, const EncodeFactors& encode, Index dimensions, Index votes, Key key) {
  const std::vector<int>& varying = truth.varying();
  const auto variances = [&](std::span<const double> codes) {
    std::vector<double> variance(at(dimensions));
    const double n = double(codes.size()) / double(dimensions);
    for (std::size_t d = 0; d < variance.size(); ++d) {
      double m = 0;
      for (std::size_t i = d; i < codes.size(); i += variance.size()) m += codes[i] / n;
      for (std::size_t i = d; i < codes.size(); i += variance.size()) variance[d] += (codes[i] - m) * (codes[i] - m) / (n - 1);
    }
    return variance;
  };
  const auto drawn = [&](Key of, std::size_t count, std::span<const int> given) {
    std::vector<std::vector<int>> tuples;
    for (std::size_t i = 0; i < count; ++i) tuples.push_back(truth.sample(of.fold(i), given));
    return tuples;
  };
  const std::vector<double> spread = variances(encode(drawn(key.fold("spread"), 10'000, {})));
  if (std::ranges::none_of(spread, [](double s) { return std::sqrt(s) >= kLeastSpread; })) return 0;

  const auto vote = [&](Key of) {
    const auto k = static_cast<std::size_t>(ad::uniform_integer(of.fold("factor"), varying.size()));
    std::vector<int> given(truth.factors().size(), Factors::kFree);
    const auto factor = static_cast<std::size_t>(varying[k]);
    given[factor] = truth.sample(of.fold("value"))[factor];
    const std::vector<double> v = variances(encode(drawn(of.fold("images"), kVoters, given)));
    std::size_t least = v.size();
    for (std::size_t d = 0; d < v.size(); ++d)
      if (std::sqrt(spread[d]) >= kLeastSpread && (least == v.size() || v[d] / spread[d] < v[least] / spread[least])) least = d;
    return std::pair(least, k);
  };
  CodeFactorMatrix count(at(dimensions), std::vector<double>(varying.size()));
  for (Index i = 0; i < votes; ++i) {
    const auto [d, k] = vote(key.fold("training").fold(static_cast<std::uint64_t>(i)));
    ++count[d][k];
  }
  Index right = 0;
  const Index tests = std::max<Index>(votes / 2, 1);
  for (Index i = 0; i < tests; ++i) {
    const auto [d, k] = vote(key.fold("test").fold(static_cast<std::uint64_t>(i)));
    right += static_cast<std::size_t>(std::ranges::max_element(count[d]) - count[d].begin()) == k;
  }
  return double(right) / double(tests);
}

std::vector<Metric> judge_disentanglement(const Factors& truth, const EncodeFactors& encode, Index dimensions,
                                          const DisentanglementOptions& options, Key key) {
  const std::vector<int>& varying = truth.varying();
  const auto coded = [&](Key of, Index count) {
    std::vector<std::vector<int>> tuples;
    for (Index i = 0; i < count; ++i) tuples.push_back(truth.sample(of.fold(static_cast<std::uint64_t>(i))));
    CodedFactors data{dimensions, std::ssize(varying), encode(tuples), {}};
    for (const std::vector<int>& tuple : tuples)
      for (const int f : varying) data.values.push_back(tuple[static_cast<std::size_t>(f)]);
    return data;
  };
  const CodedFactors data = coded(key.fold("samples"), options.samples),
                     fresh = coded(key.fold("test samples"), std::max<Index>(options.samples / 2, 1));
  const CodeFactorMatrix information = mutual_information(data);
  const std::vector<double> gaps = mutual_information_gaps(information, factor_entropies(data));
  const TreeImportances trees = tree_importances(data, fresh);
  std::vector<Metric> metrics = {
      {"mig", mean(gaps), "",
       "mutual information gap: does one dimension of the mean code know each factor? (20 bins; Locatello et al. 2019); in [0, "
       "1]"},
      {"dci_disentanglement", disentanglement(trees.importance), "",
       "does each dimension matter for one factor only? by boosted trees; in [0, 1]"},
      {"dci_completeness", completeness(trees.importance), "",
       "does one dimension matter for each factor? by boosted trees; in [0, 1]"},
      {"dci_informativeness", trees.accuracy, "",
       "accuracy of boosted trees that tell the factors from the codes, on images of their own"},
      {"factor_vae_score", factor_vae_score(truth, encode, dimensions, options.votes, key.fold("votes")), "",
       "share of images with one factor fixed whose least moving dimension names the factor (Kim & Mnih 2018); in [0, 1]"},
      {"modularity", modularity(information), "",
       "does each dimension know of one factor only? (Ridgeway & Mozer 2018); in [0, 1]"},
      {"irs", interventional_robustness(data), "",
       "interventional robustness: do other factors leave a dimension where it is? (Suter et al. 2019); in [0, 1]"}};
  for (std::size_t k = 0; k < varying.size(); ++k) {
    const std::string& name = truth.factors()[static_cast<std::size_t>(varying[k])].name;
    metrics.push_back({"mig_" + name, gaps[k], "", "mutual information gap of the factor " + name});
  }
  return metrics;
}

std::vector<Metric> judge_disentanglement(const Session& s, Index images) {
  const Factors& truth = *s.data.factors;
  const Key key = s.keys.root.fold("disentanglement");
  const Index size = truth.shape().size(), most = s.config.evaluate.batch_size;
  ad::Tape tape(ad::Grad::off);
  const EncodeFactors encode = [&](std::span<const std::vector<int>> tuples) {
    std::vector<double> codes;
    std::vector<Real> x;
    for (std::size_t begin = 0; begin < tuples.size();) {
      const std::size_t count = std::min(tuples.size() - begin, at(most));
      x.resize(count * at(size));
      ad::parallel_for(static_cast<Index>(count),
                       [&](Index i) { truth.render(tuples[begin + at(i)], std::span(x).subspan(at(i * size), at(size))); });
      if (s.data.binarize != Binarize::none) ad::fill_bernoulli(key.fold("binarize").fold(begin), std::vector<Real>(x), x);
      tape.reset();
      const Minibatch batch{.x = tape.constant({static_cast<Index>(count), size}, std::span<const Real>(x))};
      const Var z = s.model->encode({tape, false, key}, batch);
      codes.insert(codes.end(), z.value().begin(), z.value().end());
      begin += count;
    }
    return codes;
  };
  return judge_disentanglement(truth, encode, s.model->latent_dim(),
                               {.samples = images, .votes = std::max<Index>(images / 10, 10)}, key);
}

}  // namespace vaezoo
