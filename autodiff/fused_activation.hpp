#pragma once
// The activations that ops with a bias (linear, convolutions, batch norm) apply to their result while it is in cache.
#include <algorithm>

#include "autodiff/linalg.hpp"
#include "autodiff/map.hpp"

namespace ad::detail {

inline constexpr Real kLeakySlope = Real(0.01);

/// Calls visit(f, slope) with the activation and its derivative as a function of the activation's own value, for those
/// activations whose derivative the value determines; the others are not fused.
template <class Visit>
void with_fused(Activation a, Visit visit) {
  const Batch zero(Real(0)), one(Real(1));
  switch (a) {
    case Activation::relu:
      return visit([](auto x) { return relu(x); }, [=](auto y) { return select(y <= zero, zero, one); });
    case Activation::leaky_relu:
      return visit([](auto x) { return leaky_relu(x, kLeakySlope); },
                   [=](auto y) { return select(y > zero, one, Batch(kLeakySlope)); });
    case Activation::elu:
      return visit([](auto x) { return elu(x, Real(1)); }, [=](auto y) { return select(y > zero, one, y + one); });
    case Activation::softplus:
      return visit([](auto x) { return softplus(x); }, [=](auto y) { return one - xsimd::exp(-y); });
    case Activation::tanh:
      return visit([](auto x) { return xsimd::tanh(x); }, [=](auto y) { return one - y * y; });
    case Activation::sigmoid:
      return visit([](auto x) { return sigmoid(x); }, [=](auto y) { return y * (one - y); });
    default:
      return visit([](auto x) { return x; }, [=](auto) { return one; });
  }
}

inline bool fused(Activation a) { return a != Activation::gelu && a != Activation::silu; }

/// y = f(y + bias) over `count` neighbours.
template <class F>
void bias_and_activate(const F& f, Real* y, const Real* bias, Index count) {
  Index i = 0;
  if (bias == nullptr) {
    for (; i + kLanes <= count; i += kLanes) store(y + i, f(load(y + i)));
    if (i < count) store_part(y + i, f(load_part(y + i, count - i)), count - i);
  } else {
    for (; i + kLanes <= count; i += kLanes) store(y + i, f(load(y + i) + load(bias + i)));
    if (i < count) store_part(y + i, f(load_part(y + i, count - i) + load_part(bias + i, count - i)), count - i);
  }
}

/// y_bar *= slope(y): from the gradient after the activation to the one before it.
template <class Slope>
void through_activation(const Slope& slope, const Real* y, Real* y_bar, Index size) {
  parallel_blocks(size, even_grain(size, kMapGrain, kLanes), [&](Index begin, Index end) {
    Index i = begin;
    for (; i + kLanes <= end; i += kLanes) store(y_bar + i, load(y_bar + i) * slope(load(y + i)));
    if (i < end) store_part(y_bar + i, load_part(y_bar + i, end - i) * slope(load_part(y + i, end - i)), end - i);
  });
}

/// bias_bar_j (+)= sum_b y_bar_bj for columns [begin, end).
inline void sum_columns(const Real* y_bar, Index rows, Index stride, Index begin, Index end, GradSlot bias) {
  Real* sum = bias.data;
  if (!bias.add) std::fill(sum + begin, sum + end, Real(0));
  for (Index r = 0; r < rows; ++r)
    for (Index j = begin; j < end; ++j) sum[j] += y_bar[r * stride + j];
}

}  // namespace ad::detail
