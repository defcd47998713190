#include <algorithm>
#include <array>
#include <cmath>

#include "autodiff/indexing.hpp"
#include "autodiff/shape_ops.hpp"
#include "tests/engine/op_table.hpp"

namespace op_table {
namespace {

using ad::Padding;
using ad::Real;
using ad::Tape;
using ad::Var;
using Vars = std::span<const Var>;
using Position = std::vector<Index>;

/// The same numbers under another shape.
Reference viewed(Shape (*shape)(const Shape&)) {
  return [shape](std::span<const Tensor> x) {
    Tensor y(shape(x[0].shape));
    y.values = x[0].values;
    return y;
  };
}
Reference viewed_as(Shape shape) {
  return [shape](std::span<const Tensor> x) {
    Tensor y(shape);
    y.values = x[0].values;
    return y;
  };
}

[[maybe_unused]] const bool view_rows = add_rows({
    {"reshape(Var, const Shape&)",
     [](Tape&, Vars x) {
       return reshape(x[0], Shape{6, 2});
     },
     viewed_as({6, 2}),
     {{Shape{3, 4}}, {Shape{12}}},
     {},
     {{{Shape{5}}, "[reshape] cannot view [5] (5 elements) as [6, 2] (12)"}}},
    {"reshape(Var, const Shape&)",
     [](Tape&, Vars x) { return reshape(x[0], Shape{}); },
     viewed_as({}),
     {{Shape{1, 1}}, {Shape{}}},
     {},
     {},
     "scalar"},
    {"reshape(Var, std::initializer_list<Index>)",
     [](Tape&, Vars x) {
       return reshape(x[0], {2, -1});
     },
     viewed([](const Shape& s) {
       return Shape{2, s.size() / 2};
     }),
     {{Shape{3, 4}}, {Shape{2}}, {Shape{0}}, {Shape{130, 140}}},
     {},
     {{{Shape{3}}, "cannot work out the size -1"}}},
    {"flatten(Var, Index, Index)",
     [](Tape&, Vars x) { return flatten(x[0]); },
     viewed([](const Shape& s) { return Shape{s.size()}; }),
     {{Shape{}}, {Shape{5}}, {Shape{2, 0}}, {Shape{2, 3, 5}}}},
    {"flatten(Var, Index, Index)",
     [](Tape&, Vars x) { return flatten(x[0], 1); },
     viewed([](const Shape& s) {
       return Shape{s[0], s.size() / s[0]};
     }),
     {{Shape{2, 3}}, {Shape{2, 3, 5, 2}}},
     {},
     {{{Shape{2}}, "[flatten] axis 1 is out of range"}},
     "but the batch"},
    {"squeeze(Var, Index)",
     [](Tape&, Vars x) { return squeeze(x[0], 1); },
     viewed([](const Shape& s) {
       return Shape{s[0], s[2]};
     }),
     {{Shape{3, 1, 2}}},
     {},
     {{{Shape{3, 2}}, "axis 1 of [3, 2] has size 2, not 1"}}},
    {"unsqueeze(Var, Index)",
     [](Tape&, Vars x) { return unsqueeze(x[0], -1); },
     viewed([](const Shape& s) {
       return Shape{s[0], s[1], 1};
     }),
     {{Shape{3, 2}}},
     {},
     {{{Shape{1, 1, 1, 1, 1, 1}}, "at most 6 axes"}}},
});

Reference stretched(Shape shape) {
  return rearrange([shape](const Shape&) { return shape; }, [](Position i, const Shape& s) {
    i.erase(i.begin(), i.end() - s.rank());
    for (Index axis = 0; axis < s.rank(); ++axis)
      if (s[axis] == 1) i[static_cast<std::size_t>(axis)] = 0;
    return i;
  });
}

Row broadcast_row(Shape to, std::vector<std::vector<Shape>> cases, std::string note) {
  return {"broadcast_to(Var, const Shape&)",
          [to](Tape&, Vars x) { return broadcast_to(x[0], to); },
          stretched(to),
          std::move(cases),
          {},
          {},
          std::move(note)};
}
Row repeat_row() {
  return {"repeat_rows(Var, Index)",
          [](Tape&, Vars x) { return repeat_rows(x[0], 3); },
          rearrange(
              [](const Shape& s) {
                Shape y = s;
                y[0] *= 3;
                return y;
              },
              [](Position i, const Shape&) {
                i[0] /= 3;
                return i;
              }),
          {{Shape{1}}, {Shape{0, 2}}, {Shape{5}}, {Shape{5, 7}}, {Shape{4, 2, 33}}, {Shape{130, 70}}},
          {},
          {{{Shape{}}, "needs at least one axis"}}};
}

[[maybe_unused]] const bool stretch_rows = add_rows({
    broadcast_row({5, 7}, {{Shape{7}}, {Shape{5, 1}}, {Shape{}}, {Shape{1}}, {Shape{1, 7}}, {Shape{5, 7}}}, "matrix"),
    broadcast_row({3, 4, 5, 2}, {{Shape{4, 1, 2}}, {Shape{3, 1, 5, 1}}, {Shape{1, 4, 1, 2}}, {Shape{3, 1, 1, 2}}, {Shape{5, 2}}},
                  "four axes"),
    broadcast_row({2, 3, 2, 3, 2, 3}, {{Shape{1, 3, 1, 3, 1, 3}}, {Shape{2, 1, 2, 1, 2, 1}}}, "three groups"),
    broadcast_row({0, 3}, {{Shape{3}}, {Shape{1, 3}}, {Shape{}}}, "to nothing"),
    broadcast_row({300, 130}, {{Shape{130}}, {Shape{300, 1}}, {Shape{}}}, "large"),
    {"broadcast_to(Var, const Shape&)",
     [](Tape&, Vars x) {
       return broadcast_to(x[0], {2, 3});
     },
     stretched({2, 3}),
     {{Shape{3}}},
     {},
     {{{Shape{2}}, "[broadcast_to] shapes [2] and [2, 3] do not broadcast"},
      {{Shape{4, 2, 3}}, "[4, 2, 3] does not stretch to [2, 3]"}},
     "errors"},
    repeat_row(),
});

/// y[i] = x with the axes in this order.
Reference permuted(std::vector<Index> order) {
  return rearrange(
      [order](const Shape& s) {
        Shape y = s;
        for (std::size_t k = 0; k < order.size(); ++k) y[static_cast<Index>(k)] = s[order[k]];
        return y;
      },
      [order](Position i, const Shape&) {
        Position from(i.size());
        for (std::size_t k = 0; k < order.size(); ++k) from[static_cast<std::size_t>(order[k])] = i[k];
        return from;
      });
}
Row permute_row(std::vector<Index> order, std::vector<std::vector<Shape>> cases) {
  return {"permute(Var, std::span<const Index>)",
          [order](Tape&, Vars x) { return permute(x[0], std::span<const Index>(order)); },
          permuted(order),
          std::move(cases),
          {},
          {{{Shape{2}}, "needs one entry for each of the 1 axes of [2]"}},
          "order of " + std::to_string(order.size())};
}

[[maybe_unused]] const bool order_rows = add_rows({
    permute_row({1, 0}, {{Shape{1, 1}}, {Shape{5, 7}}, {Shape{0, 3}}, {Shape{33, 70}}, {Shape{300, 100}}}),
    permute_row({0, 2, 1}, {{Shape{3, 5, 7}}, {Shape{2, 40, 35}}}),
    permute_row({2, 0, 1}, {{Shape{3, 5, 7}}, {Shape{1, 5, 7}}}),
    permute_row({0, 2, 3, 1}, {{Shape{2, 3, 5, 4}}}),
    permute_row({0, 1, 2}, {{Shape{2, 3, 5}}}),
    permute_row({3, 1, 4, 0, 5, 2}, {{Shape{2, 3, 1, 2, 3, 2}}}),
    {"permute(Var, std::initializer_list<Index>)",
     [](Tape&, Vars x) {
       return permute(x[0], {-1, 0});
     },
     permuted({1, 0}),
     {{Shape{5, 7}}}},
    {"permute(Var, std::initializer_list<Index>)",
     [](Tape&, Vars x) {
       return permute(x[0], {0, 1});
     },
     permuted({0, 1}),
     {{Shape{5, 7}}},
     {},
     {},
     "identity"},
    {"transpose(Var, Index, Index)",
     [](Tape&, Vars x) { return transpose(x[0]); },
     permuted({0, 2, 1}),
     {{Shape{2, 3, 5}}},
     {},
     {{{Shape{4}}, "axis -2 is out of range"}}},
    {"transpose(Var, Index, Index)",
     [](Tape&, Vars x) { return transpose(x[0], 0, 2); },
     permuted({2, 1, 0}),
     {{Shape{2, 3, 5}}},
     {},
     {},
     "two given axes"},
});

/// Positions first, first + step ... along an axis, `count` of them.
Reference sliced(Index axis, Index first, Index count, Index step) {
  return rearrange([=](const Shape& s) { Shape y = s; y[axis] = count; return y; }, [=](Position i, const Shape&) {
    Index& k = i[static_cast<std::size_t>(axis)];
    k = first + k * step;
    return i;
  });
}

/// Parts behind each other along an axis.
Reference joined(Index axis, bool new_axis) {
  return [=](std::span<const Tensor> x) {
    std::vector<Index> sizes(x[0].shape.begin(), x[0].shape.end());
    if (new_axis) sizes.insert(sizes.begin() + axis, 1);
    Index& along = sizes[static_cast<std::size_t>(axis)];
    along = 0;
    for (const Tensor& t : x) along += new_axis ? 1 : t.shape[axis];
    Tensor y{Shape(std::span<const Index>(sizes))};
    Index offset = 0;
    for (const Tensor& t : x) {
      for (Index i = 0; i < t.shape.size(); ++i) {
        auto to = unravel(t.shape, i);
        if (new_axis) to.insert(to.begin() + axis, 0);
        to[static_cast<std::size_t>(axis)] += offset;
        y[ravel(y.shape, to)] = t[i];
      }
      offset += new_axis ? 1 : t.shape[axis];
    }
    return y;
  };
}
const std::vector<Reject> kConcat{{{Shape{2, 3}, Shape{3, 4}}, "differ at another axis than 1"},
                                  {{Shape{2, 3}, Shape{3}}, "differ in their number of axes"}};

Row slice_row(Index axis, Index begin, Index end, Index step, Index first, Index count, std::vector<Shape> shapes,
              std::string note) {
  Row row{"slice(Var, Index, Index, Index, Index)",
          [=](Tape&, Vars x) { return slice(x[0], axis, begin, end, step); },
          sliced(axis, first, count, step),
          {},
          {},
          {},
          std::move(note)};
  for (const Shape& s : shapes) row.cases.push_back({s});
  return row;
}
Row pad_row() {
  const auto shape = [](const Shape& s) { return Shape{s[0] + 3, s[1] + 3}; };
  const auto source = [](Position i, const Shape& s) {
    const Position from{i[0] - 1, i[1]};
    return from[0] >= 0 && from[0] < s[0] && from[1] < s[1] ? from : Position{};
  };
  return {"pad(Var, std::initializer_list<Padding>, Real)",
          [](Tape&, Vars x) {
            return pad(x[0], {{1, 2}, {0, 3}}, Real(0.5));
          },
          rearrange(shape, source, 0.5),
          {{Shape{1, 1}}, {Shape{5, 7}}, {Shape{0, 2}}, {Shape{2, 0}}, {Shape{130, 200}}},
          {},
          {{{Shape{3}}, "needs one entry for each of the 1 axes of [3]"}}};
}
Row pad_span_row() {
  Row row = pad_row();
  row.declaration = "pad(Var, std::span<const Padding>, Real)";
  row.call = [](Tape&, Vars x) {
    return pad(x[0], std::span<const Padding>(std::array{Padding{1, 2}, Padding{0, 3}}), Real(0.5));
  };
  return row;
}

[[maybe_unused]] const bool piece_rows = add_rows({
    slice_row(0, 1, 3, 1, 1, 2, {Shape{3}, Shape{5, 7}, Shape{4, 2, 3}}, "rows"),
    slice_row(1, 2, -1, 1, 2, 4, {Shape{3, 7}, Shape{2, 7, 5}, Shape{0, 7}}, "columns, end from the back"),
    slice_row(1, 1, 99, 2, 1, 3, {Shape{3, 7}, Shape{2, 7, 5}}, "every other, cut at the end"),
    slice_row(0, 2, 2, 1, 2, 0, {Shape{3}, Shape{5, 7}}, "nothing"),
    slice_row(1, -3, 300, 1, 197, 3, {Shape{150, 200}}, "large"),
    {"slice(Var, Index, Index, Index, Index)",
     [](Tape&, Vars x) { return slice(x[0], 0, 0, 1, 0); },
     sliced(0, 0, 1, 1),
     {},
     {},
     {{{Shape{2}}, "the step must be at least 1, it is 0"}},
     "no step"},
    {"chunk(Var, Index, Index, Index)",
     [](Tape&, Vars x) { return chunk(x[0], 3, 1); },
     sliced(1, 2, 2, 1),
     {{Shape{5, 6}}, {Shape{1, 6}}},
     {},
     {{{Shape{5}}, "axis 0 of [5] does not divide into 3 equal pieces"}}},
    {"concat(std::span<const Var>, Index)",
     [](Tape&, Vars x) { return ad::concat(x, 1); },
     joined(1, false),
     {{Shape{2, 3}},
      {Shape{2, 3}, Shape{2, 1}},
      {Shape{2, 3}, Shape{2, 0}, Shape{2, 5}},
      {Shape{2, 3, 4}, Shape{2, 2, 4}},
      {Shape{300, 70}, Shape{300, 33}}},
     {},
     kConcat},
    {"concat(std::initializer_list<Var>, Index)",
     [](Tape&, Vars x) {
       return ad::concat({x[0], x[1]}, 0);
     },
     joined(0, false),
     {{Shape{2, 3}, Shape{1, 3}}, {Shape{3}, Shape{1}}},
     {},
     {{{Shape{}, Shape{}}, "[concat] axis 0 is out of range"}}},
    {"stack(std::span<const Var>, Index)",
     [](Tape&, Vars x) { return ad::stack(x, 1); },
     joined(1, true),
     {{Shape{2, 3}, Shape{2, 3}, Shape{2, 3}}, {Shape{4}, Shape{4}}},
     {},
     {{{Shape{2, 3}, Shape{3, 2}}, "needs equal shapes, got [2, 3] and [3, 2]"}}},
    {"stack(std::initializer_list<Var>, Index)",
     [](Tape&, Vars x) {
       return ad::stack({x[0], x[1]});
     },
     joined(0, true),
     {{Shape{}, Shape{}}, {Shape{5, 7}, Shape{5, 7}}}},
    pad_row(),
    pad_span_row(),
});

// ---- picking by index

constexpr std::array<Index, 6> kPicks{2, 0, 2, 1, 2, 0};

Reference embedded(std::vector<Index> leading) {
  return rearrange(
      [leading](const Shape& s) {
        std::vector<Index> sizes = leading;
        sizes.insert(sizes.end(), s.begin() + 1, s.end());
        return Shape(std::span<const Index>(sizes));
      },
      [leading](Position i, const Shape&) {
        Index row = 0;
        for (std::size_t k = 0; k < leading.size(); ++k) row = row * leading[k] + i[k];
        i.erase(i.begin(), i.begin() + std::ssize(leading));
        i.insert(i.begin(), kPicks[static_cast<std::size_t>(row)]);
        return i;
      });
}

Tensor scattered(std::span<const Tensor> x) {
  Tensor y = x[0];
  for (Index i = 0; i < x[1].shape.size(); ++i) {
    auto to = unravel(x[1].shape, i);
    to[1] = kPicks[static_cast<std::size_t>(i)];
    y[ravel(y.shape, to)] += x[1][i];
  }
  return y;
}

[[maybe_unused]] const bool index_rows = add_rows({
    {"embedding(Var, std::span<const Index>)",
     [](Tape&, Vars x) { return embedding(x[0], kPicks); },
     embedded({6}),
     {{Shape{3, 4}}, {Shape{3}}, {Shape{5, 2, 70}}},
     {},
     {{{Shape{2, 4}}, "[embedding] index 0 is 2, outside of [0, 2)"}}},
    {"embedding(Var, std::span<const Index>, const Shape&)",
     [](Tape&, Vars x) {
       return embedding(x[0], kPicks, {3, 2});
     },
     embedded({3, 2}),
     {{Shape{3, 4}}, {Shape{3}}}},
    {"gather(Var, Index, std::span<const Index>)",
     [](Tape&, Vars x) { return gather(x[0], 1, kPicks); },
     rearrange(
         [](const Shape& s) {
           return Shape{s[0], 6 / s[0]};
         },
         [](Position i, const Shape& s) {
           return Position{i[0], kPicks[static_cast<std::size_t>(i[0] * (6 / s[0]) + i[1])]};
         }),
     {{Shape{6, 3}}, {Shape{2, 4}}, {Shape{1, 3}}},
     {},
     {{{Shape{4, 3}}, "6 indices are no multiple of the 4 places"}, {{Shape{2, 2}}, "index 0 is 2, outside of [0, 2)"}}},
    {"scatter_add(Var, Index, std::span<const Index>, Var)",
     [](Tape&, Vars x) { return scatter_add(x[0], 1, kPicks, x[1]); },
     scattered,
     {{Shape{2, 3}, Shape{2, 3}}, {Shape{1, 4}, Shape{1, 6}}, {Shape{1, 3, 2}, Shape{1, 3, 2}}},
     {},
     {{{Shape{2, 3}, Shape{3, 2}}, "they may differ only at axis 1"},
      {{Shape{2, 3}, Shape{2, 4}}, "needs one index for each element"}}},
    {.declaration = "one_hot(Tape&, std::span<const Index>, Index)",
     .call = [](Tape& t, Vars) { return one_hot(t, kPicks, 4); },
     .reference =
         [](std::span<const Tensor>) {
           Tensor y(Shape{6, 4});
           for (Index r = 0; r < 6; ++r) y[r * 4 + kPicks[static_cast<std::size_t>(r)]] = 1;
           return y;
         },
     .cases = {{}},
     .differentiable = false},
});

}  // namespace
}  // namespace op_table
