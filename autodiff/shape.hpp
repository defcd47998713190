#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>

#include "autodiff/real.hpp"

namespace ad {

/// The sizes of a row-major tensor, at most kMaxRank of them, stored inline. Shape{} is a scalar (one element).
class Shape {
 public:
  static constexpr Index kMaxRank = 6;

  Shape() = default;
  Shape(std::initializer_list<Index> sizes) : Shape(std::span<const Index>(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const Index> sizes);  ///< throws ShapeError above kMaxRank or for a negative size

  Index rank() const { return rank_; }
  Index size() const;  ///< number of elements; 1 for a scalar
  Index operator[](Index axis) const { return sizes_[static_cast<std::size_t>(axis)]; }
  Index& operator[](Index axis) { return sizes_[static_cast<std::size_t>(axis)]; }
  Index back() const { return sizes_[static_cast<std::size_t>(rank_ - 1)]; }

  const Index* begin() const { return sizes_.data(); }
  const Index* end() const { return sizes_.data() + rank_; }

  friend bool operator==(const Shape& a, const Shape& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

 private:
  std::array<Index, kMaxRank> sizes_{};
  Index rank_ = 0;
};

/// "[128, 784]"; "[]" for a scalar.
std::string to_text(const Shape& shape);

/// The NumPy rule: sizes are aligned at the last axis and a 1 stretches. Throws ShapeError when they do not fit.
Shape broadcast_shape(const Shape& a, const Shape& b, const char* op = "broadcast_shape");

/// An axis counted from the end when negative, as in NumPy. Throws ShapeError naming op when out of range.
Index normalize_axis(Index axis, Index rank, const char* op);

}  // namespace ad
