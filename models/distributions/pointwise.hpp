#pragma once
// Functions without an op of their own.
#include <array>

#include "autodiff/parallel.hpp"
#include "autodiff/tape.hpp"

namespace vaezoo {

/// y_i = f(x_i, i) with the slope slope_of(x_i, y_i), each evaluated in double.
template <class F, class Slope>
ad::Var pointwise(const char* op, ad::Var x, F f, Slope slope_of) {
  ad::Tape& tape = x.tape();
  const ad::Var y = tape.node(op, x.shape(), std::array{x});
  ad::Real* const slope = tape.scratch(y.live() ? x.size() : 0);
  ad::parallel_blocks(x.size(), 64, [&](ad::Index begin, ad::Index end) {
    for (ad::Index i = begin; i < end; ++i) {
      const double at = double(x.data()[i]), value = f(at, i);
      y.data()[i] = static_cast<ad::Real>(value);
      if (y.live()) slope[i] = static_cast<ad::Real>(slope_of(at, value));
    }
  });
  if (y.live()) {
    tape.on_backward(y, [=] {
      ad::Tape& t = y.tape();
      const ad::GradSlot x_bar = t.grad(x);
      const ad::Real* const y_bar = t.adjoint(y);
      if (!x_bar) return;
      for (ad::Index i = 0; i < x.size(); ++i) x_bar.data[i] = (x_bar.add ? x_bar.data[i] : 0) + y_bar[i] * slope[i];
    });
  }
  return y;
}

}  // namespace vaezoo
