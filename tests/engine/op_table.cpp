#include "tests/engine/op_table.hpp"

#include <algorithm>

namespace op_table {

std::vector<Row>& rows() {
  static std::vector<Row> all;
  return all;
}

bool add_rows(std::vector<Row> more) {
  rows().insert(rows().end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  return true;
}

std::vector<Index> unravel(const Shape& shape, Index i) {
  std::vector<Index> index(static_cast<std::size_t>(shape.rank()));
  for (Index axis = shape.rank() - 1; axis >= 0; i /= shape[axis], --axis)
    index[static_cast<std::size_t>(axis)] = i % shape[axis];
  return index;
}

Index ravel(const Shape& shape, std::span<const Index> index) {
  Index position = 0;
  const std::size_t skip = index.size() - static_cast<std::size_t>(shape.rank());
  for (Index axis = 0; axis < shape.rank(); ++axis)
    position = position * shape[axis] + (shape[axis] == 1 ? 0 : index[skip + static_cast<std::size_t>(axis)]);
  return position;
}

Shape broadcast(const Shape& a, const Shape& b) {
  std::vector<Index> sizes(static_cast<std::size_t>(std::max(a.rank(), b.rank())), 1);
  for (const Shape& s : {a, b})
    for (Index axis = 0; axis < s.rank(); ++axis) {
      Index& n = sizes[sizes.size() - static_cast<std::size_t>(s.rank() - axis)];
      if (s[axis] != 1) n = s[axis];
    }
  return Shape(std::span<const Index>(sizes));
}

Reference each(std::function<double(double)> f) {
  return [f](std::span<const Tensor> x) {
    Tensor y(x[0].shape);
    std::ranges::transform(x[0].values, y.values.begin(), f);
    return y;
  };
}

Reference each_pair(std::function<double(double, double)> f) {
  return each_triple([f](double a, double b, double) { return f(a, b); });
}

Reference each_triple(std::function<double(double, double, double)> f) {
  return [f](std::span<const Tensor> x) {
    const Tensor& third = x.size() > 2 ? x[2] : x[1];
    Tensor y(broadcast(broadcast(x[0].shape, x[1].shape), third.shape));
    for (Index i = 0; i < y.shape.size(); ++i) {
      const auto index = unravel(y.shape, i);
      y[i] = f(x[0][ravel(x[0].shape, index)], x[1][ravel(x[1].shape, index)], third[ravel(third.shape, index)]);
    }
    return y;
  };
}

Reference grouped(std::vector<Index> axes, bool keep_dims, std::function<double(const std::vector<double>&)> f) {
  return [=](std::span<const Tensor> x) {
    const Shape& s = x[0].shape;
    const auto gone = [&](Index axis) {
      return axes.empty() || std::ranges::count(axes, axis) > 0 || std::ranges::count(axes, axis - s.rank()) > 0;
    };
    std::vector<Index> kept, ones;
    for (Index axis = 0; axis < s.rank(); ++axis) {
      ones.push_back(gone(axis) ? 1 : s[axis]);
      if (!gone(axis) || keep_dims) kept.push_back(ones.back());
    }
    const Shape slots{std::span<const Index>(ones)};
    std::vector<std::vector<double>> groups(static_cast<std::size_t>(slots.size()));
    for (Index i = 0; i < s.size(); ++i) groups[static_cast<std::size_t>(ravel(slots, unravel(s, i)))].push_back(x[0][i]);
    Tensor y{Shape(std::span<const Index>(kept))};
    std::ranges::transform(groups, y.values.begin(), f);
    return y;
  };
}

Reference rearrange(std::function<Shape(const Shape&)> result,
                    std::function<std::vector<Index>(std::vector<Index>, const Shape&)> source, double fill) {
  return [=](std::span<const Tensor> x) {
    Tensor y(result(x[0].shape), fill);
    for (Index i = 0; i < y.shape.size(); ++i) {
      const auto from = source(unravel(y.shape, i), x[0].shape);
      if (std::ssize(from) == x[0].shape.rank()) y[i] = x[0][ravel(x[0].shape, from)];
    }
    return y;
  };
}

std::vector<std::vector<Shape>> any_shape() {
  return {{Shape{}}, {Shape{1}}, {Shape{0}}, {Shape{3, 0, 2}}, {Shape{5, 7}}, {Shape{2, 3, 11}}, {Shape{33}}, {Shape{9001}}};
}

std::vector<std::vector<Shape>> equal_pairs() {
  std::vector<std::vector<Shape>> pairs;
  for (const auto& s : any_shape()) pairs.push_back({s[0], s[0]});
  return pairs;
}

std::vector<std::vector<Shape>> broadcast_pairs() {
  auto pairs = equal_pairs();
  for (const auto& [a, b] : {std::pair{Shape{5, 7}, Shape{7}},
                             {Shape{5, 1}, Shape{5, 7}},
                             {Shape{}, Shape{3, 2}},
                             {Shape{4, 1, 3}, Shape{5, 1}},
                             {Shape{3, 1, 2, 1}, Shape{4, 1, 5}},
                             {Shape{0, 3}, Shape{1, 3}},
                             {Shape{1}, Shape{0}}})
    pairs.push_back({a, b});
  return pairs;
}

}  // namespace op_table
