#pragma once
// Gradient-boosted decision trees, as far as the DCI measure asks for them.
#include "experiments/runner/disentanglement.hpp"

namespace vaezoo {

struct TreeImportances {
  CodeFactorMatrix importance;  ///< [dimensions][factors]: by how much splits on a dimension lower the error; of each factor they
                                ///< sum to 1, or are 0
  double accuracy = 0;          ///< on the test examples, the mean over factors
};

/// A classifier of each factor from the codes: 100 rounds of a regression tree of depth 3 for each class, step 0.1, on the
/// multinomial deviance, with Newton's step in each leaf (Friedman, "Greedy function approximation: A gradient boosting machine",
/// 2001, algorithm 6): the settings of scikit-learn's GradientBoostingClassifier, but for thresholds, which are sought at the
/// borders of 64 bins of equal count.
TreeImportances tree_importances(const CodedFactors& training, const CodedFactors& test);

}  // namespace vaezoo
