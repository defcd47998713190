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
  alignas(64) std::array<Real, static_cast<std::size_t>(kLanes * kLanes)> repeated;
  const Index single = columns;
  if (columns == stride && columns < kLanes) {  // several pixels at once, or most of each vector would be empty
    if (bias != nullptr) {
      for (Index i = 0; i < kLanes * columns; ++i) repeated[static_cast<std::size_t>(i)] = bias[i % columns];
      bias = repeated.data();
    }
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

inline void clear_tile(Real* x, Index pixels, Index columns, Index stride) {
  if (columns == stride) return static_cast<void>(std::fill_n(x, pixels * columns, Real(0)));
  for (Index r = 0; r < pixels; ++r) std::fill_n(x + r * stride, columns, Real(0));
}

/// to += from
inline void add_to(Real* to, const Real* from, Index count) {
  Index i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load(to + i) + load(from + i));
  if (i < count) store_part(to + i, load_part(to + i, count - i) + load_part(from + i, count - i), count - i);
}

}  // namespace ad::detail
