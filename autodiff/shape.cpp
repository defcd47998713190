#include "autodiff/shape.hpp"

#include "autodiff/check.hpp"

namespace ad {

Shape::Shape(std::span<const Index> sizes) : rank_(std::ssize(sizes)) {
  AD_CHECK(rank_ <= kMaxRank, "Shape", cat("at most ", kMaxRank, " axes are supported, got ", rank_));
  for (Index i = 0; i < rank_; ++i) {
    const Index n = sizes[static_cast<std::size_t>(i)];
    AD_CHECK(n >= 0, "Shape", cat("sizes must not be negative, axis ", i, " is ", n));
    sizes_[static_cast<std::size_t>(i)] = n;
  }
}

Index Shape::size() const {
  Index n = 1;
  for (Index s : *this) n *= s;
  return n;
}

std::string to_text(const Shape& shape) {
  std::string text = "[";
  for (Index i = 0; i < shape.rank(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

Shape broadcast_shape(const Shape& a, const Shape& b, const char* op) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  const Index offset = longer.rank() - shorter.rank();
  for (Index i = 0; i < shorter.rank(); ++i) {
    Index& n = out[offset + i];
    const Index m = shorter[i];
    AD_CHECK(n == m || n == 1 || m == 1, op,
             cat("shapes ", a, " and ", b, " do not broadcast: axis sizes ", n, " and ", m, " differ and neither is 1"));
    if (n == 1) n = m;
  }
  return out;
}

Index normalize_axis(Index axis, Index rank, const char* op) {
  AD_CHECK(axis >= -rank && axis < rank, op, cat("axis ", axis, " is out of range for a tensor with ", rank, " axes"));
  return axis < 0 ? axis + rank : axis;
}

}  // namespace ad
