#pragma once
// Reductions. Results have the same bits at any number of threads; float sums are blocked, so that a long one keeps its digits.
#include <array>
#include <concepts>
#include <initializer_list>
#include <span>

#include "autodiff/tape.hpp"

namespace ad {

/// Which axes an op works over: sum(x, 1), sum(x, {-2, -1}), or all of them when none is named.
class Axes {
 public:
  Axes() = default;
  Axes(Index axis) : Axes({axis}) {}  // NOLINT: sum(x, 1) reads as in NumPy
  Axes(std::initializer_list<Index> axes) : Axes(std::span<const Index>(axes.begin(), axes.size())) {}
  explicit Axes(std::span<const Index> axes);  ///< throws ShapeError above Shape::kMaxRank of them
  template <std::same_as<bool> B>
  Axes(B) = delete;                            ///< sum(x, true) forgets the axes

  /// One flag per axis of a tensor of this rank. Throws ShapeError naming op for an axis out of range or named twice.
  std::array<bool, Shape::kMaxRank> marked(Index rank, const char* op) const;

 private:
  std::array<Index, Shape::kMaxRank> axes_{};
  Index count_ = 0;
};

// Each takes x of any shape and reduces the named axes away; with keep_dims they stay with size 1.
// Throws ShapeError for an axis out of range or named twice.
Var sum(Var x, Axes axes = {}, bool keep_dims = false);        ///< 0 over an empty axis
Var mean(Var x, Axes axes = {}, bool keep_dims = false);       ///< throws ShapeError over an empty axis, as the next three
Var max(Var x, Axes axes = {}, bool keep_dims = false);        ///< NaN wins; ties share the gradient equally, as torch.amax
Var min(Var x, Axes axes = {}, bool keep_dims = false);        ///< NaN wins; ties share the gradient equally, as torch.amin
/// sum (x - mean)^2 / (n - 1), or / n when not unbiased. Throws ShapeError when the divisor is not positive.
Var var(Var x, Axes axes = {}, bool keep_dims = false, bool unbiased = true);
/// log sum e^x without overflow; -inf over an empty axis or where every x is -inf.
Var logsumexp(Var x, Axes axes = {}, bool keep_dims = false);

/// e^x / sum e^x along one axis, any shape of at least one axis in, the same out.
Var softmax(Var x, Index axis = -1);
Var log_softmax(Var x, Index axis = -1);  ///< x - logsumexp(x) along one axis

/// The position of the largest (smallest) element along the axis for every place of the other axes, in row-major order; the
/// first of equals, a NaN before all. Lives in the tape until its reset, so it goes straight into embedding or one_hot. Throws
/// ShapeError when the axis is empty.
std::span<const Index> argmax(Var x, Index axis = -1);
std::span<const Index> argmin(Var x, Index axis = -1);

}  // namespace ad
