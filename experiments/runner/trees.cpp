#include "experiments/runner/trees.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "autodiff/parallel.hpp"

namespace vaezoo {
namespace {

constexpr int kRounds = 100, kDepth = 3, kLeaves = 1 << kDepth, kNodes = kLeaves - 1;
constexpr std::size_t kMostBins = 64;
constexpr double kStep = 0.1;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// The upper borders of at most 64 bins of equal count: bin b holds values above border b - 1 and up to border b.
std::vector<double> borders_of(const CodedFactors& data, Index d) {
  std::vector<double> sorted;
  for (Index i = 0; i < data.size(); ++i) sorted.push_back(data.codes[at(i * data.dimensions + d)]);
  std::ranges::sort(sorted);
  std::vector<double> borders;
  for (std::size_t b = 1; b < kMostBins; ++b) {
    std::size_t i = std::max<std::size_t>(b * sorted.size() / kMostBins, 1);
    while (i < sorted.size() && sorted[i - 1] == sorted[i]) ++i;  // no border between equal values
    if (i >= sorted.size()) break;
    const double border = (sorted[i - 1] + sorted[i]) / 2;
    if (borders.empty() || border > borders.back()) borders.push_back(border);
  }
  return borders;
}

/// Codes as bins, [dimensions][N].
using Binned = std::vector<std::vector<std::uint8_t>>;

Binned binned(const CodedFactors& data, const std::vector<std::vector<double>>& borders) {
  Binned bins(at(data.dimensions), std::vector<std::uint8_t>(at(data.size())));
  for (Index d = 0; d < data.dimensions; ++d)
    for (Index i = 0; i < data.size(); ++i)
      bins[at(d)][at(i)] = static_cast<std::uint8_t>(
          std::ranges::lower_bound(borders[at(d)], data.codes[at(i * data.dimensions + d)]) - borders[at(d)].begin());
  return bins;
}

/// A tree of depth 3: node n has the children 2 n + 1 and 2 n + 2.
struct Tree {
  std::array<int, kNodes> dimension;  ///< -1: no split, all go to the left
  std::array<std::uint8_t, kNodes> border{};
  std::array<double, kLeaves> value{};
  Tree() { dimension.fill(-1); }

  std::size_t leaf(const Binned& x, std::size_t i) const {
    std::size_t n = 0;
    for (int level = 0; level < kDepth; ++level)
      n = 2 * n + (dimension[n] >= 0 && x[static_cast<std::size_t>(dimension[n])][i] > border[n] ? 2 : 1);
    return n - kNodes;
  }
};

/// Fits the residuals of one class; adds to `gain` by how much each dimension's splits lower their squared error.
Tree grow(const Binned& x, std::span<const double> residual, double classes, std::vector<double>& gain) {
  Tree tree;
  const std::size_t n = residual.size();
  std::vector<std::uint8_t> node(n, 0);
  for (int level = 0; level < kDepth; ++level) {
    const std::size_t first = (std::size_t{1} << level) - 1, width = std::size_t{1} << level;
    std::vector<double> best(width, 1e-12);
    for (std::size_t d = 0; d < x.size(); ++d) {
      std::vector<double> sum(width * kMostBins), count(width * kMostBins);
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t cell = (node[i] - first) * kMostBins + x[d][i];
        sum[cell] += residual[i], ++count[cell];
      }
      for (std::size_t w = 0; w < width; ++w) {
        const auto of_node = [&](const std::vector<double>& v) { return std::span(v).subspan(w * kMostBins, kMostBins); };
        const std::span<const double> sums = of_node(sum), counts = of_node(count);
        const double all = std::accumulate(sums.begin(), sums.end(), 0.0),
                     size = std::accumulate(counts.begin(), counts.end(), 0.0);
        double left = 0, left_size = 0;
        for (std::size_t b = 0; b + 1 < kMostBins; ++b) {
          left += sums[b], left_size += counts[b];
          const double right_size = size - left_size;
          if (left_size == 0 || right_size == 0) continue;
          const double between = left / left_size - (all - left) / right_size,
                       lowered = left_size * right_size / size * between * between;
          if (lowered <= best[w]) continue;
          best[w] = lowered;
          tree.dimension[first + w] = static_cast<int>(d);
          tree.border[first + w] = static_cast<std::uint8_t>(b);
        }
      }
    }
    for (std::size_t w = 0; w < width; ++w)
      if (tree.dimension[first + w] >= 0) gain[static_cast<std::size_t>(tree.dimension[first + w])] += best[w];
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t at_node = node[i];
      const int d = tree.dimension[at_node];
      node[i] =
          static_cast<std::uint8_t>(2 * at_node + (d >= 0 && x[static_cast<std::size_t>(d)][i] > tree.border[at_node] ? 2 : 1));
    }
  }
  std::array<double, kLeaves> slope{}, curvature{};
  for (std::size_t i = 0; i < n; ++i) {
    slope[node[i] - kNodes] += residual[i];
    curvature[node[i] - kNodes] += std::abs(residual[i]) * (1 - std::abs(residual[i]));
  }
  for (std::size_t l = 0; l < kLeaves; ++l)
    if (curvature[l] > 1e-150) tree.value[l] = (classes - 1) / classes * slope[l] / curvature[l];
  return tree;
}

