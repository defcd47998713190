#pragma once
// Loops over a tile of pixels, [pixels, columns] with row stride `stride`, that the kernels of convolutions share.
#include <algorithm>
#include <array>

#include "autodiff/conv_kernels.hpp"
#include "autodiff/fused_activation.hpp"

namespace ad::detail {

/// y = finish(y) on a tile whose first column is column `column` of the bias.
inline void finish_tile(const Finish& finish, Index column, Real* y, Index pixels, Index columns, Index stride) {
  if (finish.bias == nullptr && finish.activation == Activation::identity) return;
  const Real* bias = finish.bias == nullptr ? nullptr : finish.bias + column;
  if (bias == nullptr && columns == stride) columns = stride = pixels * columns, pixels = 1;  // one long row
  alignas(64) std::array<Real, static_cast<std::size_t>(kLanes * kLanes)> repeated;
  const Index single = columns;
  if (bias != nullptr && columns == stride && columns < kLanes) {  // several pixels at once: no vectors mostly empty
    for (Index i = 0; i < kLanes * columns; ++i) repeated[static_cast<std::size_t>(i)] = bias[i % columns];
    bias = repeated.data();
    columns *= kLanes;
  }
  const Index numbers = pixels * single, step = columns == single ? stride : columns;
  with_fused(finish.activation, [&](auto f, auto) {
    if (columns == single)
      for (Index r = 0; r < pixels; ++r) bias_and_activate(f, y + r * step, bias, columns);
    else
      for (Index i = 0; i < numbers; i += step) bias_and_activate(f, y + i, bias, std::min(columns, numbers - i));
  });
}

/// A copy that does not call a function for the few numbers of a kernel row.
inline void copy_few(const Real* from, Index count, Real* to) {
  Index i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load(from + i));
  if (i < count) store_part(to + i, load_part(from + i, count - i), count - i);
}

/// to += from
inline void add_to(Real* to, const Real* from, Index count) {
  Index i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load(to + i) + load(from + i));
  if (i < count) store_part(to + i, load_part(to + i, count - i) + load_part(from + i, count - i), count - i);
}

}  // namespace ad::detail
