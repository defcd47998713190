#include "models/parts/variational_model.hpp"

#include <algorithm>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"

namespace vaezoo {

MeanRates mean_rates(const Context& c, const Trace& trace) {
  Var* const levels = c.tape.scratch<Var>(std::ssize(trace.levels));
  Var kl;
  for (std::size_t i = 0; i < trace.levels.size(); ++i) {
    levels[i] = ad::mean(trace.levels[i].rate);
    kl = i > 0 ? kl + levels[i] : levels[i];
  }
  return {kl, {levels, trace.levels.size()}};
}

Var ImportanceSamples::log_w(Real beta) const { return beta == 1 ? log_p_x - log_ratio : log_p_x - beta * log_ratio; }

void ImportanceSamples::scale_encoder_gradient(Var factors) const {
  AD_CHECK(factors.size() == std::ssize(encoder_factors), "scale_encoder_gradient",
           ad::cat("needs ", encoder_factors.size(), " factors, got ", factors.size()));
  std::ranges::copy(factors.value(), encoder_factors.begin());
}

}  // namespace vaezoo
