#pragma once
// Ops that pick elements by index. Indices are copied onto the tape; one out of range throws ShapeError and is named.
#include <span>

#include "autodiff/tape.hpp"

namespace ad {

/// Rows of a table.   table: [V, ...]   indices: n numbers in [0, V)   returns: [n, ...], or [indices_shape..., ...].
/// The adjoint adds up rows that are used more than once, in order.
Var embedding(Var table, std::span<const Index> indices);
Var embedding(Var table, std::span<const Index> indices, const Shape& indices_shape);

/// y[.., m, ..] = x[.., indices[.., m, ..], ..] along one axis.   indices: row-major, the shape of x but for the axis, whose size
/// is worked out from their number. gather(x, 1, labels) picks one number of each row: [B, K] -> [B, 1].
Var gather(Var x, Index axis, std::span<const Index> indices);

/// x, and source[.., m, ..] added at [.., indices[.., m, ..], ..] along the axis.   indices: one for each element of source,
/// whose shape is that of x but for the axis. What meets at one place adds up in order.
Var scatter_add(Var x, Index axis, std::span<const Index> indices, Var source);

/// [n, classes], row i all zeros but a 1 at indices[i]; a constant.
Var one_hot(Tape& tape, std::span<const Index> indices, Index classes);

}  // namespace ad
