#pragma once
// One row per public op: what it is called with and what must come out, from an independent reference in double. The generic
// tests in test_op_table.cpp run over all rows; a test fails when a header declares an op that has no row.
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "autodiff/tape.hpp"

namespace op_table {

using ad::Index;
using ad::Shape;

/// A host tensor in double, row-major; what references compute with.
struct Tensor {
  Shape shape;
  std::vector<double> values;

  explicit Tensor(const Shape& s, double value = 0) : shape(s), values(static_cast<std::size_t>(s.size()), value) {}
  double& operator[](Index i) { return values[static_cast<std::size_t>(i)]; }
  double operator[](Index i) const { return values[static_cast<std::size_t>(i)]; }
};

/// Where the numbers of an input come from: distinct, spread evenly over [low, high] in random order.
struct Domain {
  double low = -2, high = 2;
};

using Call = std::function<ad::Var(ad::Tape&, std::span<const ad::Var>)>;
using Reference = std::function<Tensor(std::span<const Tensor>)>;

/// Shapes that the op refuses, and a piece of the message it must give.
struct Reject {
  std::vector<Shape> shapes;
  std::string message;
};

struct Row {
  std::string declaration;  ///< name and parameter types, as the header declares it: "sum(Var, Axes, bool)"
  Call call;
  Reference reference;
  std::vector<std::vector<Shape>> cases;  ///< each one list of input shapes
  std::vector<Domain> domains = {};       ///< of each input; the last one holds for the rest
  std::vector<Reject> rejects = {};
  std::string note = {};                  ///< tells rows of one declaration apart
  bool differentiable = true;             ///< false: no gradient flows
};

/// All rows; each op_table_*.cpp adds its own.
std::vector<Row>& rows();
bool add_rows(std::vector<Row> more);  ///< for a static initialiser; returns true

// ---- references, written with plain loops over indices

/// The index of every axis at row-major position i.
std::vector<Index> unravel(const Shape& shape, Index i);
/// The row-major position of an index; a leading axis too many is dropped and a size of 1 repeats (the NumPy broadcast).
Index ravel(const Shape& shape, std::span<const Index> index);
Shape broadcast(const Shape& a, const Shape& b);

/// f of every element; of every pair, triple of elements after broadcasting.
Reference each(std::function<double(double)> f);
Reference each_pair(std::function<double(double, double)> f);
Reference each_triple(std::function<double(double, double, double)> f);
/// f of all elements that meet in one place when `axes` (all when empty) are reduced away.
Reference grouped(std::vector<Index> axes, bool keep_dims, std::function<double(const std::vector<double>&)> f);
/// Element `index` of the result is x[source(index)]; an empty source gives `fill`.
Reference rearrange(std::function<Shape(const Shape&)> result,
                    std::function<std::vector<Index>(std::vector<Index>, const Shape&)> source, double fill = 0);

/// One input of each of these: a scalar, one element, empty, odd sizes, more than one vector, more than one parallel block.
std::vector<std::vector<Shape>> any_shape();
/// Two equal shapes, and shapes that broadcast.
std::vector<std::vector<Shape>> equal_pairs();
std::vector<std::vector<Shape>> broadcast_pairs();

}  // namespace op_table
