#include "autodiff/weight_norm.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/parallel.hpp"
#include "autodiff/simd.hpp"

namespace ad {
namespace {

/// sum_j a_j b_j, in a fixed order.
Real dot(const Real* a, const Real* b, Index count) {
  Batch total(Real(0));
  Index j = 0;
  for (; j + kLanes <= count; j += kLanes) total += load(a + j) * load(b + j);
  Real rest = 0;
  for (; j < count; ++j) rest += a[j] * b[j];
  return sum_lanes(total) + rest;
}

constexpr Index kGrain = 16384;  // numbers in a parallel task

template <class F>
void each_row(Index rows, Index columns, const F& f) {
  parallel_blocks(rows, std::max<Index>(1, kGrain / std::max<Index>(1, columns)), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) f(r);
  });
}

}  // namespace

Var weight_norm(Var v, Var g) {
  AD_CHECK(v.shape().rank() >= 1 && g.size() == v.shape()[0], "weight_norm",
           cat("v is ", v.shape(), " and g ", g.shape(), ": there must be one g for each row of v"));
  const Index rows = v.shape()[0], columns = rows == 0 ? 0 : v.size() / rows;
  Tape& tape = v.tape();
  const Var w = tape.node("weight_norm", v.shape(), {v, g});
  Real* length = tape.scratch(rows);
  const Real *pv = v.data(), *pg = g.data();
  Real* pw = w.data();
  each_row(rows, columns, [&](Index r) {
    const Real* row = pv + r * columns;
    length[r] = std::sqrt(dot(row, row, columns));
    const Real scale = pg[r] / length[r];
    for (Index j = 0; j < columns; ++j) pw[r * columns + j] = scale * row[j];
  });
  if (!w.live()) return w;
  tape.on_backward(w, [=] {  // with u = v / |v|: g_bar = w_bar u, v_bar = g / |v| (w_bar - u (w_bar u))
    Tape& t = w.tape();
    const Real* w_bar = t.adjoint(w);
    const GradSlot v_slot = t.grad(v), g_slot = t.grad(g);
    each_row(rows, columns, [&](Index r) {
      const Real *row = pv + r * columns, *bar = w_bar + r * columns;
      const Real along = dot(row, bar, columns) / length[r], scale = pg[r] / length[r], back = along / length[r];
      if (g_slot) g_slot.data[r] = g_slot.add ? g_slot.data[r] + along : along;
      if (!v_slot) return;
      Real* to = v_slot.data + r * columns;
      for (Index j = 0; j < columns; ++j) {
        const Real share = scale * (bar[j] - back * row[j]);
        to[j] = v_slot.add ? to[j] + share : share;
      }
    });
  });
  return w;
}

Initializer init::row_lengths(Parameter& v) {
  return [&v](Key, const Shape&, std::span<Real> lengths) {
    const std::size_t columns = lengths.empty() ? 0 : v.value().size() / lengths.size();
    for (std::size_t r = 0; r < lengths.size(); ++r) {
      const Real* row = v.value().data() + r * columns;
      lengths[r] = std::sqrt(dot(row, row, static_cast<Index>(columns)));
    }
  };
}

}  // namespace ad
