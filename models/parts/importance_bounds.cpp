#include "models/parts/importance_bounds.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {

using namespace ad;

void Estimator::visit(Fields& f) {
  f.choice(
      "estimator", name, {"standard", "stl", "dreg"},
      "gradient for the encoder: standard; stl: only through z; dreg: only through z, with squared weights (one draw: stl)");
}

std::span<Real> unit_factors(Tape& tape, Index rows) {
  const std::span<Real> factors(tape.scratch(rows), static_cast<std::size_t>(rows));
  std::ranges::fill(factors, Real(1));
  return factors;
}

Draws draw(const Context& c, const Posterior& posterior, Var head, Index samples, const Estimator& estimator) {
  const std::span<Real> factors = unit_factors(c.tape, head.shape()[0] * samples);
  const Distribution& q = posterior(c, scale_gradient(ad::repeat_rows(head, samples), factors));  // [B K, Z]
  const Draw drawn = q.rsample(c.key.fold("z"));
  return {drawn.value, estimator.through_z_alone() ? q.detached().log_prob(drawn.value) : log_prob(q, drawn), samples, factors};
}

Var log_mean_exp(Var x) { return logsumexp(x, -1) - static_cast<Real>(std::log(double(x.shape().back()))); }

Var dreg_factors(Var w, Real beta) { return beta == 1 ? w : (1 - beta) + beta * w; }

}  // namespace vaezoo
