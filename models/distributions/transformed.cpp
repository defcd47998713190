#include "models/distributions/transformed.hpp"

#include "autodiff/elementwise.hpp"

namespace vaezoo {

Draw Transformed::rsample(Key key) const {
  const Draw base = base_.rsample(key);
  const Flowed flowed = (*flow_)(c_, base.value, h_);
  return {flowed.z, vaezoo::log_prob(base_, base) - flowed.log_det};
}

Var Transformed::log_prob(Var) const { throw ad::Error("[transformed] knows the density of its own draws only: its flow has no inverse"); }

const Distribution& Transformed::detached() const {
  throw ad::Error("[transformed] has no detached density: its flow has no inverse");
}

}  // namespace vaezoo
