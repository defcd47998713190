#include "autodiff/shape_ops.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "autodiff/axis_kernels.hpp"

namespace ad {
namespace {

using detail::along;
using detail::AxisView;
using Sizes = std::array<Index, Shape::kMaxRank>;
constexpr Index kGrain = 16384;  // elements per parallel task: these ops are bound by memory

std::size_t at(Index i) { return static_cast<std::size_t>(i); }
Shape to_shape(const Sizes& sizes, Index rank) { return Shape(std::span<const Index>(sizes.data(), at(rank))); }

/// to (+)= from over `count` neighbours.
void put_row(Real* to, const Real* from, Index count, bool add) {
  if (add)
    for (Index i = 0; i < count; ++i) to[i] += from[i];
  else
    std::copy_n(from, count, to);
}

/// Calls f(row) for rows of `width` elements, in parallel.
template <class F>
void each_row(Index rows, Index width, F f) {
  parallel_blocks(rows, std::max<Index>(1, kGrain / std::max<Index>(width, 1)), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) f(r);
  });
}

/// A view of x's memory under another shape; its adjoint is x's under another shape too.
Var view_as(const char* op, Var x, const Shape& shape) {
  Tape& tape = x.tape();
  const Var y = tape.alias(op, shape, x, true);
  if (y.live())
    tape.on_backward(y, [=] {
      const GradSlot g = y.tape().grad_over(x, y);
      const Real* y_bar = y.tape().adjoint(y);
      if (g.data == y_bar) return;
      parallel_blocks(y.size(), kGrain,
                      [&](Index begin, Index end) { put_row(g.data + begin, y_bar + begin, end - begin, g.add); });
    });
  return y;
}

}  // namespace

Var reshape(Var x, const Shape& shape) {
  AD_CHECK(shape.size() == x.size(), "reshape",
           cat("cannot view ", x.shape(), " (", x.size(), " elements) as ", shape, " (", shape.size(), ")"));
  return view_as("reshape", x, shape);
}

Var reshape(Var x, std::initializer_list<Index> sizes) {
  Index known = 1, unknown = 0;
  for (Index n : sizes) n == -1 ? void(++unknown) : void(known *= n);
  AD_CHECK(unknown <= 1, "reshape", "only one size may be -1");
  AD_CHECK(unknown == 0 || (known > 0 && x.size() % known == 0), "reshape",
           cat("cannot work out the size -1: the other sizes multiply to ", known, " and ", x.shape(), " has ", x.size(),
               " elements"));
  Sizes resolved{};
  AD_CHECK(std::ssize(sizes) <= Shape::kMaxRank, "reshape", cat("at most ", Shape::kMaxRank, " axes are supported"));
  std::transform(sizes.begin(), sizes.end(), resolved.begin(), [&](Index n) { return n == -1 ? x.size() / known : n; });
  return reshape(x, to_shape(resolved, std::ssize(sizes)));
}

Var flatten(Var x, Index first_axis, Index last_axis) {
  const Shape s = x.shape();
  if (s.rank() == 0) return view_as("flatten", x, {1});
  const Index first = normalize_axis(first_axis, s.rank(), "flatten"), last = normalize_axis(last_axis, s.rank(), "flatten");
  AD_CHECK(first <= last, "flatten", cat("the first axis ", first, " comes after the last one ", last));
  Sizes sizes{};
  Index rank = 0;
  for (Index axis = 0; axis < s.rank(); ++axis) {
    if (axis > first && axis <= last)
      sizes[at(rank - 1)] *= s[axis];
    else
      sizes[at(rank++)] = s[axis];
  }
  return view_as("flatten", x, to_shape(sizes, rank));
}

Var squeeze(Var x, Index axis) {
  const Shape s = x.shape();
  axis = normalize_axis(axis, s.rank(), "squeeze");
  AD_CHECK(s[axis] == 1, "squeeze", cat("axis ", axis, " of ", s, " has size ", s[axis], ", not 1"));
  Sizes sizes{};
  std::copy(s.begin() + axis + 1, s.end(), std::copy(s.begin(), s.begin() + axis, sizes.begin()));
  return view_as("squeeze", x, to_shape(sizes, s.rank() - 1));
}

