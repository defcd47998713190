#include "experiments/tasks/boosted_trees.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace vaezoo {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

constexpr double kEqual = 1e-7;  // nearer values are not split

}  // namespace

/// Grows trees on the same rows: each column is sorted once, and a level of a tree costs one pass over each.
class BoostedTrees::Grower {
 public:
  Grower(const Matrix& x, int depth) : depth_(depth), columns_(x.columns), rows_(x.rows), node_of_(at(x.rows)) {
    for (Index d = 0; d < columns_; ++d) {
      std::vector<int> order(at(rows_));
      std::iota(order.begin(), order.end(), 0);
      std::ranges::stable_sort(order, {}, [&](int i) { return x(i, d); });
      std::vector<double> sorted;
      for (const int i : order) sorted.push_back(x(i, d));
      order_.push_back(std::move(order));
      sorted_.push_back(std::move(sorted));
    }
  }

  /// A tree for these residuals, whose leaves hold sum(residual) / sum(weight) x scale. Adds each column's decrease of the variance, over N, to
  /// `importances`, and the leaf's value x rate to each row's score.
  Tree grow(const std::vector<double>& residual, const std::vector<double>& weight, double scale, double rate, std::vector<double>& importances,
            std::vector<double>& scores) {
    std::ranges::fill(node_of_, 0);
    Tree tree(1);
    std::vector<Sums> sums(1);
    for (const double r : residual) sums[0].add(r);
    int first = 0;  // of the level's nodes
    for (int level = 0; level < depth_ && first < std::ssize(tree); ++level) {
      const std::vector<Split> best = best_splits(residual, sums, first);
      const int end = static_cast<int>(tree.size());
      for (int n = first; n < end; ++n) {
        const Split& split = best[at(n - first)];
        if (split.feature < 0) continue;
        importances[at(split.feature)] += split.gain / static_cast<double>(rows_);
        tree[at(n)] = {split.feature, split.threshold, static_cast<int>(tree.size()), static_cast<int>(tree.size()) + 1, 0};
        tree.resize(tree.size() + 2);
        sums.resize(tree.size());
      }
      for (Index d = 0; d < columns_; ++d)
        for (std::size_t i = 0; i < order_[at(d)].size(); ++i) {
          const int row = order_[at(d)][i];
          const int n = node_of_[at(row)];
          if (n < first || n >= end || tree[at(n)].feature != d) continue;
          const int child = sorted_[at(d)][i] <= tree[at(n)].threshold ? tree[at(n)].left : tree[at(n)].right;
          node_of_[at(row)] = child;
          sums[at(child)].add(residual[at(row)]);
        }
      first = end;
    }
    std::vector<double> weights(tree.size(), 0), totals(tree.size(), 0);
    for (std::size_t row = 0; row < residual.size(); ++row) {
      totals[at(node_of_[row])] += residual[row];
      weights[at(node_of_[row])] += weight[row];
    }
    for (std::size_t n = 0; n < tree.size(); ++n)
      if (tree[n].feature < 0) tree[n].value = std::abs(weights[n]) < 1e-150 ? 0 : scale * totals[n] / weights[n];
    for (std::size_t row = 0; row < residual.size(); ++row) scores[row] += rate * tree[at(node_of_[row])].value;
    return tree;
  }

 private:
  struct Sums {
    double count = 0, sum = 0, squares = 0;
    void add(double r) {
      count += 1;
      sum += r;
      squares += r * r;
    }
    double impurity() const { return count > 0 ? squares / count - sum / count * (sum / count) : 0; }
  };
  struct Split {
    Index feature = -1;
    double threshold = 0, gain = 0, proxy = 0;
  };
  struct Scan {
    double count = 0, sum = 0, last = 0;
  };

