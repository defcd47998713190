#include "autodiff/indexing.hpp"

#include <algorithm>

#include "autodiff/axis_kernels.hpp"
#include "autodiff/shape_ops.hpp"

namespace ad {
namespace {

using detail::along;
using detail::AxisView;

/// The indices on the tape, each checked to be in [0, size).
const Index* copy_indices(const char* op, Tape& tape, std::span<const Index> indices, Index size) {
  Index* copy = tape.scratch<Index>(std::ssize(indices));
  for (std::size_t i = 0; i < indices.size(); ++i) {
    AD_CHECK(indices[i] >= 0 && indices[i] < size, op, cat("index ", i, " is ", indices[i], ", outside of [0, ", size, ")"));
    copy[i] = indices[i];
  }
  return copy;
}

constexpr Index kColumns = 64, kGrain = 16384;

/// to[index[r]] += from[r] for rows of `width`, in order for each element; columns run in parallel.
void add_rows(Real* to, const Real* from, const Index* index, Index rows, Index width) {
  parallel_blocks(width, kColumns, [&](Index begin, Index end) {
    for (Index r = 0; r < rows; ++r) {
      Real* sink = to + index[r] * width;
      for (Index k = begin; k < end; ++k) sink[k] += from[r * width + k];
    }
  });
}

/// Both sides of gather and scatter_add: `whole` is [outer, count, inner], `picked` is [outer, picks, inner]; visit(i, j) pairs
/// element i of `whole` with element j of `picked`. Planes run in parallel, the pairs of one in order.
template <class Visit>
void each_pick(const AxisView& whole, Index picks, const Index* index, Visit visit) {
  const Index plane = picks * whole.inner;
  parallel_blocks(whole.outer, std::max<Index>(1, kGrain / std::max<Index>(plane, 1)), [&](Index begin, Index end) {
    for (Index o = begin; o < end; ++o)
      for (Index j = o * plane; j < (o + 1) * plane; ++j) visit((o * whole.count + index[j]) * whole.inner + j % whole.inner, j);
  });
}

}  // namespace

Var embedding(Var table, std::span<const Index> indices) {
  const Shape s = table.shape();
  AD_CHECK(s.rank() >= 1, "embedding", "the table needs at least one axis; a scalar came");
  Tape& tape = table.tape();
  const Index rows = std::ssize(indices), width = s[0] == 0 ? 0 : table.size() / s[0];
  const Index* index = copy_indices("embedding", tape, indices, s[0]);
  Shape shape = s;
  shape[0] = rows;
  const Var y = tape.node("embedding", shape, {table});
  parallel_blocks(rows, std::max<Index>(1, kGrain / std::max<Index>(width, 1)), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) std::copy_n(table.data() + index[r] * width, width, y.data() + r * width);
  });
  if (y.live())
    tape.on_backward(y, [=] {
      const GradSlot g = y.tape().grad(table);
      if (!g.add) std::fill_n(g.data, table.size(), Real(0));
      add_rows(g.data, y.tape().adjoint(y), index, rows, width);
    });
  return y;
}

Var embedding(Var table, std::span<const Index> indices, const Shape& indices_shape) {
  AD_CHECK(indices_shape.size() == std::ssize(indices), "embedding",
           cat("the indices' shape ", indices_shape, " needs ", indices_shape.size(), " of them, got ", std::ssize(indices)));
  const Var rows = embedding(table, indices);
  std::array<Index, 2 * Shape::kMaxRank> sizes{};
  const auto next = std::copy(indices_shape.begin(), indices_shape.end(), sizes.begin());
  const auto last = std::copy(table.shape().begin() + 1, table.shape().end(), next);
  return reshape(rows, Shape(std::span<const Index>(sizes.data(), static_cast<std::size_t>(last - sizes.begin()))));
}

Var gather(Var x, Index axis, std::span<const Index> indices) {
  Shape shape = x.shape();
  axis = normalize_axis(axis, shape.rank(), "gather");
  const AxisView v = along(shape, axis);
  const Index places = v.outer * v.inner, count = std::ssize(indices), picks = places == 0 ? 0 : count / places;
  AD_CHECK(picks * places == count, "gather",
           cat(count, " indices are no multiple of the ", places, " places of ", shape, " beside axis ", axis));
  shape[axis] = picks;
  Tape& tape = x.tape();
  const Index* index = copy_indices("gather", tape, indices, v.count);
  const Var y = tape.node("gather", shape, {x});
  const Real* in = x.data();
  Real* out = y.data();
  each_pick(v, picks, index, [=](Index i, Index j) { out[j] = in[i]; });
  if (y.live())
    tape.on_backward(y, [=] {
      const GradSlot g = y.tape().grad(x);
      const Real* y_bar = y.tape().adjoint(y);
      if (!g.add) std::fill_n(g.data, x.size(), Real(0));
      each_pick(v, picks, index, [=](Index i, Index j) { g.data[i] += y_bar[j]; });
    });
  return y;
}

Var scatter_add(Var x, Index axis, std::span<const Index> indices, Var source) {
  const Shape shape = x.shape();
  axis = normalize_axis(axis, shape.rank(), "scatter_add");
  Shape expected = source.shape();
  AD_CHECK(std::ssize(indices) == source.size(), "scatter_add",
           cat("needs one index for each element of the source ", source.shape(), ", got ", std::ssize(indices)));
  const Index picks = expected.rank() == shape.rank() ? expected[axis] : -1;
  if (picks >= 0) expected[axis] = shape[axis];
  AD_CHECK(expected == shape, "scatter_add",
           cat("x is ", shape, " and the source ", source.shape(), ": they may differ only at axis ", axis));
  const AxisView v = along(shape, axis);
  Tape& tape = x.tape();
  const Index* index = copy_indices("scatter_add", tape, indices, v.count);
  const Var y = tape.node("scatter_add", shape, {x, source});
  std::copy_n(x.data(), x.size(), y.data());
  const Real* in = source.data();
  Real* out = y.data();
  each_pick(v, picks, index, [=](Index i, Index j) { out[i] += in[j]; });
  if (y.live())
    tape.on_backward(y, [=] {
      const Real* y_bar = y.tape().adjoint(y);
      if (const GradSlot g = y.tape().grad(x))
        for (Index i = 0; i < x.size(); ++i) g.data[i] = g.add ? g.data[i] + y_bar[i] : y_bar[i];
      if (const GradSlot g = y.tape().grad(source))
        each_pick(v, picks, index, [=](Index i, Index j) { g.data[j] = g.add ? g.data[j] + y_bar[i] : y_bar[i]; });
    });
  return y;
}

Var one_hot(Tape& tape, std::span<const Index> indices, Index classes) {
  AD_CHECK(classes >= 1, "one_hot", cat("needs at least one class, got ", classes));
  const Index* index = copy_indices("one_hot", tape, indices, classes);
  const Var y = tape.constant({std::ssize(indices), classes}, Real(0));
  for (Index r = 0; r < y.shape()[0]; ++r) y.data()[r * classes + index[r]] = 1;
  return y;
}

}  // namespace ad
