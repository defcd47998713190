#include "models/parts/importance_bounds.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/terms.hpp"

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

ImportanceSamples::ImportanceSamples(const Draws& draws, Var log_p_x_given_z, Var log_p_of_z)
    : log_p_x(reshape(log_p_x_given_z, {-1, draws.samples})),
      log_p_z(reshape(log_p_of_z, {-1, draws.samples})),
      log_q_z(reshape(draws.log_q_z, {-1, draws.samples})),
      log_w(log_p_x + log_p_z - log_q_z),
      encoder_factors(draws.encoder_factors) {}

void ImportanceSamples::scale_encoder_gradient(Var factors) const {
  AD_CHECK(factors.size() == std::ssize(encoder_factors), "scale_encoder_gradient",
           cat("needs ", encoder_factors.size(), " factors, got ", factors.size()));
  std::ranges::copy(factors.value(), encoder_factors.begin());
}

Var log_mean_exp(Var x) { return logsumexp(x, -1) - static_cast<Real>(std::log(double(x.shape().back()))); }

Objective importance_objective(Var bound, const ImportanceSamples& draws) {
  return {-bound,
          {{"bound", bound, "nats", "the bound of log p(x) that training maximises"},
           terms::reconstruction(mean(draws.log_p_x)),
           terms::kl(mean(draws.log_q_z - draws.log_p_z))}};
}

}  // namespace vaezoo
