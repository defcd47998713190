#include <algorithm>
#include <cmath>
#include <limits>

#include "autodiff/conv.hpp"
#include "autodiff/gating.hpp"
#include "autodiff/normalization.hpp"
#include "autodiff/pooling.hpp"
#include "autodiff/resampling.hpp"
#include "autodiff/weight_norm.hpp"
#include "tests/engine/op_table.hpp"

namespace op_table {
namespace {

using ad::Tape;
using ad::Var;
using Vars = std::span<const Var>;
using Tensors = std::span<const Tensor>;

/// x at pixel (i, j) of image b, 0 outside of it.
double at(const Tensor& x, Index b, Index i, Index j, Index c) {
  const Shape& s = x.shape;
  return i < 0 || i >= s[1] || j < 0 || j >= s[2] ? 0.0 : x[((b * s[1] + i) * s[2] + j) * s[3] + c];
}

/// Calls f(b, i, j, c, position) for every number of images of this shape.
template <class F>
void each_pixel(const Shape& s, F f) {
  Index at = 0;
  for (Index b = 0; b < s[0]; ++b)
    for (Index i = 0; i < s[1]; ++i)
      for (Index j = 0; j < s[2]; ++j)
        for (Index c = 0; c < s[3]; ++c) f(b, i, j, c, at++);
}

/// The seven loops of a convolution.
Reference convolution(
    const ad::ConvOptions& o, std::function<double(double)> activation = [](double v) { return v; }) {
  return [=](Tensors x) {
    const Shape s = x[0].shape, w = x[1].shape;
    const ad::Border& p = o.padding;
    const auto size = [&](Index n, Index k) { return (n - o.dilation * (k - 1) - 1) / o.stride + 1; };
    Tensor y({s[0], size(s[1] + p.top + p.bottom, w[2]), size(s[2] + p.left + p.right, w[3]), w[0]});
    each_pixel(y.shape, [&](Index b, Index i, Index j, Index c, Index to) {
      double sum = x.size() > 2 ? x[2][c] : 0;
      const Index first = c / (w[0] / o.groups) * w[1];
      for (Index k = 0; k < w[1]; ++k)
        for (Index u = 0; u < w[2]; ++u)
          for (Index v = 0; v < w[3]; ++v)
            sum += x[1][((c * w[1] + k) * w[2] + u) * w[3] + v] *
                   at(x[0], b, i * o.stride - p.top + u * o.dilation, j * o.stride - p.left + v * o.dilation, first + k);
      y[to] = activation(sum);
    });
    return y;
  };
}

/// Every pixel of x adds its weighted kernel.
Reference transposed_convolution(
    const ad::ConvTransposeOptions& o, std::function<double(double)> activation = [](double v) { return v; }) {
  return [=](Tensors x) {
    const Shape s = x[0].shape, w = x[1].shape;
    const auto size = [&](Index n, Index k) {
      return (n - 1) * o.stride - 2 * o.padding + o.dilation * (k - 1) + o.output_padding + 1;
    };
    const Index out = w[1] * o.groups;
    Tensor y({s[0], size(s[1], w[2]), size(s[2], w[3]), out});
    each_pixel(s, [&](Index b, Index i, Index j, Index c, Index from) {
      for (Index k = 0; k < w[1]; ++k)
        for (Index p = 0; p < w[2]; ++p)
          for (Index q = 0; q < w[3]; ++q) {
            const Index row = i * o.stride - o.padding + p * o.dilation, column = j * o.stride - o.padding + q * o.dilation;
            if (row < 0 || row >= y.shape[1] || column < 0 || column >= y.shape[2]) continue;
            const Index channel = c / (s[3] / o.groups) * w[1] + k;
            y[((b * y.shape[1] + row) * y.shape[2] + column) * out + channel] +=
                x[0][from] * x[1][((c * w[1] + k) * w[2] + p) * w[3] + q];
          }
    });
    for (Index i = 0; i < y.shape.size(); ++i) y[i] = activation(y[i] + (x.size() > 2 ? x[2][i % out] : 0));
    return y;
  };
}

/// Weights and biases are smaller than x, so that sums stay of order one.
const std::vector<Domain> kDomains{{-1, 1}, {-0.3, 0.3}};

Row conv_row(const ad::ConvOptions& o, std::vector<std::vector<Shape>> cases, std::string note) {
  return {"conv2d(Var, Var, Var, const ConvOptions&, Activation)",
          [=](Tape&, Vars x) { return conv2d(x[0], x[1], x.size() > 2 ? x[2] : Var(), o); },
          convolution(o),
          std::move(cases),
          kDomains,
          {},
          std::move(note)};
}

Row transpose_row(const ad::ConvTransposeOptions& o, std::vector<std::vector<Shape>> cases, std::string note) {
  return {"conv_transpose2d(Var, Var, Var, const ConvTransposeOptions&, Activation)",
          [=](Tape&, Vars x) { return conv_transpose2d(x[0], x[1], x.size() > 2 ? x[2] : Var(), o); },
          transposed_convolution(o),
          std::move(cases),
          kDomains,
          {},
          std::move(note)};
}

std::vector<Row> convolution_rows() {
  Row plain = conv_row({},
                       {{Shape{2, 5, 4, 3}, Shape{6, 3, 3, 2}, Shape{6}},
                        {Shape{1, 3, 3, 2}, Shape{1, 2, 3, 3}},
                        {Shape{2, 4, 5, 3}, Shape{4, 3, 1, 1}, Shape{4}},
                        {Shape{0, 4, 4, 2}, Shape{3, 2, 3, 3}, Shape{3}},
                        {Shape{1, 4, 4, 1}, Shape{1, 1, 3, 3}, Shape{1}},
                        {Shape{5, 9, 7, 17}, Shape{33, 17, 3, 3}, Shape{33}}},
                       "valid");
  plain.rejects = {{{Shape{4, 4, 2}, Shape{3, 2, 3, 3}}, "x must be images"},
                   {{Shape{1, 4, 4, 2}, Shape{3, 2, 3}}, "the weight must have four axes"},
                   {{Shape{1, 4, 4, 2}, Shape{3, 4, 3, 3}}, "x must have 4 channels"},
                   {{Shape{1, 4, 4, 2}, Shape{3, 2, 3, 3}, Shape{2}}, "the bias must be [3]"},
                   {{Shape{1, 4, 4, 2}, Shape{3, 2, 5, 5}}, "larger than the image"}};
  Row transposed = transpose_row({},
                                 {{Shape{2, 3, 4, 3}, Shape{3, 6, 3, 2}, Shape{6}},
                                  {Shape{1, 3, 3, 2}, Shape{2, 1, 3, 3}},
                                  {Shape{2, 3, 3, 5}, Shape{5, 4, 1, 1}, Shape{4}},
                                  {Shape{0, 4, 4, 2}, Shape{2, 3, 3, 3}, Shape{3}},
                                  {Shape{4, 5, 6, 17}, Shape{17, 33, 3, 3}, Shape{33}}},
                                 "plain");
  transposed.rejects = {{{Shape{1, 4, 4, 2}, Shape{3, 2, 3, 3}}, "x must have 3 channels"},
                        {{Shape{1, 4, 4, 2}, Shape{2, 3, 3, 3}, Shape{2}}, "the bias must be [3]"}};
  Row bad_output_padding = transpose_row({.stride = 2, .output_padding = 2}, {}, "bad output padding");
  bad_output_padding.rejects = {{{Shape{1, 4, 4, 2}, Shape{2, 3, 3, 3}}, "output_padding must be in [0, 2)"}};
  Row bad_stride = conv_row({.stride = 0}, {}, "bad stride");
  bad_stride.rejects = {{{Shape{1, 4, 4, 2}, Shape{3, 2, 3, 3}}, "must be positive"}};
  const auto leaky = [](double v) { return v > 0 ? v : 0.01 * v; };
  const auto silu = [](double v) { return v / (1 + std::exp(-v)); };
  return {
      plain,
      transposed,
      bad_output_padding,
      bad_stride,
      conv_row({.stride = 2, .padding = 1},
               {{Shape{2, 6, 5, 1}, Shape{4, 1, 4, 4}, Shape{4}},
                {Shape{3, 7, 7, 3}, Shape{5, 3, 3, 3}, Shape{5}},
                {Shape{1, 2, 2, 2}, Shape{3, 2, 3, 3}}},
               "stride 2"),
      conv_row({.stride = 3, .padding = 2}, {{Shape{2, 7, 8, 2}, Shape{3, 2, 2, 4}, Shape{3}}}, "stride 3"),
      conv_row({.padding = {2, 0, 1, 3}},
               {{Shape{2, 3, 4, 2}, Shape{3, 2, 3, 4}, Shape{3}}, {Shape{1, 3, 4, 2}, Shape{3, 2, 1, 1}}}, "uneven border"),
      conv_row({.padding = 2, .dilation = 2}, {{Shape{2, 5, 6, 2}, Shape{3, 2, 3, 3}, Shape{3}}}, "dilation"),
      conv_row({.stride = 2, .padding = 3, .dilation = 3}, {{Shape{1, 8, 9, 2}, Shape{3, 2, 3, 2}, Shape{3}}},
               "stride and dilation"),
      conv_row({.padding = 1, .groups = 3}, {{Shape{2, 4, 5, 6}, Shape{9, 2, 3, 3}, Shape{9}}}, "groups"),
      conv_row({.stride = 2, .padding = 1, .dilation = 2, .groups = 2}, {{Shape{2, 7, 6, 4}, Shape{6, 2, 3, 3}, Shape{6}}},
               "all together"),
      conv_row({.padding = 1, .groups = 5}, {{Shape{2, 4, 5, 5}, Shape{5, 1, 3, 3}, Shape{5}}}, "depthwise"),
      conv_row({.stride = 2, .padding = 2, .dilation = 2, .groups = 19}, {{Shape{2, 6, 5, 19}, Shape{19, 1, 3, 3}, Shape{19}}},
               "strided depthwise"),
      conv_row({.padding = 1, .groups = 2}, {{Shape{2, 3, 4, 2}, Shape{6, 1, 3, 3}, Shape{6}}}, "depthwise with a multiplier"),
      {"conv2d(Var, Var, Var, const ConvOptions&, Activation)",
       [](Tape&, Vars x) { return conv2d(x[0], x[1], x[2], {.padding = 1}, ad::Activation::leaky_relu); },
       convolution({.padding = 1}, leaky),
       {{Shape{2, 4, 3, 3}, Shape{4, 3, 3, 3}, Shape{4}}, {Shape{2, 4, 3, 3}, Shape{21, 3, 3, 3}, Shape{21}}},
       kDomains,
       {},
       "leaky relu"},
      {"conv2d(Var, Var, Var, const ConvOptions&, Activation)",
       [](Tape&, Vars x) { return conv2d(x[0], x[1], x[2], {}, ad::Activation::silu); },
       convolution({}, silu),
       {{Shape{2, 4, 3, 3}, Shape{4, 3, 2, 2}, Shape{4}}},
       kDomains,
       {},
       "silu"},
      transpose_row({.stride = 2, .padding = 1},
                    {{Shape{2, 3, 4, 4}, Shape{4, 1, 4, 4}, Shape{1}}, {Shape{2, 3, 2, 3}, Shape{3, 5, 3, 3}, Shape{5}}},
                    "stride 2"),
      transpose_row({.stride = 2, .padding = 1, .output_padding = 1}, {{Shape{2, 3, 4, 4}, Shape{4, 3, 3, 3}, Shape{3}}},
                    "output padding"),
      transpose_row({.stride = 3, .padding = 2, .output_padding = 2, .dilation = 2},
                    {{Shape{2, 3, 4, 2}, Shape{2, 3, 3, 2}, Shape{3}}}, "stride, dilation"),
      transpose_row({.stride = 2, .padding = 1, .groups = 2}, {{Shape{2, 3, 4, 4}, Shape{4, 3, 3, 3}, Shape{6}}}, "groups"),
      transpose_row({.stride = 2, .padding = 1, .output_padding = 1, .groups = 5},
                    {{Shape{2, 3, 4, 5}, Shape{5, 1, 3, 3}, Shape{5}}}, "depthwise"),
      {"conv_transpose2d(Var, Var, Var, const ConvTransposeOptions&, Activation)",
       [](Tape&, Vars x) { return conv_transpose2d(x[0], x[1], x[2], {.stride = 2}, ad::Activation::tanh); },
       transposed_convolution({.stride = 2}, [](double v) { return std::tanh(v); }),
       {{Shape{2, 3, 2, 3}, Shape{3, 2, 2, 2}, Shape{2}}},
       kDomains,
       {},
       "tanh"},
  };
}

/// f of the numbers of each window; the padding is `outside`.
Reference pooled(const ad::PoolOptions& o, double outside, std::function<double(const std::vector<double>&)> f) {
  return [=](Tensors x) {
    const Shape s = x[0].shape;
    const Index stride = o.stride == 0 ? o.kernel : o.stride;
    const auto size = [&](Index n) { return (n + 2 * o.padding - o.kernel) / stride + 1; };
    Tensor y({s[0], size(s[1]), size(s[2]), s[3]});
    each_pixel(y.shape, [&](Index b, Index i, Index j, Index c, Index to) {
      std::vector<double> window;
      for (Index p = 0; p < o.kernel; ++p)
        for (Index q = 0; q < o.kernel; ++q) {
          const Index row = i * stride - o.padding + p, column = j * stride - o.padding + q;
          const bool inside = row >= 0 && row < s[1] && column >= 0 && column < s[2];
          window.push_back(inside ? at(x[0], b, row, column, c) : outside);
        }
      y[to] = f(window);
    });
    return y;
  };
}

double average(const std::vector<double>& v) {
  double sum = 0;
  for (double e : v) sum += e;
  return sum / double(v.size());
}
double largest(const std::vector<double>& v) { return *std::ranges::max_element(v); }

Row pool_row(bool average_of, const ad::PoolOptions& o, std::vector<std::vector<Shape>> cases, std::string note) {
  Row row{average_of ? "avg_pool2d(Var, const PoolOptions&)" : "max_pool2d(Var, const PoolOptions&)",
          [=](Tape&, Vars x) { return average_of ? avg_pool2d(x[0], o) : max_pool2d(x[0], o); },
          average_of ? pooled(o, 0, average) : pooled(o, -std::numeric_limits<double>::infinity(), largest), std::move(cases)};
  row.rejects = {{{Shape{2, 3, 3}}, "x must be images"}, {{Shape{1, 1, 1, 2}}, "larger than the images"}};
  row.note = std::move(note);
  return row;
}

std::vector<Row> pooling_rows() {
  const std::vector<std::vector<Shape>> cases{
      {Shape{2, 4, 6, 3}}, {Shape{1, 5, 7, 18}}, {Shape{0, 4, 4, 2}}, {Shape{3, 3, 3, 1}}};
  std::vector<Row> rows;
  for (bool average_of : {true, false}) {
    rows.push_back(pool_row(average_of, {}, cases, "2"));
    rows.push_back(pool_row(average_of, {.kernel = 3, .stride = 2}, cases, "3 by 2"));
    rows.push_back(pool_row(average_of, {.kernel = 3, .stride = 1, .padding = 1}, {{Shape{2, 4, 3, 2}}}, "3 by 1, padded"));
    rows.back().rejects.pop_back();
  }
  rows.push_back({"global_avg_pool(Var)",
                  [](Tape&, Vars x) { return global_avg_pool(x[0]); },
                  grouped({1, 2}, false, average),
                  {{Shape{2, 3, 4, 5}}, {Shape{1, 1, 1, 33}}},
                  {},
                  {{{Shape{2, 3, 4}}, "x must be images"}}});
  return rows;
}

/// Each pixel of the result as its definition has it: the corners of the square around its centre, weighted.
Reference interpolated(Index height, Index width) {
  return [=](Tensors x) {
    const Shape s = x[0].shape;
    Tensor y({s[0], height, width, s[3]});
    const auto source = [](Index i, Index from, Index to) {
      return std::max(0.0, (double(i) + 0.5) * double(from) / double(to) - 0.5);
    };
    each_pixel(y.shape, [&](Index b, Index i, Index j, Index c, Index to) {
      const double row = source(i, s[1], height), column = source(j, s[2], width);
      double sum = 0;
      for (Index p = 0; p < s[1]; ++p)
        for (Index q = 0; q < s[2]; ++q) {
          const double near_row = std::max(0.0, 1 - std::abs(std::min(row, double(s[1] - 1)) - double(p)));
          const double near_column = std::max(0.0, 1 - std::abs(std::min(column, double(s[2] - 1)) - double(q)));
          sum += near_row * near_column * at(x[0], b, p, q, c);
        }
      y[to] = sum;
    });
    return y;
  };
}

Reference shuffled(Index r) {
  return rearrange(
      [r](const Shape& s) {
        return Shape{s[0], s[1] * r, s[2] * r, s[3] / (r * r)};
      },
      [r](std::vector<Index> i, const Shape&) {
        return std::vector<Index>{i[0], i[1] / r, i[2] / r, (i[3] * r + i[1] % r) * r + i[2] % r};
      });
}

std::vector<Row> resampling_rows() {
  const std::vector<std::vector<Shape>> cases{
      {Shape{2, 2, 3, 2}}, {Shape{1, 5, 4, 19}}, {Shape{0, 2, 2, 1}}, {Shape{1, 1, 1, 1}}};
  const std::vector<Reject> not_images{{{Shape{2, 3, 4}}, "x must be images"}};
  std::vector<Row> rows;
  for (const auto& size : {std::pair<Index, Index>{4, 6}, {7, 5}, {3, 2}}) {
    const Index height = size.first, width = size.second;
    rows.push_back({"upsample_nearest(Var, Index, Index)",
                    [=](Tape&, Vars x) { return upsample_nearest(x[0], height, width); },
                    rearrange(
                        [=](const Shape& s) {
                          return Shape{s[0], height, width, s[3]};
                        },
                        [=](std::vector<Index> i, const Shape& s) {
                          return std::vector<Index>{i[0], i[1] * s[1] / height, i[2] * s[2] / width, i[3]};
                        }),
                    cases,
                    {},
                    not_images,
                    ad::to_text(height)});
    rows.push_back({"upsample_bilinear(Var, Index, Index)",
                    [=](Tape&, Vars x) { return upsample_bilinear(x[0], height, width); },
                    interpolated(height, width),
                    cases,
                    {},
                    not_images,
                    ad::to_text(height)});
  }
  rows.push_back({"pixel_shuffle(Var, Index)",
                  [](Tape&, Vars x) { return pixel_shuffle(x[0], 2); },
                  shuffled(2),
                  {{Shape{2, 2, 3, 4}}, {Shape{1, 3, 2, 12}}},
                  {},
                  {{{Shape{1, 2, 2, 6}}, "multiple of r^2"}}});
  rows.push_back({"pixel_unshuffle(Var, Index)",
                  [](Tape&, Vars x) { return pixel_unshuffle(x[0], 2); },
                  rearrange(
                      [](const Shape& s) {
                        return Shape{s[0], s[1] / 2, s[2] / 2, s[3] * 4};
                      },
                      [](std::vector<Index> i, const Shape&) {
                        return std::vector<Index>{i[0], i[1] * 2 + i[3] / 2 % 2, i[2] * 2 + i[3] % 2, i[3] / 4};
                      }),
                  {{Shape{2, 4, 6, 1}}, {Shape{1, 2, 4, 3}}},
                  {},
                  {{{Shape{1, 3, 2, 6}}, "multiples of 2"}}});
  return rows;
}

Reference gated(std::function<double(double)> activation) {
  return [=](Tensors x) {
    Shape s = x[0].shape;
    const Index width = s.back() / 2;
    s[s.rank() - 1] = width;
    Tensor y(s);
    for (Index i = 0; i < s.size(); ++i) {
      const Index a = i / width * 2 * width + i % width;
      y[i] = activation(x[0][a]) / (1 + std::exp(-x[0][a + width]));
    }
    return y;
  };
}

Tensor rows_of_length(Tensors x) {
  Tensor y(x[0].shape);
  const Index columns = y.shape.size() / y.shape[0];
  for (Index r = 0; r < y.shape[0]; ++r) {
    double squares = 0;
    for (Index j = 0; j < columns; ++j) squares += x[0][r * columns + j] * x[0][r * columns + j];
    for (Index j = 0; j < columns; ++j) y[r * columns + j] = x[1][r] * x[0][r * columns + j] / std::sqrt(squares);
  }
  return y;
}

constexpr double kEpsilon = 0.01;

Reference group_normalized(Index groups) {
  return [=](Tensors x) {
    const Shape& s = x[0].shape;
    const Index channels = s.back(), image = s.size() / s[0];
    Tensor y(s);
    const auto group = [&](Index i) { return i / image * groups + i % channels / (channels / groups); };
    for (Index i = 0; i < s.size(); ++i) {
      double n = 0, mean = 0, variance = 0;
      for (Index j = 0; j < s.size(); ++j)
        if (group(i) == group(j)) n += 1, mean += x[0][j];
      mean /= n;
      for (Index j = 0; j < s.size(); ++j)
        if (group(i) == group(j)) variance += (x[0][j] - mean) * (x[0][j] - mean) / n;
      y[i] = (x[0][i] - mean) / std::sqrt(variance + kEpsilon);
      if (x.size() > 1) y[i] = y[i] * x[1][i % channels] + x[2][i % channels];
    }
    return y;
  };
}

Row group_norm_row(Index groups, std::vector<std::vector<Shape>> cases, std::string note) {
  return {"group_norm(Var, Var, Var, Index, Real)",
          [=](Tape&, Vars x) {
            return x.size() > 1 ? group_norm(x[0], x[1], x[2], groups, ad::Real(kEpsilon))
                                : group_norm(x[0], {}, {}, groups, ad::Real(kEpsilon));
          },
          group_normalized(groups),
          std::move(cases),
          {},
          {},
          std::move(note)};
}

std::vector<Row> unit_rows() {
  std::vector<Row> rows{
      {"glu(Var, Activation)",
       [](Tape&, Vars x) { return glu(x[0]); },
       gated([](double a) { return a; }),
       {{Shape{3, 4}}, {Shape{2, 3, 38}}, {Shape{2}}},
       {},
       {{{Shape{2, 3}}, "must be even"}}},
      {"glu(Var, Activation)",
       [](Tape&, Vars x) { return glu(x[0], ad::Activation::tanh); },
       gated([](double a) { return std::tanh(a); }),
       {{Shape{3, 4}}, {Shape{2, 3, 38}}},
       {},
       {},
       "tanh"},
      {"weight_norm(Var, Var)",
       [](Tape&, Vars x) { return weight_norm(x[0], x[1]); },
       rows_of_length,
       {{Shape{3, 4}, Shape{3}}, {Shape{2, 3, 3, 3}, Shape{2, 1, 1, 1}}, {Shape{4, 1}, Shape{4}}},
       {},
       {{{Shape{3, 4}, Shape{4}}, "one g for each row"}}},
      group_norm_row(
          2,
          {{Shape{2, 3, 2, 4}, Shape{4}, Shape{4}}, {Shape{3, 6}, Shape{6}, Shape{6}}, {Shape{2, 5, 38}, Shape{38}, Shape{38}}},
          "two groups"),
      group_norm_row(1, {{Shape{2, 3, 5}}}, "one group, no weight"),
      group_norm_row(3, {{Shape{1, 4, 4, 3}, Shape{3}, Shape{3}}}, "each channel"),
  };
  rows[3].rejects = {{{Shape{2, 3, 5}, Shape{5}, Shape{5}}, "multiple of the groups"},
                     {{Shape{2, 3, 4}, Shape{3}, Shape{3}}, "must be [4]"}};
  return rows;
}

[[maybe_unused]] const bool added =
    add_rows(convolution_rows()) && add_rows(pooling_rows()) && add_rows(resampling_rows()) && add_rows(unit_rows());

}  // namespace
}  // namespace op_table
