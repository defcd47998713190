#pragma once
// Distances of two sets of codes, from draws.
#include <cstdint>
#include <string>
#include <vector>

#include "autodiff/random.hpp"
#include "autodiff/tape.hpp"
#include "config/fields.hpp"

namespace vaezoo {

/// k(x, y) = sum over the scales s of C / (C + d^2) (imq) or exp(-d^2 / C) (rbf), with C = 2 Z bandwidth^2 s and d the distance of x and y in Z
/// dimensions.   Tolstikhin et al., "Wasserstein Auto-Encoders", ICLR 2018, section 4
struct KernelConfig {
  std::string name = "imq";
  double bandwidth = 1;
  std::vector<double> scales{0.1, 0.2, 0.5, 1, 2, 5, 10};

  void fields(Fields& f);
};

/// The unbiased estimate of the squared maximum mean discrepancy of the laws of x and y, both [N, Z], from independent draws; it may be negative.
///   Gretton et al., "A Kernel Two-Sample Test", JMLR 2012, lemma 6
ad::Var mmd(ad::Var x, ad::Var y, const KernelConfig& kernel);

/// The squared Wasserstein-2 distance of the draws x and y, both [N, Z], along random directions, in the mean over `projections` of them.
/// The gradient goes to x.   Kolouri et al., "Sliced Wasserstein Auto-Encoders", ICLR 2019, eq. (10)
ad::Var sliced_wasserstein(ad::Var x, ad::Var y, ad::Index projections, ad::Key key);

}  // namespace vaezoo
