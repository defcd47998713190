#pragma once
// A bound on the log variances that networks give.
#include <vector>

#include "config/fields.hpp"
#include "models/distributions/normal.hpp"

namespace vaezoo {

/// "log_variance": [-12, 6] holds the log variances of q(z | x), and those of the priors that a network gives, in this interval, by a clamp
/// (the Hardtanh(-6, 2) of Tomczak & Welling, "VAE with a VampPrior", AISTATS 2018): inside, numbers and gradients stay as they are, bit for
/// bit; outside there is no gradient. An empty list: no bound.
struct LogVarianceBounds {
  std::vector<double> interval;

  void visit(Fields& f);
  DiagonalNormal operator()(const DiagonalNormal& q) const;
};

}  // namespace vaezoo
