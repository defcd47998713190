#include <cmath>

#include "autodiff/conv.hpp"
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
Reference convolution(const ad::ConvOptions& o, std::function<double(double)> activation = [](double v) { return v; }) {
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
Reference transposed_convolution(const ad::ConvTransposeOptions& o, std::function<double(double)> activation = [](double v) { return v; }) {
  return [=](Tensors x) {
    const Shape s = x[0].shape, w = x[1].shape;
    const auto size = [&](Index n, Index k) { return (n - 1) * o.stride - 2 * o.padding + o.dilation * (k - 1) + o.output_padding + 1; };
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

Row conv_row(const ad::ConvOptions& o, std::vector<std::vector<Shape>> cases, std::string note) {
  return {"conv2d(Var, Var, Var, const ConvOptions&, Activation)",
          [=](Tape&, Vars x) { return conv2d(x[0], x[1], x.size() > 2 ? x[2] : Var(), o); }, convolution(o), std::move(cases), {{-1, 1}},
          {}, std::move(note)};
}

Row transpose_row(const ad::ConvTransposeOptions& o, std::vector<std::vector<Shape>> cases, std::string note) {
  return {"conv_transpose2d(Var, Var, Var, const ConvTransposeOptions&, Activation)",
          [=](Tape&, Vars x) { return conv_transpose2d(x[0], x[1], x.size() > 2 ? x[2] : Var(), o); }, transposed_convolution(o),
          std::move(cases), {{-1, 1}}, {}, std::move(note)};
}

std::vector<Row> convolution_rows() {
  Row plain = conv_row({}, {{Shape{2, 5, 4, 3}, Shape{6, 3, 3, 2}, Shape{6}}, {Shape{1, 3, 3, 2}, Shape{1, 2, 3, 3}}, {Shape{2, 4, 5, 3}, Shape{4, 3, 1, 1}, Shape{4}},
                            {Shape{0, 4, 4, 2}, Shape{3, 2, 3, 3}, Shape{3}}, {Shape{1, 4, 4, 1}, Shape{1, 1, 3, 3}, Shape{1}}, {Shape{5, 9, 7, 17}, Shape{33, 17, 3, 3}, Shape{33}}},
                       "valid");
  plain.rejects = {{{Shape{4, 4, 2}, Shape{3, 2, 3, 3}}, "x must be images"},
                   {{Shape{1, 4, 4, 2}, Shape{3, 2, 3}}, "the weight must have four axes"},
                   {{Shape{1, 4, 4, 2}, Shape{3, 4, 3, 3}}, "x must have 4 channels"},
                   {{Shape{1, 4, 4, 2}, Shape{3, 2, 3, 3}, Shape{2}}, "the bias must be [3]"},
                   {{Shape{1, 4, 4, 2}, Shape{3, 2, 5, 5}}, "larger than the image"}};
  Row transposed = transpose_row({}, {{Shape{2, 3, 4, 3}, Shape{3, 6, 3, 2}, Shape{6}}, {Shape{1, 3, 3, 2}, Shape{2, 1, 3, 3}}, {Shape{2, 3, 3, 5}, Shape{5, 4, 1, 1}, Shape{4}},
                                      {Shape{0, 4, 4, 2}, Shape{2, 3, 3, 3}, Shape{3}}, {Shape{4, 5, 6, 17}, Shape{17, 33, 3, 3}, Shape{33}}},
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
      plain, transposed, bad_output_padding, bad_stride,
      conv_row({.stride = 2, .padding = 1}, {{Shape{2, 6, 5, 1}, Shape{4, 1, 4, 4}, Shape{4}}, {Shape{3, 7, 7, 3}, Shape{5, 3, 3, 3}, Shape{5}}, {Shape{1, 2, 2, 2}, Shape{3, 2, 3, 3}}}, "stride 2"),
      conv_row({.stride = 3, .padding = 2}, {{Shape{2, 7, 8, 2}, Shape{3, 2, 2, 4}, Shape{3}}}, "stride 3"),
      conv_row({.padding = {2, 0, 1, 3}}, {{Shape{2, 3, 4, 2}, Shape{3, 2, 3, 4}, Shape{3}}, {Shape{1, 3, 4, 2}, Shape{3, 2, 1, 1}}}, "uneven border"),
      conv_row({.padding = 2, .dilation = 2}, {{Shape{2, 5, 6, 2}, Shape{3, 2, 3, 3}, Shape{3}}}, "dilation"),
      conv_row({.stride = 2, .padding = 3, .dilation = 3}, {{Shape{1, 8, 9, 2}, Shape{3, 2, 3, 2}, Shape{3}}}, "stride and dilation"),
      conv_row({.padding = 1, .groups = 3}, {{Shape{2, 4, 5, 6}, Shape{9, 2, 3, 3}, Shape{9}}}, "groups"),
      conv_row({.stride = 2, .padding = 1, .dilation = 2, .groups = 2}, {{Shape{2, 7, 6, 4}, Shape{6, 2, 3, 3}, Shape{6}}}, "all together"),
      conv_row({.padding = 1, .groups = 5}, {{Shape{2, 4, 5, 5}, Shape{5, 1, 3, 3}, Shape{5}}}, "depthwise"),
      conv_row({.stride = 2, .padding = 2, .dilation = 2, .groups = 19}, {{Shape{2, 6, 5, 19}, Shape{19, 1, 3, 3}, Shape{19}}}, "strided depthwise"),
      conv_row({.padding = 1, .groups = 2}, {{Shape{2, 3, 4, 2}, Shape{6, 1, 3, 3}, Shape{6}}}, "depthwise with a multiplier"),
      {"conv2d(Var, Var, Var, const ConvOptions&, Activation)",
       [](Tape&, Vars x) { return conv2d(x[0], x[1], x[2], {.padding = 1}, ad::Activation::leaky_relu); }, convolution({.padding = 1}, leaky),
       {{Shape{2, 4, 3, 3}, Shape{4, 3, 3, 3}, Shape{4}}, {Shape{2, 4, 3, 3}, Shape{21, 3, 3, 3}, Shape{21}}}, {{-1, 1}}, {}, "leaky relu"},
      {"conv2d(Var, Var, Var, const ConvOptions&, Activation)",
       [](Tape&, Vars x) { return conv2d(x[0], x[1], x[2], {}, ad::Activation::silu); }, convolution({}, silu),
       {{Shape{2, 4, 3, 3}, Shape{4, 3, 2, 2}, Shape{4}}}, {{-1, 1}}, {}, "silu"},
      transpose_row({.stride = 2, .padding = 1}, {{Shape{2, 3, 4, 4}, Shape{4, 1, 4, 4}, Shape{1}}, {Shape{2, 3, 2, 3}, Shape{3, 5, 3, 3}, Shape{5}}}, "stride 2"),
      transpose_row({.stride = 2, .padding = 1, .output_padding = 1}, {{Shape{2, 3, 4, 4}, Shape{4, 3, 3, 3}, Shape{3}}}, "output padding"),
      transpose_row({.stride = 3, .padding = 2, .output_padding = 2, .dilation = 2}, {{Shape{2, 3, 4, 2}, Shape{2, 3, 3, 2}, Shape{3}}}, "stride, dilation"),
      transpose_row({.stride = 2, .padding = 1, .groups = 2}, {{Shape{2, 3, 4, 4}, Shape{4, 3, 3, 3}, Shape{6}}}, "groups"),
      transpose_row({.stride = 2, .padding = 1, .output_padding = 1, .groups = 5}, {{Shape{2, 3, 4, 5}, Shape{5, 1, 3, 3}, Shape{5}}}, "depthwise"),
      {"conv_transpose2d(Var, Var, Var, const ConvTransposeOptions&, Activation)",
       [](Tape&, Vars x) { return conv_transpose2d(x[0], x[1], x[2], {.stride = 2}, ad::Activation::tanh); },
       transposed_convolution({.stride = 2}, [](double v) { return std::tanh(v); }),
       {{Shape{2, 3, 2, 3}, Shape{3, 2, 2, 2}, Shape{2}}}, {{-1, 1}}, {}, "tanh"},
  };
}

[[maybe_unused]] const bool added = add_rows(convolution_rows());

}  // namespace
}  // namespace op_table
