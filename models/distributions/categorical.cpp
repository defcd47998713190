#include "models/distributions/categorical.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autodiff/elementwise.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/map.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {

using namespace ad;

namespace {

/// [N, G, K] -> [N, G K], as codes are.
Var as_code(Var x) { return reshape(x, {x.shape()[0], -1}); }

/// The one-hot vectors of the largest numbers of x [N, G, K], a constant [N, G, K].
Var largest(Var x) { return reshape(one_hot(x.tape(), argmax(x), x.shape()[2]), x.shape()); }

Var kl_between(Var log_q, Var log_p) {
  return map_sum("categorical_kl", [](auto q, auto p) { return exp(q) * (q - p); }, log_q, log_p);
}

}  // namespace

Var with_gumbel_noise(Var logits, Key key) {
  const Var noise = logits.tape().node("gumbel", logits.shape(), {});
  fill_uniform(key, noise.value(), std::numeric_limits<Real>::min(), 1);
  for (Real& v : noise.value()) v = -std::log(-std::log(v));
  return logits + noise;
}

std::span<const Index> draw_classes(Var logits, Key key) { return argmax(with_gumbel_noise(logits, key)); }

OneHotCategorical OneHotCategorical::of_logits(Var logits, Index classes) {
  return OneHotCategorical(log_softmax(reshape(logits, {logits.shape()[0], -1, classes})));
}

Draw OneHotCategorical::rsample(Key key) const {  // argmax(log p + Gumbel noise) is a draw
  return {as_code(largest(with_gumbel_noise(log_p_, key))), {}};
}
Var OneHotCategorical::log_prob(Var value) const {
  return map_sum("categorical_log_prob", [](auto v, auto p) { return v * p; }, reshape(value, log_p_.shape()), log_p_);
}
Var OneHotCategorical::center() const { return as_code(largest(log_p_)); }
const OneHotCategorical& OneHotCategorical::detached() const { return on_tape(log_p_.tape(), OneHotCategorical(stop_gradient(log_p_))); }

Draw RelaxedOneHot::rsample(Key key) const {
  const Var y = softmax(with_gumbel_noise(of_.log_probabilities(), key) / temperature_);
  return {as_code(straight_through_ ? straight_through(largest(y), y) : y), {}};
}
Var RelaxedOneHot::log_prob(Var) const { throw Error("[relaxed_one_hot] has no density: in training, the KL is that of the categorical variables"); }
const Distribution& RelaxedOneHot::detached() const {
  return on_tape(of_.log_probabilities().tape(), RelaxedOneHot(of_.detached(), temperature_, straight_through_));
}

Var kl(const OneHotCategorical& q, const OneHotCategorical& p) { return kl_between(q.log_probabilities(), p.log_probabilities()); }
Var kl(const RelaxedOneHot& q, const OneHotCategorical& p) { return kl(q.categorical(), p); }

}  // namespace vaezoo
