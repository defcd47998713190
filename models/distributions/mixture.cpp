#include "models/distributions/mixture.hpp"

#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/linalg.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {

using namespace ad;

Var Mixture::log_prob(Var z) const { return logsumexp(log_prob_table(z, components_, log_weight_), 1); }

/// A component for each row first, then z from it.
Draw Mixture::rsample(Key key) const {
  Tape& tape = log_weight_.tape();
  const std::span<const Real> log_w = log_weight_.value();
  Real* const u = tape.scratch(rows_);
  fill_uniform(key.fold("component"), {u, static_cast<std::size_t>(rows_)});
  Index* const component = tape.scratch<Index>(rows_);
  for (Index i = 0; i < rows_; ++i) {  // the inverse of the distribution function
    Real below = 0;
    Index k = 0;
    while (k + 1 < std::ssize(log_w) && (below += std::exp(log_w[static_cast<std::size_t>(k)])) <= u[i]) ++k;
    component[i] = k;
  }
  const std::span<const Index> picks(component, static_cast<std::size_t>(rows_));
  const DiagonalNormal& fixed = components_.detached();
  return DiagonalNormal(embedding(fixed.mean, picks), embedding(fixed.log_variance, picks)).rsample(key.fold("z"));
}

Var Mixture::center() const {  // sum_k w_k mean_k
  return repeat_rows(matmul(unsqueeze(exp(log_weight_), 0), components_.mean), rows_);
}

const Mixture& Mixture::detached() const {
  return on_tape(log_weight_.tape(), Mixture(components_.detached(), stop_gradient(log_weight_), rows_));
}

}  // namespace vaezoo
