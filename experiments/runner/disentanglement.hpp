#pragma once
// How well the dimensions of a code stand for the factors that the data were made of, by the measures of the disentanglement
// library (Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations", ICML
// 2019), on mean codes.
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "datasets/factors.hpp"
#include "experiments/runner/session.hpp"

namespace vaezoo {

/// Examples with their codes and factors.
struct CodedFactors {
  Index dimensions = 0, factors = 0;
  std::vector<double> codes;  ///< [N, dimensions]
  std::vector<int> values;    ///< [N, factors]: the index of each factor's value
  Index size() const { return dimensions == 0 ? 0 : std::ssize(codes) / dimensions; }
};

/// [dimensions][factors].
using CodeFactorMatrix = std::vector<std::vector<double>>;

/// I(z_d; v_k) in nats, by counts; each z_d is cut into 20 bins of equal width.
CodeFactorMatrix mutual_information(const CodedFactors& data);
/// H(v_k) in nats, [factors].
std::vector<double> factor_entropies(const CodedFactors& data);

/// The gap between the two dimensions that know most of each factor, over its entropy, [factors]; the MIG is their mean.
///   Chen, Li, Grosse & Duvenaud, NeurIPS 2018, with means and bins as in Locatello et al., not their estimator by q(z | x):
///   numbers differ
std::vector<double> mutual_information_gaps(const CodeFactorMatrix& information, std::span<const double> entropies);
/// The mean over dimensions of 1 - sum_{k != k*} I_dk^2 / (I_dk*^2 (K - 1)): does a dimension know of one factor? A dimension
/// that knows nothing counts 0.
///   Ridgeway & Mozer, NeurIPS 2018, section 4.1
double modularity(const CodeFactorMatrix& information);
/// Interventional robustness: how little a dimension moves when all factors but its own change.   Suter et al., ICML 2019, with
/// the 99 % quantile of the deviations in the place of their maximum, as in Locatello et al.
double interventional_robustness(const CodedFactors& data);

/// Disentanglement, completeness and informativeness of importances >= 0: the entropies of a dimension's importances over
/// factors, and of a factor's over dimensions.   Eastwood & Williams, ICLR 2018
double disentanglement(const CodeFactorMatrix& importance);
double completeness(const CodeFactorMatrix& importance);

/// Mean codes [N, dimensions] of images with these factors.
using EncodeFactors = std::function<std::vector<double>(std::span<const std::vector<int>> tuples)>;

/// The accuracy of a majority vote: of 64 images with one factor fixed, the dimension that varies least names the factor.
///   Kim & Mnih, ICML 2018, section 4; dimensions with a standard deviation below 0.05 have no vote, as in Locatello et al.
double factor_vae_score(const Factors& truth, const EncodeFactors& encode, Index dimensions, Index votes, Key key);

struct DisentanglementOptions {
  Index samples = 10'000;  ///< images for all but the FactorVAE score
  Index votes = 1'000;     ///< of the FactorVAE score, and half as many to test it
};
/// All of them by name, with their meaning; "mig_NAME" of each factor too. Factors that do not vary do not count.
std::vector<Metric> judge_disentanglement(const Factors& truth, const EncodeFactors& encode, Index dimensions,
                                          const DisentanglementOptions& options, Key key);
/// The same of a trained model, from `images` images and a tenth as many votes.
std::vector<Metric> judge_disentanglement(const Session& session, Index images);

}  // namespace vaezoo
