#include "models/parts/log_variance.hpp"

#include "autodiff/elementwise.hpp"

namespace vaezoo {

void LogVarianceBounds::visit(Fields& f) {
  f("log_variance", interval, "interval that log variances of z are held in, for example [-12, 6]; []: no bound", between(-60, 60));
  f.require("log_variance", interval.empty() || (interval.size() == 2 && interval[0] < interval[1]),
            "needs a lower and a higher number, for example [-12, 6], or none");
}

DiagonalNormal LogVarianceBounds::operator()(const DiagonalNormal& q) const {
  if (interval.empty()) return q;
  return {q.mean, ad::clamp(q.log_variance, static_cast<Real>(interval[0]), static_cast<Real>(interval[1]))};
}

}  // namespace vaezoo