  std::vector<Split> best_splits(const std::vector<double>& residual, const std::vector<Sums>& sums, int first) {
    const std::size_t nodes = sums.size() - at(first);
    std::vector<Split> best(nodes);
    std::vector<Scan> scans(nodes);
    std::vector<bool> pure;
    for (std::size_t n = 0; n < nodes; ++n) {
      const Sums& s = sums[at(first) + n];
      pure.push_back(s.count < 2 || s.impurity() <= 2.220446049250313e-16);
    }
    for (Index d = 0; d < columns_; ++d) {
      std::ranges::fill(scans, Scan());
      const std::vector<int>& order = order_[at(d)];
      const std::vector<double>& sorted = sorted_[at(d)];
      for (std::size_t i = 0; i < order.size(); ++i) {
        const int n = node_of_[at(order[i])] - first;
        if (n < 0) continue;
        Scan& scan = scans[at(n)];
        const double x = sorted[i];
        if (scan.count > 0 && x > scan.last + kEqual && !pure[at(n)]) {
          const Sums& all = sums[at(first + n)];
          const double right = all.count - scan.count, difference = scan.sum / scan.count - (all.sum - scan.sum) / right;
          const double proxy = difference * difference * scan.count * right;
          if (proxy > best[at(n)].proxy) {
            const double middle = scan.last / 2 + x / 2;
            best[at(n)] = {d, middle == x ? scan.last : middle, proxy / all.count, proxy};
          }
        }
        scan.count += 1;
        scan.sum += residual[at(order[i])];
        scan.last = x;
      }
    }
    return best;
  }

  int depth_;
  Index columns_, rows_;
  std::vector<std::vector<int>> order_;      // of each column, rows by value
  std::vector<std::vector<double>> sorted_;  // its values in that order
  std::vector<int> node_of_;
};

BoostedTrees::BoostedTrees(const Matrix& x, const std::vector<int>& labels, int classes, const BoostingOptions& options)
    : importances_(at(x.columns), 0), rate_(options.rate) {
  if (x.rows == 0) throw std::invalid_argument("boosted trees need examples");
  std::vector<double> members(at(classes), 0);
  for (const int y : labels) ++members[at(y)];
  for (int k = 0; k < classes; ++k)
    if (members[at(k)] > 0) present_.push_back(k);
  const std::size_t K = present_.size();
  if (K < 2) return;
  const bool two = K == 2;
  const std::size_t trees_a_round = two ? 1 : K;
  const auto rows = at(x.rows);
  for (std::size_t c = 0; c < trees_a_round; ++c)
    start_.push_back(two ? std::log(members[at(present_[1])] / members[at(present_[0])]) : std::log(members[at(present_[c])] / double(rows)));
  std::vector<std::vector<double>> scores;
  for (const double s : start_) scores.emplace_back(rows, s);
  Grower grower(x, options.depth);
  std::vector<double> decrease(at(x.columns), 0), residual(rows), weight(rows);
  std::vector<std::vector<double>> p(trees_a_round, std::vector<double>(rows));
  for (int round = 0; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < rows; ++i) {
      if (two) {
        p[0][i] = 1 / (1 + std::exp(-scores[0][i]));
        continue;
      }
      double top = scores[0][i], sum = 0;
      for (std::size_t c = 1; c < K; ++c) top = std::max(top, scores[c][i]);
      for (std::size_t c = 0; c < K; ++c) sum += p[c][i] = std::exp(scores[c][i] - top);
      for (std::size_t c = 0; c < K; ++c) p[c][i] /= sum;
    }
    for (std::size_t c = 0; c < trees_a_round; ++c) {
      const int own = present_[two ? 1 : c];
      for (std::size_t i = 0; i < rows; ++i) {
        residual[i] = (labels[i] == own ? 1 : 0) - p[c][i];
        weight[i] = p[c][i] * (1 - p[c][i]);
      }
      trees_.push_back(grower.grow(residual, weight, two ? 1 : double(K - 1) / double(K), rate_, decrease, scores[c]));
    }
  }
  const double total = std::accumulate(decrease.begin(), decrease.end(), 0.0);
  if (total > 0)
    for (std::size_t d = 0; d < decrease.size(); ++d) importances_[d] = decrease[d] / total;
}

double BoostedTrees::value_of(const Tree& tree, const Matrix& x, Index row) {
  const Node* node = &tree.front();
  while (node->feature >= 0) node = &tree[at(x(row, node->feature) <= node->threshold ? node->left : node->right)];
  return node->value;
}

std::vector<int> BoostedTrees::predict(const Matrix& x) const {
  std::vector<int> out;
  for (Index row = 0; row < x.rows; ++row) {
    std::vector<double> scores = start_;
    for (std::size_t t = 0; t < trees_.size(); ++t) scores[t % scores.size()] += rate_ * value_of(trees_[t], x, row);
    if (present_.size() < 2)
      out.push_back(present_[0]);
    else if (scores.size() == 1)
      out.push_back(present_[scores[0] > 0 ? 1 : 0]);
    else
      out.push_back(present_[static_cast<std::size_t>(std::ranges::max_element(scores) - scores.begin())]);
  }
  return out;
}

}  // namespace vaezoo