Var unsqueeze(Var x, Index axis) {
  const Shape s = x.shape();
  AD_CHECK(s.rank() < Shape::kMaxRank, "unsqueeze",
           cat("at most ", Shape::kMaxRank, " axes are supported, ", s, " has them all"));
  axis = normalize_axis(axis, s.rank() + 1, "unsqueeze");
  Sizes sizes{};
  const auto next = std::copy(s.begin(), s.begin() + axis, sizes.begin());
  *next = 1;
  std::copy(s.begin() + axis, s.end(), next + 1);
  return view_as("unsqueeze", x, to_shape(sizes, s.rank() + 1));
}

namespace {

/// x, seen as [outer, 1, inner], stretched to [outer, count, inner].
Var stretch(const char* op, Var x, const Shape& shape, const AxisView& view) {
  Tape& tape = x.tape();
  const Var y = tape.node(op, shape, {x});
  detail::spread(view, detail::Same{}, detail::Sources<0>{}, detail::Sources<1>{x.data()}, {y.data(), false});
  if (y.live())
    tape.on_backward(y, [=] {
      Tape& t = y.tape();
      const GradSlot g = t.grad(x);
      detail::fold(t, view, detail::Sum{}, detail::Same{}, detail::Sources<1>{t.adjoint(y)}, detail::Sources<0>{}, g);
    });
  return y;
}

}  // namespace

Var broadcast_to(Var x, const Shape& shape) {
  const Shape from = x.shape();
  AD_CHECK(broadcast_shape(from, shape, "broadcast_to") == shape, "broadcast_to", cat(from, " does not stretch to ", shape));
  const Index offset = shape.rank() - from.rank();
  const auto size_of = [&](Index axis) { return axis < offset ? Index(1) : from[axis - offset]; };
  // One node stretches axes that lie side by side; when others lie between, the first group is stretched first.
  AxisView view{1, 1, 1};
  Shape step = shape;
  int state = 0;  // before, among and after the first group of stretched axes, and in a second one
  for (Index axis = 0; axis < shape.rank(); ++axis) {
    const bool stretched = size_of(axis) != shape[axis];
    if (shape[axis] != 1) {
      if (stretched) state = state == 0 ? 1 : state == 2 ? 3 : state;
      if (!stretched && state == 1) state = 2;
    }
    if (state == 3) step[axis] = size_of(axis);
    (state == 0 ? view.outer : state == 1 ? view.count : view.inner) *= step[axis];
  }
  const Var y = stretch("broadcast_to", x, step, view);
  return state == 3 ? broadcast_to(y, shape) : y;
}

Var repeat_rows(Var x, Index times) {
  Shape shape = x.shape();
  AD_CHECK(shape.rank() >= 1, "repeat_rows", "needs at least one axis, the batch; a scalar came");
  AD_CHECK(times >= 1, "repeat_rows", cat("needs times >= 1, got ", times));
  const Index rows = shape[0], inner = rows == 0 ? 0 : x.size() / rows;
  shape[0] = rows * times;
  return stretch("repeat_rows", x, shape, {rows, times, inner});
}

namespace {

/// out (+)= in with axes rearranged: out, of these sizes, reads in at these strides. Tiles of 32 x 32 keep the lines of both in
/// cache when the last axis of out is not the last one of in.
struct Rearrangement {
  Sizes size{}, stride{};
  Index rank = 0, column = 0;  // column: the axis of out that runs along the memory of in

