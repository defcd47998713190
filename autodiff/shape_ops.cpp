#include "autodiff/shape_ops.hpp"

#include <algorithm>

#include "autodiff/parallel.hpp"

namespace ad {

Var reshape(Var x, const Shape& shape) {
  AD_CHECK(shape.size() == x.size(), "reshape", cat("cannot view ", x.shape(), " (", x.size(), " elements) as ", shape, " (", shape.size(), ")"));
  Tape& tape = x.tape();
  const Var y = tape.alias("reshape", shape, x, true);
  if (y.live()) {
    tape.on_backward(y, [=] {
      const GradSlot g = y.tape().grad(x);
      const Real* y_bar = y.tape().adjoint(y);
      for (Index i = 0; i < y.size(); ++i) g.data[i] = g.add ? g.data[i] + y_bar[i] : y_bar[i];
    });
  }
  return y;
}

Var reshape(Var x, std::initializer_list<Index> sizes) {
  Index known = 1, unknown = 0;
  for (Index n : sizes) n == -1 ? void(++unknown) : void(known *= n);
  AD_CHECK(unknown <= 1, "reshape", "only one size may be -1");
  std::array<Index, Shape::kMaxRank> resolved{};
  AD_CHECK(std::ssize(sizes) <= Shape::kMaxRank, "reshape", cat("at most ", Shape::kMaxRank, " axes are supported"));
  std::transform(sizes.begin(), sizes.end(), resolved.begin(), [&](Index n) { return n != -1 ? n : known == 0 ? 0 : x.size() / known; });
  return reshape(x, Shape(std::span<const Index>(resolved.data(), sizes.size())));
}

Var broadcast_to(Var x, const Shape& shape) {
  const Shape from = x.shape();
  AD_CHECK(broadcast_shape(from, shape, "broadcast_to") == shape, "broadcast_to", cat(from, " does not stretch to ", shape));
  Tape& tape = x.tape();
  const Var y = tape.node("broadcast_to", shape, {x});

  // Strides of x over the axes of y: 0 where x is stretched.
  std::array<Index, Shape::kMaxRank> stride{};
  const Index offset = shape.rank() - from.rank();
  for (Index axis = from.rank() - 1, step = 1; axis >= 0; step *= from[axis], --axis)
    stride[static_cast<std::size_t>(offset + axis)] = from[axis] == 1 ? 0 : step;
  const Index rank = shape.rank(), width = rank == 0 ? 1 : shape.back(), rows = width == 0 ? 0 : y.size() / width;
  const Index inner = rank == 0 ? 0 : stride[static_cast<std::size_t>(rank - 1)];
  const auto row_start = [=](Index row) {  // where row `row` of y begins in x
    Index at = 0;
    for (Index axis = rank - 2; axis >= 0; row /= shape[axis], --axis) at += row % shape[axis] * stride[static_cast<std::size_t>(axis)];
    return at;
  };
  const Real* in = x.data();
  Real* out = y.data();
  parallel_blocks(rows, std::max<Index>(1, 8192 / std::max<Index>(width, 1)), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const Real* source = in + row_start(r);
      for (Index i = 0; i < width; ++i) out[r * width + i] = source[i * inner];
    }
  });
  if (y.live()) {
    tape.on_backward(y, [=] {
      const GradSlot g = y.tape().grad(x);
      const Real* y_bar = y.tape().adjoint(y);
      if (!g.add) std::fill_n(g.data, x.size(), Real(0));
      for (Index r = 0; r < rows; ++r) {  // rows of y may share elements of x: in order, one thread
        Real* sink = g.data + row_start(r);
        const Real* source = y_bar + r * width;
        if (inner == 0) {
          Real sum = 0;
          for (Index i = 0; i < width; ++i) sum += source[i];
          *sink += sum;
        } else {
          for (Index i = 0; i < width; ++i) sink[i] += source[i];
        }
      }
    });
  }
  return y;
}

}  // namespace ad
