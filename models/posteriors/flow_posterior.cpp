#include "models/posteriors/flow_posterior.hpp"

#include "autodiff/shape_ops.hpp"

namespace vaezoo {

const Distribution& FlowPosterior::operator()(const ad::Context& c, Var h) const {
  const DiagonalNormal base = bounds_(normal_of(ad::slice(h, 1, 0, 2 * latent_dim_)));
  return on_tape(c.tape, Transformed(base, *this, c, ad::slice(h, 1, 2 * latent_dim_, inputs())));
}

}  // namespace vaezoo