  Rearrangement(const Shape& in, std::span<const Index> order) {
    Sizes in_stride{};
    for (Index axis = in.rank() - 1, step = 1; axis >= 0; step *= in[axis--]) in_stride[at(axis)] = step;
    Index previous = -2;
    for (const Index axis : order) {
      if (in[axis] == 1) continue;
      if (axis == previous + 1) {  // neighbours stay neighbours: one axis
        size[at(rank - 1)] *= in[axis];
        stride[at(rank - 1)] = in_stride[at(axis)];
      } else {
        size[at(rank)] = in[axis];
        stride[at(rank++)] = in_stride[at(axis)];
      }
      previous = axis;
    }
    if (rank == 0) size[at(rank)] = stride[at(rank)] = 1, rank = 1;
    column = std::min_element(stride.begin(), stride.begin() + rank) - stride.begin();
  }

  void run(const Real* in, Real* out, bool add) const {
    constexpr Index kTile = 32;
    const Index width = size[at(rank - 1)], step = stride[at(rank - 1)];
    Index total = 1;
    for (Index axis = 0; axis < rank; ++axis) total *= size[at(axis)];
    if (total == 0) return;
    Sizes out_stride{};
    for (Index axis = rank - 1, s = 1; axis >= 0; s *= size[at(axis--)]) out_stride[at(axis)] = s;
    const bool rows = column == rank - 1;  // else tiles over the axes `column` and the last
    const Index height = rows ? 1 : size[at(column)], tiles = rows ? 1 : (height + kTile - 1) / kTile;
    const Index planes = total / (width * height);
    const Index grain = std::max<Index>(1, kGrain / (width * (rows ? 1 : std::min(kTile, height))));
    parallel_blocks(planes * tiles, grain, [&](Index begin, Index end) {
      for (Index task = begin; task < end; ++task) {
        Index rest = task / tiles, from = 0, to = 0;
        for (Index axis = rank - 2; axis >= 0; --axis) {
          if (!rows && axis == column) continue;
          const Index position = rest % size[at(axis)];
          rest /= size[at(axis)];
          from += position * stride[at(axis)];
          to += position * out_stride[at(axis)];
        }
        if (rows) {
          put_row(out + to, in + from, width, add);
          continue;
        }
        const Index top = task % tiles * kTile, bottom = std::min(top + kTile, height);
        for (Index left = 0; left < width; left += kTile)
          for (Index r = top; r < bottom; ++r) {
            Real* y = out + to + r * out_stride[at(column)];
            const Real* x = in + from + r;
            for (Index c = left; c < std::min(left + kTile, width); ++c) y[c] = add ? y[c] + x[c * step] : x[c * step];
          }
      }
    });
  }
};

}  // namespace

Var permute(Var x, std::span<const Index> order) {
  const Shape s = x.shape();
  AD_CHECK(std::ssize(order) == s.rank(), "permute",
           cat("needs one entry for each of the ", s.rank(), " axes of ", s, ", got ", std::ssize(order)));
  Sizes sizes{}, axes{}, inverse{};
  inverse.fill(-1);
  for (Index i = 0; i < s.rank(); ++i) {
    const Index axis = axes[at(i)] = normalize_axis(order[at(i)], s.rank(), "permute");
    AD_CHECK(inverse[at(axis)] == -1, "permute", cat("axis ", axis, " is named twice"));
    inverse[at(axis)] = i;
    sizes[at(i)] = s[axis];
  }
  Tape& tape = x.tape();
  const Shape shape = to_shape(sizes, s.rank());
  const Var y = tape.node("permute", shape, {x});
  Rearrangement(s, {axes.data(), at(s.rank())}).run(x.data(), y.data(), false);
  if (y.live())
    tape.on_backward(y, [=] {
      const GradSlot g = y.tape().grad(x);
      Rearrangement(shape, {inverse.data(), at(shape.rank())}).run(y.tape().adjoint(y), g.data, g.add);
    });
  return y;
}
Var permute(Var x, std::initializer_list<Index> order) { return permute(x, std::span<const Index>(order.begin(), order.size())); }

Var transpose(Var x, Index axis_a, Index axis_b) {
  const Index rank = x.shape().rank();
  Sizes order{};
  for (Index i = 0; i < rank; ++i) order[at(i)] = i;
  std::swap(order[at(normalize_axis(axis_a, rank, "transpose"))], order[at(normalize_axis(axis_b, rank, "transpose"))]);
  return permute(x, std::span<const Index>(order.data(), at(rank)));
}

