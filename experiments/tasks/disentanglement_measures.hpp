#pragma once
// Measures of disentanglement, as the study of Locatello et al. (ICML 2019) computes them. Matrices are codes x factors, [D, K];
// logarithms are natural.
#include "experiments/tasks/codes.hpp"

namespace vaezoo {

/// 0 of no values.
double mean_of(const std::vector<double>& values);

/// The bin 0 <= b < bins of each value, between its least and largest; all in one bin where they are equal.
std::vector<int> equal_width_bins(const std::vector<double>& values, int bins);

/// I(z_d; v_k) of binned codes, in nats, by the counts of the sample.
Matrix mutual_information(const Matrix& codes, const FactorTable& factors, int bins);
/// H(v_k) by the counts of the sample, [K].
std::vector<double> factor_entropies(const FactorTable& factors);

/// (I(z_1st; v_k) - I(z_2nd; v_k)) / H(v_k) of the two codes that say most of v_k, [K]; 0 where H is. The MIG is their mean.
///   Chen et al., NeurIPS 2018
std::vector<double> information_gaps(const Matrix& information, const std::vector<double>& entropies);

/// 1 - the information on other factors than a code's first, over what there could be, squared; the mean over codes, 0 for a code that says nothing.
///   Ridgeway & Mozer, NeurIPS 2018
double modularity(const Matrix& information);

/// Is each code important for one factor, and one code for each factor? 1 - the entropy of a code's (a factor's) importances to the
/// base K (D), weighted by its share of them.
///   Eastwood & Williams, ICLR 2018
struct ImportanceScores {
  double disentanglement = 0, completeness = 0;
};
ImportanceScores importance_scores(const Matrix& importance);

/// The interventional robustness score: how little a code moves, at the 99th percentile, while one factor stays and the others vary.
///   Suter et al., ICML 2019
struct Robustness {
  double score = 0;
  Matrix matrix;  ///< of each code to each factor
};
Robustness interventional_robustness(const Matrix& codes, const FactorTable& factors);

struct VoteOptions {
  Index train = 10'000, test = 5'000;  ///< votes, or points
  Index batch = 64;                    ///< examples that share a factor
  Index variance_examples = 10'000;    ///< for the standard deviation of each code
};
/// One factor stays: the code that varies least, in units of its standard deviation, votes for it. Accuracy of the majority's factor on
/// new votes; codes with a standard deviation below 0.05 have no vote, and without voters the score is 0.
///   Kim & Mnih, ICML 2018
double factor_vae_score(const Represent& represent, const std::vector<int>& counts, const VoteOptions& options, Key key);
/// Of pairs that share one factor, the mean distance of their codes: the accuracy with which a logistic regression (L2, C = 1) predicts the factor.
///   Higgins et al., ICLR 2017
double beta_vae_score(const Represent& represent, const std::vector<int>& counts, const VoteOptions& options, Key key);

/// The accuracy on other examples with which a linear support vector machine (C = 0.01, balanced classes) predicts a factor from one code.
Matrix separability(const Matrix& train, const FactorTable& train_factors, const Matrix& test, const FactorTable& test_factors);
/// The mean over factors of the best code's value less the second's.   Kumar et al., ICLR 2018
double mean_top_gap(const Matrix& scores);

/// The mean over factors and their values of the area under the ROC curve of a logistic regression (L2, C = 1) on standardised codes, on other
/// examples.   Ridgeway & Mozer, NeurIPS 2018
double explicitness(const Matrix& train, const FactorTable& train_factors, const Matrix& test, const FactorTable& test_factors);

}  // namespace vaezoo
