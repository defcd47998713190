#pragma once
// map(f, x...) applies a scalar formula to every element. The lambda is evaluated on batches in the forward pass and
// on duals of batches in the backward pass, so a new elementwise op, or a whole fused formula, is one line:
//
//   Var y = map("softplus_minus", [](auto a, auto b) { return softplus(a) - b; }, x1, x2);
//
// Write branches with select, fmax and fmin. The lambda captures plain numbers only and must not depend on position.
#include <algorithm>
#include <array>
#include <utility>

#include "autodiff/dual.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/tape.hpp"

namespace ad {
namespace detail {

inline constexpr Index kMapGrain = 8192;  // elements per parallel task: some microseconds of work


void check_equal_shapes(const char* op, std::initializer_list<Var> x);
/// How many rows of the others each row of the last one serves.
Index check_shared_rows(const char* op, std::initializer_list<Var> x);

template <std::size_t N>
using Pointers = std::array<const Real*, N>;
template <std::size_t N>
using Slots = std::array<GradSlot, N>;

/// f on lanes [i, i + count) of each input; count = kLanes but at the end.
template <std::size_t N, std::size_t... I>
std::array<Batch, N> load_inputs(const Pointers<N>& x, Index i, Index count, std::index_sequence<I...>) {
  return {(count == kLanes ? load(x[I] + i) : load_part(x[I] + i, count))...};
}

template <class F, std::size_t N, std::size_t... I>
Batch evaluate(const F& f, const std::array<Batch, N>& x, std::index_sequence<I...>) {
  return Batch(f(x[I]...));
}

/// f and its N partial derivatives.
template <class F, std::size_t N, std::size_t... I>
Dual<static_cast<int>(N)> evaluate_dual(const F& f, const std::array<Batch, N>& x, std::index_sequence<I...>) {
  using D = Dual<static_cast<int>(N)>;
  return D(f(D::input(x[I], static_cast<int>(I))...));
}

/// Adds partial * y_bar into each wanted slot at lanes [i, i + count).
template <std::size_t N>
void put_gradients(const Slots<N>& slots, const Dual<static_cast<int>(N)>& y, const Batch& y_bar, Index i, Index count) {
  for (std::size_t k = 0; k < N; ++k) {
    if (!slots[k]) continue;
    Real* g = slots[k].data + i;
    const Batch share = y.d[k] * y_bar;
    if (count == kLanes)
      store(g, slots[k].add ? load(g) + share : share);
    else
      store_part(g, slots[k].add ? load_part(g, count) + share : share, count);
  }
}

}  // namespace detail

/// y_i = f(x1_i, ..., xN_i).  x: equal shapes   returns: that shape   adjoint: xk_bar_i += y_bar_i df/dxk.
/// Throws ShapeError when the shapes differ.
template <class F, class... X>
  requires(sizeof...(X) > 0 && (std::same_as<X, Var> && ...))
Var map(const char* op, F f, X... inputs) {
  constexpr std::size_t N = sizeof...(X);
  constexpr auto kAll = std::make_index_sequence<N>();
  const std::array<Var, N> x{inputs...};
  detail::check_equal_shapes(op, {inputs...});
  Tape& tape = x[0].tape();
  const Var y = tape.node(op, x[0].shape(), {inputs...});
  const detail::Pointers<N> in{inputs.data()...};
  Real* out = y.data();
  parallel_blocks(y.size(), even_grain(y.size(), detail::kMapGrain, kLanes), [&](Index begin, Index end) {
    const auto g = f;  // locals stay in registers: a store could change what is captured by reference
    const auto x_i = in;
    Real* const y_i = out;
    Index i = begin;
    for (; i + kLanes <= end; i += kLanes)
      store(y_i + i, detail::evaluate(g, detail::load_inputs<N>(x_i, i, kLanes, kAll), kAll));
    if (i < end) store_part(y_i + i, detail::evaluate(g, detail::load_inputs<N>(x_i, i, end - i, kAll), kAll), end - i);
  });
  if (y.live()) {
    tape.on_backward(y, [=] {
      Tape& t = y.tape();
      detail::Slots<N> slots;
      for (std::size_t k = 0; k < N; ++k) slots[k] = t.grad(x[k]);
      const Real* y_bar = t.adjoint(y);
      parallel_blocks(y.size(), even_grain(y.size(), detail::kMapGrain, kLanes), [&](Index begin, Index end) {
        const auto g = f;
        const auto x_i = in;
        const auto x_bar = slots;
        const Real* const bar = y_bar;
        for (Index i = begin; i < end; i += kLanes) {
          const Index count = std::min(kLanes, end - i);
          const auto d = detail::evaluate_dual(g, detail::load_inputs<N>(x_i, i, count, kAll), kAll);
          detail::put_gradients<N>(x_bar, d, count == kLanes ? load(bar + i) : load_part(bar + i, count), i, count);
        }
      });
    });
  }
  return y;
}

namespace detail {

/// The sums over rows behind map_sum and map_sum_shared: row r of the last input is row r / times of its memory.
template <std::size_t N, class F>
Var sum_rows(const char* op, F f, const std::array<Var, N>& x, Index times) {
  constexpr auto kAll = std::make_index_sequence<N>();
  AD_CHECK(x[0].shape().rank() >= 1, op, "needs at least one axis, the batch; a scalar came");
  Tape& tape = x[0].tape();
  const Index rows = x[0].shape()[0], width = rows == 0 ? 0 : x[0].size() / rows;
  const auto grain_of = [width](Index count, Index size) {
    return even_grain(count, std::max<Index>(1, kMapGrain / std::max<Index>(width * size, 1)));
  };
  const auto row_of = [width, times](auto pointers, Index r) {  // where each input's row r begins
    for (std::size_t k = 0; k < N; ++k) pointers[k] += (k + 1 == N ? r / times : r) * width;
    return pointers;
  };
  const Var y = tape.node(op, {rows}, x);
  Pointers<N> in;
  for (std::size_t k = 0; k < N; ++k) in[k] = x[k].data();
  Real* out = y.data();
  parallel_blocks(rows, grain_of(rows, 1), [&](Index begin, Index end) {
    const auto g = f;
    for (Index r = begin; r < end; ++r) {
      const auto x_r = row_of(in, r);
      Batch total(Real(0));
      Index i = 0;
      for (; i + kLanes <= width; i += kLanes) total += evaluate(g, load_inputs<N>(x_r, i, kLanes, kAll), kAll);
      Real rest = 0;
      if (i < width) {
        std::array<Real, static_cast<std::size_t>(kLanes)> lanes{};
        store_part(lanes.data(), evaluate(g, load_inputs<N>(x_r, i, width - i, kAll), kAll), width - i);
        for (Real v : lanes) rest += v;
      }
      out[r] = sum_lanes(total) + rest;
    }
  });
  if (y.live()) {
    tape.on_backward(y, [=] {
      Tape& t = y.tape();
      Slots<N> slots;
      for (std::size_t k = 0; k < N; ++k) slots[k] = t.grad(x[k]);
      const Real* y_bar = t.adjoint(y);
      const Index group = slots[N - 1] ? times : 1;  // rows that add into one row of a gradient go to one thread
      parallel_blocks(rows / group, grain_of(rows / group, group), [&](Index begin, Index end) {
        const auto g = f;
        for (Index r = begin * group; r < end * group; ++r) {
          const Batch row_bar(y_bar[r]);
          const auto x_r = row_of(in, r);
          auto x_bar = slots;
          for (std::size_t k = 0; k < N; ++k) {
            if (!x_bar[k]) continue;
            x_bar[k].data += (k + 1 == N ? r / times : r) * width;
            x_bar[k].add = x_bar[k].add || (k + 1 == N && r % times > 0);
          }
          for (Index i = 0; i < width; i += kLanes) {
            const Index count = std::min(kLanes, width - i);
            put_gradients<N>(x_bar, evaluate_dual(g, load_inputs<N>(x_r, i, count, kAll), kAll), row_bar, i, count);
          }
        }
      });
    });
  }
  return y;
}

}  // namespace detail

/// y_b = sum_j f(x1_bj, ..., xN_bj): map with the sum over all axes but the first fused in, so no [B, D] result is written.
///   x: equal shapes [B, ...]   returns: [B]   adjoint: xk_bar_bj += y_bar_b df/dxk.
template <class F, class... X>
  requires(sizeof...(X) > 0 && (std::same_as<X, Var> && ...))
Var map_sum(const char* op, F f, X... inputs) {
  detail::check_equal_shapes(op, {inputs...});
  return detail::sum_rows<sizeof...(X)>(op, f, {inputs...}, 1);
}

/// map_sum(op, f, x1, ..., repeat_rows(xN, times)) without writing the repeated rows: each row of the last input serves as many
/// neighbouring rows of the others as there are for it.
///   x: [B times, ...], the last one [B, ...]   returns: [B times].
template <class F, class... X>
  requires(sizeof...(X) > 1 && (std::same_as<X, Var> && ...))
Var map_sum_shared(const char* op, F f, X... inputs) {
  return detail::sum_rows<sizeof...(X)>(op, f, {inputs...}, detail::check_shared_rows(op, {inputs...}));
}

}  // namespace ad
