#pragma once
// Normalising flows: z_K = f_K(... f_1(z_0)), z_0 from a normal, so log q(z_K) = log q(z_0) - sum_k log |det d f_k / d z_k-1|.
//   Rezende & Mohamed, "Variational Inference with Normalizing Flows", ICML 2015, eq. (13)
#include "autodiff/layers.hpp"
#include "models/distributions/normal.hpp"

namespace vaezoo {

using ad::Context;

/// What a flow makes of z.
struct Flowed {
  Var z;        ///< [N, Z]
  Var log_det;  ///< log |det d f / d z|, [N]
};

/// f_K after ... after f_1. It may depend on numbers h [N, n] that the encoder gives.
class Flow {
 public:
  virtual ~Flow() = default;
  virtual Flowed operator()(const Context& c, Var z, Var h) const = 0;
};

/// A normal sent through a flow. The flow has no inverse here, so only the density of its own draws is known: log_prob(value) and detached()
/// throw Error.
class Transformed final : public Distribution {
 public:
  Transformed(const DiagonalNormal& base, const Flow& flow, const Context& c, Var h) : base_(base), flow_(&flow), c_(c), h_(h) {}
  Draw rsample(Key key) const override;
  Var log_prob(Var value) const override;
  Var center() const override { return (*flow_)(c_, base_.center(), h_).z; }
  const Distribution& detached() const override;

 private:
  DiagonalNormal base_;
  const Flow* flow_;
  Context c_;
  Var h_;
};

}  // namespace vaezoo
