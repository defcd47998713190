#include "autodiff/random_ops.hpp"

#include "autodiff/elementwise.hpp"

namespace ad {

Var normal(Tape& tape, const Shape& shape, Key key) {
  const Var x = tape.node("normal", shape, {});
  fill_normal(key, x.value());
  return x;
}

Var uniform(Tape& tape, const Shape& shape, Key key, Real low, Real high) {
  AD_CHECK(low <= high, "uniform", cat("the bounds are reversed: low ", low, ", high ", high));
  const Var x = tape.node("uniform", shape, {});
  fill_uniform(key, x.value(), low, high);
  return x;
}

Var bernoulli(Var probability, Key key) {
  const Var x = probability.tape().node("bernoulli", probability.shape(), {stop_gradient(probability)});
  fill_bernoulli(key, probability.value(), x.value());
  return x;
}

Var dropout(Var x, Real p, Key key, bool training) {
  AD_CHECK(p >= 0 && p <= 1, "dropout", cat("p must be in [0, 1], it is ", p));
  if (!training || p == 0) return x;
  const Real scale = p < 1 ? 1 / (1 - p) : Real(0);
  return map(
      "dropout", [p, scale](auto v, auto u) { return v * select(value_of(u) >= Batch(p), Batch(scale), Batch(Real(0))); }, x,
      uniform(x.tape(), x.shape(), key));
}

}  // namespace ad
