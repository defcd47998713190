#pragma once
// Gradient boosting of small regression trees for a class label (Friedman 2001), as scikit-learn's GradientBoostingClassifier with its
// defaults: exact splits by friedman_mse, Newton leaves, importances by the variance that splits take away.
#include "experiments/tasks/codes.hpp"

namespace vaezoo {

struct BoostingOptions {
  int rounds = 100;  ///< each grows a tree for every class, one tree for two classes
  int depth = 3;
  double rate = 0.1;
};

class BoostedTrees {
 public:
  /// Labels lie in [0, classes). Throws std::invalid_argument when there are no rows.
  BoostedTrees(const Matrix& x, const std::vector<int>& labels, int classes, const BoostingOptions& options = {});
  std::vector<int> predict(const Matrix& x) const;
  /// Of each column, adding up to 1; zeros where no split helps.
  const std::vector<double>& importances() const { return importances_; }

 private:
  struct Node {
    Index feature = -1;  ///< -1: a leaf
    double threshold = 0;
    int left = -1, right = -1;
    double value = 0;
  };
  using Tree = std::vector<Node>;
  class Grower;
  static double value_of(const Tree& tree, const Matrix& x, Index row);

  std::vector<int> present_;  // classes that the labels have
  std::vector<double> start_;
  std::vector<Tree> trees_;  // round after round, the classes' in turn
  std::vector<double> importances_;
  double rate_;
};

}  // namespace vaezoo