Var slice(Var x, Index axis, Index begin, Index end, Index step) {
  const Shape s = x.shape();
  axis = normalize_axis(axis, s.rank(), "slice");
  AD_CHECK(step >= 1, "slice", cat("the step must be at least 1, it is ", step));
  const AxisView v = along(s, axis);
  const auto inside = [&](Index i) { return std::clamp<Index>(i < 0 ? i + v.count : i, 0, v.count); };
  const Index first = inside(begin), last = std::max(first, inside(end)), count = (last - first + step - 1) / step;
  Shape shape = s;
  shape[axis] = count;
  Tape& tape = x.tape();
  const Var y = tape.node("slice", shape, {x});
  // A row is what is contiguous in x: all that is taken when the step is 1, one position otherwise.
  const Index rows = step == 1 ? 1 : count, width = step == 1 ? count * v.inner : v.inner;
  const auto source = [=](Index r) { return (r / rows * v.count + first + r % rows * step) * v.inner; };
  if (y.size() > 0)
    each_row(v.outer * rows, width, [&](Index r) { std::copy_n(x.data() + source(r), width, y.data() + r * width); });
  if (y.live())
    tape.on_backward(y, [=] {
      const GradSlot g = y.tape().grad(x);
      const Real* y_bar = y.tape().adjoint(y);
      const Index plane = v.count * v.inner;
      each_row(v.outer, plane, [&](Index o) {
        Real* x_bar = g.data + o * plane;
        const bool whole = g.add || step > 1;  // else what is taken is overwritten and only the rest needs zeros
        if (!g.add && step > 1) std::fill_n(x_bar, plane, Real(0));
        if (!whole) {
          std::fill(x_bar, x_bar + first * v.inner, Real(0));
          std::fill(x_bar + last * v.inner, x_bar + plane, Real(0));
        }
        if (count > 0)
          for (Index r = o * rows; r < (o + 1) * rows; ++r) put_row(g.data + source(r), y_bar + r * width, width, whole);
      });
    });
  return y;
}

Var chunk(Var x, Index count, Index index, Index axis) {
  axis = normalize_axis(axis, x.shape().rank(), "chunk");
  const Index size = x.shape()[axis];
  AD_CHECK(count >= 1 && size % count == 0, "chunk",
           cat("axis ", axis, " of ", x.shape(), " does not divide into ", count, " equal pieces"));
  AD_CHECK(index >= 0 && index < count, "chunk", cat("there is no piece ", index, " among ", count));
  return slice(x, axis, index * (size / count), (index + 1) * (size / count));
}

namespace {

/// y, seen as [outer, sum of widths], from parts seen as [outer, width].
Var join(const char* op, std::span<const Var> parts, const Shape& shape, Index outer) {
  Tape& tape = parts[0].tape();
  const Var y = tape.node(op, shape, parts);
  const Index count = std::ssize(parts), total = outer == 0 ? 0 : y.size() / outer;
  Var* part = tape.scratch<Var>(count);
  std::copy(parts.begin(), parts.end(), part);
  const auto width = [=](Index k) { return outer == 0 ? 0 : part[k].size() / outer; };
  for (Index k = 0, offset = 0; k < count; offset += width(k++)) {
    const Index w = width(k), begin = offset;
    each_row(outer, w, [&](Index o) { std::copy_n(part[k].data() + o * w, w, y.data() + o * total + begin); });
  }
  if (y.live())
    tape.on_backward(y, [=] {
      const Real* y_bar = y.tape().adjoint(y);
      for (Index k = 0, offset = 0; k < count; offset += width(k++)) {
        const Index w = width(k), begin = offset;
        if (const GradSlot g = y.tape().grad(part[k]))
          each_row(outer, w, [&](Index o) { put_row(g.data + o * w, y_bar + o * total + begin, w, g.add); });
      }
    });
  return y;
}

}  // namespace

