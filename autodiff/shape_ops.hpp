#pragma once
// Ops that move elements about.
#include <initializer_list>
#include <span>

#include "autodiff/tape.hpp"

namespace ad {

/// The same elements under another shape of equal size; one size may be -1 and is worked out. No copy.
Var reshape(Var x, const Shape& shape);
Var reshape(Var x, std::initializer_list<Index> sizes);

/// x stretched to `shape` by the NumPy rule. The adjoint sums over the stretched axes.
Var broadcast_to(Var x, const Shape& shape);

}  // namespace ad
