#include <cmath>

#include "autodiff/linalg.hpp"
#include "autodiff/random_ops.hpp"
#include "tests/engine/op_table.hpp"

namespace op_table {
namespace {

using ad::Activation;
using ad::Key;
using ad::Real;
using ad::Tape;
using ad::Var;
using Vars = std::span<const Var>;

double activation_of(Activation a, double v) {
  switch (a) {
    case Activation::identity: return v;
    case Activation::relu: return v > 0 ? v : 0;
    case Activation::leaky_relu: return v > 0 ? v : 0.01 * v;
    case Activation::elu: return v > 0 ? v : std::exp(v) - 1;
    case Activation::gelu: return v / 2 * (1 + std::erf(v / std::sqrt(2.0)));
    case Activation::silu: return v / (1 + std::exp(-v));
    case Activation::softplus: return std::log(1 + std::exp(v));
    case Activation::tanh: return std::tanh(v);
    case Activation::sigmoid: return 1 / (1 + std::exp(-v));
  }
  return 0;
}

Reference linear_reference(Activation a) {
  return [a](std::span<const Tensor> x) {
    const Index in = x[1].shape[1], out = x[1].shape[0];
    Shape shape = x[0].shape;
    shape[shape.rank() - 1] = out;
    Tensor y(shape);
    for (Index i = 0; i < shape.size(); ++i) {
      double total = x.size() > 2 ? x[2][i % out] : 0;
      for (Index k = 0; k < in; ++k) total += x[0][i / out * in + k] * x[1][i % out * in + k];
      y[i] = activation_of(a, total);
    }
    return y;
  };
}

std::vector<Row> linear_rows() {
  std::vector<Row> out;
  for (const Activation a : {Activation::identity, Activation::relu, Activation::leaky_relu, Activation::elu, Activation::gelu,
                             Activation::silu, Activation::softplus, Activation::tanh, Activation::sigmoid}) {
    const std::string note = "activation " + std::to_string(static_cast<int>(a));
    out.push_back({"linear(Var, Var, Var, Activation)",
                   [a](Tape&, Vars x) { return linear(x[0], x[1], x[2], a); },
                   linear_reference(a),
                   {{Shape{1, 1}, Shape{1, 1}, Shape{1}},
                    {Shape{3, 5}, Shape{7, 5}, Shape{7}},
                    {Shape{2, 3, 5}, Shape{4, 5}, Shape{4}},
                    {Shape{5}, Shape{2, 5}, Shape{2}}},
                   {{-1.5, 1.5}},
                   {},
                   note});
    out.push_back({"activate(Var, Activation)",
                   [a](Tape&, Vars x) { return activate(x[0], a); },
                   each([a](double v) { return activation_of(a, v); }),
                   any_shape(),
                   {},
                   {},
                   note});
  }
  out[0].cases.push_back({Shape{0, 5}, Shape{7, 5}, Shape{7}});
  out[0].cases.push_back({Shape{260, 70}, Shape{130, 70}, Shape{130}});
  out[0].rejects = {{{Shape{3, 4}, Shape{7, 5}, Shape{7}}, "inner sizes 4 and 5 differ"},
                    {{Shape{3, 5}, Shape{7, 5}, Shape{5}}, "the bias must be [7], it is [5]"},
                    {{Shape{3, 5}, Shape{7, 5, 1}, Shape{7}}, "the weight must be [out, in]"}};
  out.push_back({"linear(Var, Var, Var, Activation)",
                 [](Tape&, Vars x) { return linear(x[0], x[1]); },
                 linear_reference(Activation::identity),
                 {{Shape{3, 5}, Shape{7, 5}}},
                 {},
                 {},
                 "no bias"});
  return out;
}
[[maybe_unused]] const bool added_linear = add_rows(linear_rows());

Reference matmul_reference(bool ta, bool tb) {
  return [=](std::span<const Tensor> x) {
    const auto split = [](const Shape& s) { return std::span<const Index>(s.begin(), static_cast<std::size_t>(s.rank() - 2)); };
    const Shape &sa = x[0].shape, &sb = x[1].shape;
    const Shape batch = broadcast(Shape(split(sa)), Shape(split(sb)));
    const Index m = sa[sa.rank() - (ta ? 1 : 2)], depth = sa[sa.rank() - (ta ? 2 : 1)], n = sb[sb.rank() - (tb ? 2 : 1)];
    std::vector<Index> sizes(batch.begin(), batch.end());
    sizes.insert(sizes.end(), {m, n});
    Tensor y{Shape(std::span<const Index>(sizes))};
    for (Index i = 0; i < y.shape.size(); ++i) {
      auto at_a = unravel(y.shape, i), at_b = at_a;
      Index& row = at_a[at_a.size() - 2];
      Index& column = at_b[at_b.size() - 1];
      const Index r = row, c = column;
      for (Index k = 0; k < depth; ++k) {
        at_a[at_a.size() - 2] = ta ? k : r;
        at_a[at_a.size() - 1] = ta ? r : k;
        at_b[at_b.size() - 2] = tb ? c : k;
        at_b[at_b.size() - 1] = tb ? k : c;
        y[i] += x[0][ravel(sa, at_a)] * x[1][ravel(sb, at_b)];
      }
    }
    return y;
  };
}

Row matmul_row(bool ta, bool tb) {
  const auto matrix = [](Index rows, Index columns, bool transposed) {
    return transposed ? Shape{columns, rows} : Shape{rows, columns};
  };
  Row row{"matmul(Var, Var, bool, bool)",
          [=](Tape&, Vars x) { return matmul(x[0], x[1], ta, tb); },
          matmul_reference(ta, tb),
          {},
          {{-1.5, 1.5}},
          {},
          std::string(ta ? "A^T" : "A") + (tb ? " B^T" : " B")};
  for (const auto& [m, k, n] : {std::array<Index, 3>{1, 1, 1}, {3, 5, 2}, {17, 19, 18}, {4, 0, 3}, {0, 4, 3}, {130, 70, 260}})
    row.cases.push_back({matrix(m, k, ta), matrix(k, n, tb)});
  if (!ta && !tb) {
    row.cases.insert(row.cases.end(), {{Shape{4, 2, 3}, Shape{4, 3, 2}},
                                       {Shape{4, 2, 3}, Shape{3, 2}},
                                       {Shape{2, 1, 2, 3}, Shape{3, 3, 2}},
                                       {Shape{2, 3}, Shape{4, 3, 2}}});
    row.rejects = {{{Shape{2, 3}, Shape{2, 3}}, "[matmul] inner sizes 3 and 2 differ"},
                   {{Shape{3}, Shape{3, 2}}, "needs matrices"}};
  } else {
    row.cases.push_back({ta ? Shape{4, 3, 2} : Shape{4, 2, 3}, tb ? Shape{4, 2, 3} : Shape{4, 3, 2}});
    row.cases.push_back({ta ? Shape{4, 3, 2} : Shape{4, 2, 3}, tb ? Shape{1, 2, 3} : Shape{1, 3, 2}});
  }
  return row;
}
[[maybe_unused]] const bool matmul_rows =
    add_rows({matmul_row(false, false), matmul_row(false, true), matmul_row(true, false), matmul_row(true, true)});

// ---- random ops: the reference makes the same numbers one by one, from the Philox words themselves

double unit(Key key, Index i) {  // element i of a stream: word i / 64 of counters i % 64, in groups of 256
  const Index group = i / 256, within = i % 256;
  const auto counter = static_cast<std::uint32_t>(group * 64 + within % 64);
  const auto words =
      ad::philox({counter, 0, 0, 0}, {static_cast<std::uint32_t>(key.bits()), static_cast<std::uint32_t>(key.bits() >> 32)});
  return double(words[static_cast<std::size_t>(within / 64)] >> 8) * 0x1p-24;
}

const Key kKey = Key(5).fold("op table");

[[maybe_unused]] const bool random_rows = add_rows({
    {.declaration = "uniform(Tape&, const Shape&, Key, Real, Real)",
     .call =
         [](Tape& t, Vars) {
           return uniform(t, {3, 300}, kKey, -1, 3);
         },
     .reference =
         [](std::span<const Tensor>) {
           Tensor y(Shape{3, 300});
           for (Index i = 0; i < 900; ++i) y[i] = -1 + 4 * unit(kKey, i);
           return y;
         },
     .cases = {{}},
     .differentiable = false},
    {.declaration = "normal(Tape&, const Shape&, Key)",
     .call =
         [](Tape& t, Vars) {
           return normal(t, {3, 300}, kKey);
         },
     .reference =
         [](std::span<const Tensor>) {  // Box-Muller: elements j and j + 128 of a group share a radius
           Tensor y(Shape{3, 300});
           for (Index i = 0; i < 900; ++i) {
             const Index first = i / 256 * 256 + i % 128;
             const double r = std::sqrt(-2 * std::log(1 - unit(kKey, first))), a = 2 * std::acos(-1.0) * unit(kKey, first + 128);
             y[i] = i % 256 < 128 ? r * std::cos(a) : r * std::sin(a);
           }
           return y;
         },
     .cases = {{}},
     .differentiable = false},
    {.declaration = "bernoulli(Var, Key)",
     .call = [](Tape&, Vars x) { return bernoulli(x[0], kKey); },
     .reference =
         [](std::span<const Tensor> x) {
           Tensor y(x[0].shape);
           for (Index i = 0; i < y.shape.size(); ++i) y[i] = unit(kKey, i) < x[0][i];
           return y;
         },
     .cases = {{Shape{3, 300}}, {Shape{}}, {Shape{0}}},
     .domains = {{0, 1}},
     .differentiable = false},
    {"dropout(Var, Real, Key, bool)", [](Tape&, Vars x) { return dropout(x[0], Real(0.25), kKey, true); },
     [](std::span<const Tensor> x) {
       Tensor y(x[0].shape);
       for (Index i = 0; i < y.shape.size(); ++i) y[i] = unit(kKey, i) >= 0.25 ? x[0][i] / 0.75 : 0;
       return y;
     },
     any_shape()},
    {"dropout(Var, Real, Key, bool)",
     [](Tape&, Vars x) { return dropout(x[0], Real(0.25), kKey, false); },
     each([](double v) { return v; }),
     any_shape(),
     {},
     {},
     "not training"},
});

}  // namespace
}  // namespace op_table