struct OfFactor {
  std::vector<double> importance;
  double accuracy = 0;
};

OfFactor classify(const CodedFactors& training, const CodedFactors& test, const Binned& x, const Binned& x_test, Index k) {
  const auto n = at(training.size()), n_test = at(test.size());
  std::size_t classes = 0;
  for (std::size_t i = 0; i < n; ++i)
    classes = std::max(classes, static_cast<std::size_t>(training.values[i * at(training.factors) + at(k)]) + 1);
  const auto label = [k](const CodedFactors& data, std::size_t i) {
    return static_cast<std::size_t>(data.values[i * at(data.factors) + at(k)]);
  };
  std::vector<double> share(classes, 0), score(n * classes), score_test(n_test * classes), gain(x.size());
  for (std::size_t i = 0; i < n; ++i) share[label(training, i)] += 1 / double(n);
  for (std::size_t c = 0; c < classes; ++c) {  // log priors
    const double start = std::log(std::max(share[c], 1e-10));
    for (std::size_t i = 0; i < n; ++i) score[i * classes + c] = start;
    for (std::size_t i = 0; i < n_test; ++i) score_test[i * classes + c] = start;
  }
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> p(score);
    for (std::size_t i = 0; i < n; ++i) {  // softmax
      const std::span<double> row = std::span(p).subspan(i * classes, classes);
      const double top = *std::ranges::max_element(row);
      double total = 0;
      for (double& v : row) total += v = std::exp(v - top);
      for (double& v : row) v /= total;
    }
    std::vector<std::vector<double>> gains(classes, std::vector<double>(x.size()));
    ad::parallel_for(static_cast<Index>(classes), [&](Index c) {
      std::vector<double> residual(n);
      for (std::size_t i = 0; i < n; ++i) residual[i] = (label(training, i) == at(c) ? 1.0 : 0.0) - p[i * classes + at(c)];
      const Tree tree = grow(x, residual, double(classes), gains[at(c)]);
      for (std::size_t i = 0; i < n; ++i) score[i * classes + at(c)] += kStep * tree.value[tree.leaf(x, i)];
      for (std::size_t i = 0; i < n_test; ++i) score_test[i * classes + at(c)] += kStep * tree.value[tree.leaf(x_test, i)];
    });
    for (const std::vector<double>& of_class : gains)
      for (std::size_t d = 0; d < gain.size(); ++d) gain[d] += of_class[d];
  }
  double right = 0;
  for (std::size_t i = 0; i < n_test; ++i) {
    const std::span<const double> row = std::span<const double>(score_test).subspan(i * classes, classes);
    right += static_cast<std::size_t>(std::ranges::max_element(row) - row.begin()) == label(test, i);
  }
  const double total = std::accumulate(gain.begin(), gain.end(), 0.0);
  if (total > 0)
    for (double& g : gain) g /= total;
  return {gain, right / double(n_test)};
}

}  // namespace

TreeImportances tree_importances(const CodedFactors& training, const CodedFactors& test) {
  std::vector<std::vector<double>> borders;
  for (Index d = 0; d < training.dimensions; ++d) borders.push_back(borders_of(training, d));
  const Binned x = binned(training, borders), x_test = binned(test, borders);
  TreeImportances result{CodeFactorMatrix(at(training.dimensions), std::vector<double>(at(training.factors))), 0};
  for (Index k = 0; k < training.factors; ++k) {
    const OfFactor of = classify(training, test, x, x_test, k);
    for (std::size_t d = 0; d < of.importance.size(); ++d) result.importance[d][at(k)] = of.importance[d];
    result.accuracy += of.accuracy / double(training.factors);
  }
  return result;
}

}  // namespace vaezoo
