#include "autodiff/reduce.hpp"

#include <cmath>

#include "autodiff/axis_kernels.hpp"
#include "autodiff/shape_ops.hpp"

namespace ad {

using namespace detail;

Axes::Axes(std::span<const Index> axes) : count_(std::ssize(axes)) {
  AD_CHECK(count_ <= Shape::kMaxRank, "Axes", cat("at most ", Shape::kMaxRank, " axes are supported, got ", count_));
  std::copy(axes.begin(), axes.end(), axes_.begin());
}

std::array<bool, Shape::kMaxRank> Axes::marked(Index rank, const char* op) const {
  std::array<bool, Shape::kMaxRank> marks{};
  if (count_ == 0) marks.fill(true);
  for (Index i = 0; i < count_; ++i) {
    const Index axis = normalize_axis(axes_[static_cast<std::size_t>(i)], rank, op);
    AD_CHECK(!marks[static_cast<std::size_t>(axis)], op, cat("axis ", axis, " is named twice"));
    marks[static_cast<std::size_t>(axis)] = true;
  }
  return marks;
}

namespace {

/// What a reduction works on: x, with its reduced axes side by side, and the shape of the result.
struct Reduction {
  Var x;
  AxisView view;
  Shape shape;
};

Reduction reduction(const char* op, Var x, const Axes& axes, bool keep_dims) {
  const Shape s = x.shape();
  const auto marks = axes.marked(s.rank(), op);
  std::array<Index, Shape::kMaxRank> kept{}, order{};  // sizes that stay; axes with the reduced ones last
  std::size_t kept_count = 0, order_count = 0;
  AxisView view{1, 1, 1};
  bool side_by_side = true;
  int state = 0;  // before, among and after the reduced axes; axes of size 1 fit anywhere
  for (Index axis = 0; axis < s.rank(); ++axis) {
    const bool reduced = marks[static_cast<std::size_t>(axis)];
    if (!reduced || keep_dims) kept[kept_count++] = reduced ? 1 : s[axis];
    if (!reduced) order[order_count++] = axis;
    if (s[axis] == 1) continue;
    if (reduced) {
      side_by_side = side_by_side && state < 2;
      state = std::max(state, 1);
      view.count *= s[axis];
    } else {
      if (state == 1) state = 2;
      (state == 0 ? view.outer : view.inner) *= s[axis];
    }
  }
  const Shape shape(std::span<const Index>(kept.data(), kept_count));
  if (side_by_side) return {x, view, shape};
  for (Index axis = 0; axis < s.rank(); ++axis)
    if (marks[static_cast<std::size_t>(axis)]) order[order_count++] = axis;
  return {permute(x, std::span<const Index>(order.data(), order_count)), {view.outer * view.inner, view.count, 1}, shape};
}

void check_not_empty(const char* op, const Reduction& r) {
  AD_CHECK(r.view.count > 0, op, cat("has no value over an empty axis: x is ", r.x.shape()));
}

/// sum and mean: scale * sum x.
Var scaled_sum(const char* op, const Reduction& r, Real scale) {
  const Var x = r.x, y = x.tape().node(op, r.shape, {x});
  const AxisView view = r.view;
  fold(x.tape(), view, Sum{}, Same{}, Sources<1>{x.data()}, Sources<0>{}, {y.data(), false});
  if (scale != 1)
    for (Real& v : y.value()) v *= scale;
  if (y.live())
    x.tape().on_backward(y, [=] {
      Tape& t = y.tape();
      const GradSlot g = t.grad(x);
      spread(view, [scale](const Batch& y_bar) { return y_bar * scale; }, Sources<0>{}, Sources<1>{t.adjoint(y)}, g);
    });
  return y;
}

template <class Op>
Var extremum(const char* op, Op pick, const Reduction& r) {
  check_not_empty(op, r);
  const Var x = r.x, y = x.tape().node(op, r.shape, {x});
  const AxisView view = r.view;
  fold(x.tape(), view, pick, Same{}, Sources<1>{x.data()}, Sources<0>{}, {y.data(), false});
  if (y.live())
    x.tape().on_backward(y, [=] {
      Tape& t = y.tape();
      const GradSlot g = t.grad(x);
      const auto chosen = [](const Batch& v, const Batch& best) {  // a NaN result was chosen from the NaNs
        return xsimd::select((v == best) || (xsimd::isnan(v) && xsimd::isnan(best)), Batch(Real(1)), Batch(Real(0)));
      };
      Real* ties = t.scratch(y.size());
      fold(t, view, Sum{}, chosen, Sources<1>{x.data()}, Sources<1>{y.data()}, {ties, false});
      spread(
          view,
          [chosen](const Batch& v, const Batch& best, const Batch& n, const Batch& y_bar) {
            return chosen(v, best) * (y_bar / n);
          },
          Sources<1>{x.data()}, Sources<3>{y.data(), ties, t.adjoint(y)}, g);
    });
  return y;
}

/// m where it is finite, 0 elsewhere: x - m must not be inf - inf. (A NaN in x shows all the same.)
Batch finite_or_zero(const Batch& m) {
  return xsimd::select(xsimd::abs(m) < Batch(std::numeric_limits<Real>::infinity()), m, Batch(Real(0)));
}

/// log sum e^x into `out`, [outer, inner].
void log_sum_exp(Tape& t, const AxisView& view, const Real* x, Real* out) {
  const Index n = view.outer * view.inner;
  Real* peak = t.scratch(n);
  fold(t, view, Max{}, Same{}, Sources<1>{x}, Sources<0>{}, {peak, false});
  fold(t, view, Sum{}, [](const Batch& v, const Batch& m) { return xsimd::exp(v - finite_or_zero(m)); }, Sources<1>{x},
       Sources<1>{peak}, {out, false});
  spread({n, 1, 1}, [](const Batch& s, const Batch& m) { return xsimd::log(s) + finite_or_zero(m); }, Sources<2>{out, peak},
         Sources<0>{}, {out, false});
}

AxisView one_axis(Var x, Index axis, const char* op) { return along(x.shape(), normalize_axis(axis, x.shape().rank(), op)); }

template <class Op>
std::span<const Index> position(const char* op, Op pick, Var x, Index axis) {
  const AxisView view = one_axis(x, axis, op);
  AD_CHECK(view.count > 0, op, cat("has no value over an empty axis: x is ", x.shape()));
  Tape& t = x.tape();
  const Index n = view.outer * view.inner;
  Real* best = t.scratch(n);
  Index* at = t.scratch<Index>(n);
  const Real* in = x.data();
  fold(t, view, pick, Same{}, Sources<1>{in}, Sources<0>{}, {best, false});
  parallel_blocks(n, std::max<Index>(1, 8192 / view.count), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Real* row = in + i / view.inner * view.count * view.inner + i % view.inner;
      Index c = 0;
      while (c + 1 < view.count && row[c * view.inner] != best[i] && !std::isnan(row[c * view.inner])) ++c;
      at[i] = c;
    }
  });
  return {at, static_cast<std::size_t>(n)};
}

}  // namespace

