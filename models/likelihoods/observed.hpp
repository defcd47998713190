#pragma once
// Sums over the numbers of x that were observed.
#include <limits>
#include <tuple>

#include "autodiff/map.hpp"

namespace vaezoo {

/// sum_d mask_d f(h_d ..., x_d) of each row, [B]: of h [B, D] ..., and of x and mask with as many rows or one for some neighbouring ones. Without
/// a mask all numbers count. f and its derivative at a number that was not observed may be anything.
template <class F, class... H>
ad::Var sum_over_observed(const char* op, F f, ad::Var x, ad::Var mask, H... h) {
  if (!mask) return ad::map_sum_shared(op, f, h..., x);
  const ad::Var marked = ad::map("observed", [](auto v, auto m) {  // so that one operand says both
    return select(m > decltype(m)(ad::Real(0)), v, decltype(v)(std::numeric_limits<ad::Real>::quiet_NaN()));
  }, x, mask);
  return ad::map_sum_shared(op, [f](auto... inputs) {
    const auto v = std::get<sizeof...(H)>(std::tie(inputs...));
    const auto term = f(inputs...);
    return select(v == v, term, decltype(term)(ad::Real(0)));
  }, h..., marked);
}

}  // namespace vaezoo
