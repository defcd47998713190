#pragma once
// Ops that move elements about. Axes count from the end when negative. Each throws ShapeError for what does not fit.
#include <initializer_list>
#include <span>

#include "autodiff/tape.hpp"

namespace ad {

/// The same elements under another shape of equal size; one size may be -1 and is worked out. No copy.
Var reshape(Var x, const Shape& shape);
Var reshape(Var x, std::initializer_list<Index> sizes);
/// The axes first to last become one; flatten(x, 1): [B, ...] -> [B, n].
Var flatten(Var x, Index first_axis = 0, Index last_axis = -1);
Var squeeze(Var x, Index axis);    ///< drops an axis of size 1
Var unsqueeze(Var x, Index axis);  ///< a new axis of size 1 before `axis`; -1: at the end

/// x stretched to `shape` by the NumPy rule. The adjoint sums over the stretched axes.
Var broadcast_to(Var x, const Shape& shape);
/// Each row `times` times, neighbouring: [B, ...] -> [B * times, ...]; row b becomes rows b * times ... The adjoint sums.
Var repeat_rows(Var x, Index times);

/// Axis i of the result is axis order[i] of x.
Var permute(Var x, std::span<const Index> order);
Var permute(Var x, std::initializer_list<Index> order);
Var transpose(Var x, Index axis_a = -2, Index axis_b = -1);  ///< swaps two axes

/// x[begin:end:step] along one axis, as in Python: negative positions count from the end, those outside are cut. step >= 1.
Var slice(Var x, Index axis, Index begin, Index end, Index step = 1);
/// Piece `index` of `count` equal pieces along the axis: chunk(h, 2, 0) and chunk(h, 2, 1) are the halves. Throws when the
/// size is no multiple of `count`.
Var chunk(Var x, Index count, Index index, Index axis = -1);
/// Concatenates along an existing axis; the other axes have equal sizes.
Var concat(std::span<const Var> parts, Index axis = -1);
Var concat(std::initializer_list<Var> parts, Index axis = -1);
/// Tensors of equal shape side by side along a new axis.
Var stack(std::span<const Var> parts, Index axis = 0);
Var stack(std::initializer_list<Var> parts, Index axis = 0);

struct Padding {
  Index before, after;
};
/// x with `value` around it; one Padding for each axis.
Var pad(Var x, std::span<const Padding> padding, Real value = 0);
Var pad(Var x, std::initializer_list<Padding> padding, Real value = 0);

}  // namespace ad
