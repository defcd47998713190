#include "models/parts/importance_bounds.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"

namespace vaezoo {

using namespace ad;

void Estimator::visit(Fields& f) {
  f.choice("estimator", name, {"standard", "stl", "dreg"},
           "gradient for the encoder: standard; stl: through z alone; dreg: through z alone with squared weights (one draw: stl)");
}

void ImportanceSamples::scale_encoder_gradient(Var factors) const {
  AD_CHECK(factors.size() == std::ssize(encoder_factors), "scale_encoder_gradient",
           cat("needs ", encoder_factors.size(), " factors, got ", factors.size()));
  std::ranges::copy(factors.value(), encoder_factors.begin());
}

Var log_mean_exp(Var x) { return logsumexp(x, -1) - static_cast<Real>(std::log(double(x.shape().back()))); }

Objective importance_objective(Var bound, const ImportanceSamples& draws) {
  return {-bound, {{"bound", bound}, {"reconstruction", mean(draws.log_p_x)}, {"kl", mean(draws.log_q_z - draws.log_p_z)}}};
}

}  // namespace vaezoo