Var concat(std::span<const Var> parts, Index axis) {
  AD_CHECK(!parts.empty(), "concat", "needs at least one tensor");
  Shape shape = parts[0].shape();
  axis = normalize_axis(axis, shape.rank(), "concat");
  Index total = 0;
  for (const Var& part : parts) {
    Shape expected = part.shape();
    AD_CHECK(expected.rank() == shape.rank(), "concat",
             cat("shapes ", shape, " and ", expected, " differ in their number of axes"));
    total += expected[axis];
    expected[axis] = shape[axis];
    AD_CHECK(expected == shape, "concat", cat("shapes ", shape, " and ", part.shape(), " differ at another axis than ", axis));
  }
  shape[axis] = total;
  return join("concat", parts, shape, along(shape, axis).outer);
}
Var concat(std::initializer_list<Var> parts, Index axis) {
  return concat(std::span<const Var>(parts.begin(), parts.size()), axis);
}

Var stack(std::span<const Var> parts, Index axis) {
  AD_CHECK(!parts.empty(), "stack", "needs at least one tensor");
  const Shape s = parts[0].shape();
  AD_CHECK(s.rank() < Shape::kMaxRank, "stack", cat("at most ", Shape::kMaxRank, " axes are supported, ", s, " has them all"));
  axis = normalize_axis(axis, s.rank() + 1, "stack");
  for (const Var& part : parts) AD_CHECK(part.shape() == s, "stack", cat("needs equal shapes, got ", s, " and ", part.shape()));
  Sizes sizes{};
  const auto next = std::copy(s.begin(), s.begin() + axis, sizes.begin());
  *next = std::ssize(parts);
  std::copy(s.begin() + axis, s.end(), next + 1);
  const Shape shape = to_shape(sizes, s.rank() + 1);
  return join("stack", parts, shape, along(shape, axis).outer);
}
Var stack(std::initializer_list<Var> parts, Index axis) { return stack(std::span<const Var>(parts.begin(), parts.size()), axis); }

Var pad(Var x, std::span<const Padding> padding, Real value) {
  const Shape s = x.shape();
  const Index rank = s.rank();
  AD_CHECK(std::ssize(padding) == rank, "pad",
           cat("needs one entry for each of the ", rank, " axes of ", s, ", got ", std::ssize(padding)));
  Shape shape = s;
  Sizes before{};
  for (Index axis = 0; axis < rank; ++axis) {
    const Padding p = padding[at(axis)];
    AD_CHECK(p.before >= 0 && p.after >= 0, "pad",
             cat("widths must not be negative, axis ", axis, " has ", p.before, " and ", p.after));
    before[at(axis)] = p.before;
    shape[axis] += p.before + p.after;
  }
  Tape& tape = x.tape();
  const Var y = tape.node("pad", shape, {x});
  const Index width = rank == 0 ? 1 : s.back(), rows = width == 0 ? 0 : x.size() / width;
  const auto place = [=](Index row) {  // where this row of x begins in y
    Index position = rank == 0 ? 0 : before[at(rank - 1)], step = rank == 0 ? 1 : shape.back();
    for (Index axis = rank - 2; axis >= 0; step *= shape[axis], row /= s[axis], --axis)
      position += (row % s[axis] + before[at(axis)]) * step;
    return position;
  };
  parallel_blocks(y.size(), kGrain, [&](Index begin, Index end) { std::fill(y.data() + begin, y.data() + end, value); });
  each_row(rows, width, [&](Index r) { std::copy_n(x.data() + r * width, width, y.data() + place(r)); });
  if (y.live())
    tape.on_backward(y, [=] {
      const GradSlot g = y.tape().grad(x);
      const Real* y_bar = y.tape().adjoint(y);
      each_row(rows, width, [&](Index r) { put_row(g.data + r * width, y_bar + place(r), width, g.add); });
    });
  return y;
}
Var pad(Var x, std::initializer_list<Padding> padding, Real value) {
  return pad(x, std::span<const Padding>(padding.begin(), padding.size()), value);
}

}  // namespace ad
