#include "autodiff/gating.hpp"

#include <algorithm>

#include "autodiff/fused_activation.hpp"

namespace ad {

using namespace detail;

Var glu(Var x, Activation activation) {
  Shape shape = x.shape();
  AD_CHECK(shape.rank() >= 1 && shape.back() % 2 == 0, "glu", cat("the last axis must be even, x is ", shape));
  AD_CHECK(fused(activation), "glu", "gelu and silu are gates themselves; choose another activation");
  const Index width = shape.back() / 2, rows = width == 0 ? 0 : x.size() / (2 * width);
  shape[shape.rank() - 1] = width;
  Tape& tape = x.tape();
  const Var y = tape.node("glu", shape, {x});
  const Index grain = even_grain(rows, std::max<Index>(1, kMapGrain / std::max<Index>(1, width)));
  // Calls f(position of a in x, position in y, lanes); b is `width` behind a.
  const auto each = [=](const auto& f) {
    parallel_blocks(rows, grain, [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r)
        for (Index j = 0; j < width; j += kLanes) f(2 * r * width + j, r * width + j, std::min(kLanes, width - j));
    });
  };
  const auto read = [](const Real* p, Index count) { return count == kLanes ? load(p) : load_part(p, count); };
  const Real* px = x.data();
  Real* py = y.data();
  with_fused(activation, [&](auto f, auto) {
    each([&](Index i, Index o, Index count) {
      const Batch v = f(read(px + i, count)) * sigmoid(read(px + i + width, count));
      count == kLanes ? store(py + o, v) : store_part(py + o, v, count);
    });
  });
  if (!y.live()) return y;
  tape.on_backward(y, [=] {
    Tape& t = y.tape();
    const Real* y_bar = t.adjoint(y);
    const GradSlot slot = t.grad(x);
    const auto put = [&](Index i, const Batch& share, Index count) {
      const Batch v = slot.add ? read(slot.data + i, count) + share : share;
      count == kLanes ? store(slot.data + i, v) : store_part(slot.data + i, v, count);
    };
    with_fused(activation, [&](auto f, auto slope) {
      each([&](Index i, Index o, Index count) {
        const Batch a = f(read(px + i, count)), s = sigmoid(read(px + i + width, count)), g = read(y_bar + o, count);
        put(i, g * slope(a) * s, count);
        put(i + width, g * a * s * (Batch(Real(1)) - s), count);
      });
    });
  });
  return y;
}

}  // namespace ad
