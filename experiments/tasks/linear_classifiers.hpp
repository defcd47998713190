#pragma once
// Linear classifiers as scikit-learn fits them, for measures that are defined by theirs.
#include "experiments/tasks/codes.hpp"

namespace vaezoo {

/// The share of equal entries.
double accuracy(const std::vector<int>& predicted, const std::vector<int>& truth);

/// Minimises sum_n -log softmax(W x_n + b)_y + |W|^2 / (2 C); of two classes the logistic function of one weight vector.
class LogisticRegression {
 public:
  /// Labels lie in [0, classes).
  LogisticRegression(const Matrix& x, const std::vector<int>& labels, int classes, double C);
  Matrix probabilities(const Matrix& x) const;  ///< [N, classes]
  std::vector<int> predict(const Matrix& x) const;

 private:
  int classes_;
  std::vector<double> weights_;  // [classes, D + 1], or [1, D + 1] of the second of two; the last column is b
};

/// Of one number x, class against the rest: minimises (w^2 + b^2) / 2 + C sum_n c_n max(0, 1 -+ (w x_n + b))^2, where c_n is
/// N / (classes there x members) for the class's own and 1 for the rest (of two classes each has its own), as liblinear does.
class LinearSvm {
 public:
  LinearSvm(const std::vector<double>& x, const std::vector<int>& labels, int classes, double C);
  std::vector<int> predict(const std::vector<double>& x) const;

 private:
  std::vector<int> present_;  // classes that the labels have
  std::vector<double> w_, b_;
};

}  // namespace vaezoo