Var sum(Var x, Axes axes, bool keep_dims) { return scaled_sum("sum", reduction("sum", x, axes, keep_dims), 1); }

Var mean(Var x, Axes axes, bool keep_dims) {
  const Reduction r = reduction("mean", x, axes, keep_dims);
  check_not_empty("mean", r);
  return scaled_sum("mean", r, Real(1) / static_cast<Real>(r.view.count));
}

Var max(Var x, Axes axes, bool keep_dims) { return extremum("max", Max{}, reduction("max", x, axes, keep_dims)); }
Var min(Var x, Axes axes, bool keep_dims) { return extremum("min", Min{}, reduction("min", x, axes, keep_dims)); }

Var var(Var x, Axes axes, bool keep_dims, bool unbiased) {
  const Reduction r = reduction("var", x, axes, keep_dims);
  const AxisView view = r.view;
  AD_CHECK(view.count > (unbiased ? 1 : 0), "var",
           cat("needs at least ", unbiased ? 2 : 1, " elements per result, got ", view.count, ": x is ", x.shape()));
  const Var in = r.x, y = in.tape().node("var", r.shape, {in});
  const Real per = Real(1) / static_cast<Real>(view.count), scale = Real(1) / static_cast<Real>(view.count - (unbiased ? 1 : 0));
  Real* center = in.tape().scratch(y.size());
  fold(in.tape(), view, Sum{}, Same{}, Sources<1>{in.data()}, Sources<0>{}, {center, false});
  for (Index i = 0; i < y.size(); ++i) center[i] *= per;
  fold(in.tape(), view, Sum{}, [scale](const Batch& v, const Batch& m) { return (v - m) * (v - m) * scale; },
       Sources<1>{in.data()}, Sources<1>{center}, {y.data(), false});
  if (y.live())
    in.tape().on_backward(y, [=] {
      const GradSlot g = y.tape().grad(in);
      spread(view, [scale](const Batch& v, const Batch& m, const Batch& y_bar) { return Real(2) * scale * (v - m) * y_bar; },
             Sources<1>{in.data()}, Sources<2>{center, y.tape().adjoint(y)}, g);
    });
  return y;
}

