#include "models/parts/film.hpp"

#include "autodiff/map.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {

using namespace ad;

Film::Film(const Parameters& p, Index width, Index features)
    : features_(features),
      modulation_(p, width, 2 * features,
                  LinearOptions{.initial_weight = init::constant(0), .initial_bias = init::constant(0)}) {}

Var Film::operator()(const Context& c, Var x) const {
  AD_CHECK(bool(c.condition), "film", "the context has no condition");
  const Var h = modulation_(c, c.condition);  // [B, 2 features]
  const Index batch = x.shape()[0], places = x.size() / (batch * features_);
  const auto spread = [&](Var v) { return reshape(repeat_rows(v, places), x.shape()); };
  return map("film", [](auto v, auto g, auto b) { return (Real(1) + g) * v + b; }, x, spread(slice(h, 1, 0, features_)),
             spread(slice(h, 1, features_, 2 * features_)));
}

}  // namespace vaezoo