Var logsumexp(Var x, Axes axes, bool keep_dims) {
  const Reduction r = reduction("logsumexp", x, axes, keep_dims);
  const AxisView view = r.view;
  const Var in = r.x, y = in.tape().node("logsumexp", r.shape, {in});
  log_sum_exp(in.tape(), view, in.data(), y.data());
  if (y.live())
    in.tape().on_backward(y, [=] {
      const GradSlot g = y.tape().grad(in);
      spread(
          view,
          [](const Batch& v, const Batch& total, const Batch& y_bar) { return y_bar * xsimd::exp(v - finite_or_zero(total)); },
          Sources<1>{in.data()}, Sources<2>{y.data(), y.tape().adjoint(y)}, g);
    });
  return y;
}

Var softmax(Var x, Index axis) {
  const AxisView view = one_axis(x, axis, "softmax");
  Tape& tape = x.tape();
  const Var y = tape.node("softmax", x.shape(), {x});
  const Index n = view.outer * view.inner;
  Real *peak = tape.scratch(n), *total = tape.scratch(n);
  fold(tape, view, Max{}, Same{}, Sources<1>{x.data()}, Sources<0>{}, {peak, false});
  spread(view, [](const Batch& v, const Batch& m) { return xsimd::exp(v - m); }, Sources<1>{x.data()}, Sources<1>{peak},
         {y.data(), false});
  fold(tape, view, Sum{}, Same{}, Sources<1>{y.data()}, Sources<0>{}, {total, false});
  spread(view, [](const Batch& e, const Batch& s) { return e / s; }, Sources<1>{y.data()}, Sources<1>{total}, {y.data(), false});
  if (y.live())
    tape.on_backward(y, [=] {  // x_bar = y (y_bar - sum y y_bar)
      Tape& t = y.tape();
      const GradSlot g = t.grad(x);
      const Real* y_bar = t.adjoint(y);
      Real* dot = t.scratch(n);
      fold(t, view, Sum{}, [](const Batch& p, const Batch& b) { return p * b; }, Sources<2>{y.data(), y_bar}, Sources<0>{},
           {dot, false});
      spread(
          view, [](const Batch& p, const Batch& b, const Batch& d) { return p * (b - d); }, Sources<2>{y.data(), y_bar},
          Sources<1>{dot}, g);
    });
  return y;
}

Var log_softmax(Var x, Index axis) {
  const AxisView view = one_axis(x, axis, "log_softmax");
  Tape& tape = x.tape();
  const Var y = tape.node("log_softmax", x.shape(), {x});
  const Index n = view.outer * view.inner;
  Real* total = tape.scratch(n);
  log_sum_exp(tape, view, x.data(), total);
  spread(view, [](const Batch& v, const Batch& s) { return v - s; }, Sources<1>{x.data()}, Sources<1>{total}, {y.data(), false});
  if (y.live())
    tape.on_backward(y, [=] {  // x_bar = y_bar - e^y sum y_bar
      Tape& t = y.tape();
      const GradSlot g = t.grad(x);
      const Real* y_bar = t.adjoint(y);
      Real* flow = t.scratch(n);
      fold(t, view, Sum{}, Same{}, Sources<1>{y_bar}, Sources<0>{}, {flow, false});
      spread(
          view, [](const Batch& l, const Batch& b, const Batch& s) { return b - xsimd::exp(l) * s; }, Sources<2>{y.data(), y_bar},
          Sources<1>{flow}, g);
    });
  return y;
}

std::span<const Index> argmax(Var x, Index axis) { return position("argmax", Max{}, x, axis); }
std::span<const Index> argmin(Var x, Index axis) { return position("argmin", Min{}, x, axis); }

}  // namespace ad
