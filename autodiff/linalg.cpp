#include "autodiff/linalg.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "autodiff/elementwise.hpp"
#include "autodiff/fused_activation.hpp"
#include "autodiff/gemm.hpp"
#include "autodiff/shape_ops.hpp"

namespace ad {

using namespace detail;

Activation activation_from_name(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Activation>, 10> kNames{{{"identity", Activation::identity},
      {"none", Activation::identity}, {"relu", Activation::relu}, {"leaky_relu", Activation::leaky_relu},
      {"elu", Activation::elu}, {"gelu", Activation::gelu}, {"silu", Activation::silu}, {"softplus", Activation::softplus},
      {"tanh", Activation::tanh}, {"sigmoid", Activation::sigmoid}}};
  std::string known;
  for (const auto& [n, a] : kNames) {
    if (n == name) return a;
    known += (known.empty() ? "" : ", ") + std::string(n);
  }
  throw Error(cat("[activation] \"", name, "\" is not known; choose one of ", known));
}

Var activate(Var x, Activation activation) {
  switch (activation) {
    case Activation::identity: return x;
    case Activation::relu: return relu(x);
    case Activation::leaky_relu: return leaky_relu(x, kLeakySlope);
    case Activation::elu: return elu(x);
    case Activation::gelu: return gelu(x);
    case Activation::silu: return silu(x);
    case Activation::softplus: return softplus(x);
    case Activation::tanh: return tanh(x);
    case Activation::sigmoid: return sigmoid(x);
  }
  throw Error("[activate] not an activation");
}

Var linear(Var x, Var weight, Var bias, Activation activation) {
  const Shape s = x.shape(), w = weight.shape();
  AD_CHECK(w.rank() == 2, "linear", cat("the weight must be [out, in], it is ", w));
  AD_CHECK(s.rank() >= 1 && s.back() == w[1], "linear",
           cat("x is ", s, " but the weight is ", w, ": inner sizes ", s.rank() ? s.back() : 1, " and ", w[1], " differ",
               s.rank() > 2 ? "; is the input flattened?" : ""));
  AD_CHECK(!bias || bias.shape() == Shape{w[0]}, "linear", cat("the bias must be [", w[0], "], it is ", bias.shape()));
  const Index out = w[0], in = w[1], rows = in == 0 ? 0 : x.size() / in;
  Shape y_shape = s;
  y_shape[s.rank() - 1] = out;
  Tape& tape = x.tape();
  const Var y = bias ? tape.node("linear", y_shape, {x, weight, bias}) : tape.node("linear", y_shape, {x, weight});
  const Activation inner = fused(activation) ? activation : Activation::identity;

  const Real* b = bias ? bias.data() : nullptr;
  Real* v = y.data();
  with_fused(inner, [&](auto f, auto) {
    gemm(rows, out, in, {x.data(), in}, {weight.data(), in, true}, 0, v, out, [&](const GemmBlocks::Block& t) {
      if (b == nullptr && inner == Activation::identity) return;
      for (Index r = t.row; r < t.row + t.rows; ++r)
        bias_and_activate(f, v + r * out + t.column, b == nullptr ? nullptr : b + t.column, t.columns);
    });
  });
  if (y.live()) {
    tape.on_backward(y, [=] {
      Tape& t = y.tape();
      Real* y_bar = t.adjoint(y);  // becomes the gradient before the activation
      if (inner != Activation::identity)
        with_fused(inner, [&](auto, auto slope) { through_activation(slope, y.data(), y_bar, y.size()); });
      if (const GradSlot g = t.grad(x))  // x_bar = y_bar W
        gemm(rows, in, out, {y_bar, out}, {weight.data(), in}, g.add ? 1 : 0, g.data, in);
      const GradSlot gw = t.grad(weight), gb = bias ? t.grad(bias) : GradSlot{};
      if (gw)  // W_bar = y_bar^T x, and beside each of its rows the bias of that unit
        gemm(out, in, rows, {y_bar, out, true}, {x.data(), in}, gw.add ? 1 : 0, gw.data, in, [&](const GemmBlocks::Block& block) {
          if (gb) sum_columns(y_bar, rows, out, block.row, block.row + block.rows, gb);
        }, Cut::rows);
      else if (gb)
        sum_columns(y_bar, rows, out, 0, out, gb);
    });
  }
  return fused(activation) ? y : activate(y, activation);
}

namespace {

/// Where each matrix of a batch begins; an operand whose leading axes are 1 or missing is used again.
struct BatchOffsets {
  std::array<Index, Shape::kMaxRank> sizes{}, a{}, b{};
  Index rank = 0, count = 1;

  std::pair<Index, Index> operator()(Index i) const {
    Index at_a = 0, at_b = 0;
    for (Index axis = rank - 1; axis >= 0; --axis) {
      const auto k = static_cast<std::size_t>(axis);
      const Index position = i % sizes[k];
      i /= sizes[k];
      at_a += position * a[k];
      at_b += position * b[k];
    }
    return {at_a, at_b};
  }
};

Shape leading(const Shape& s) { return Shape(std::span<const Index>(s.begin(), static_cast<std::size_t>(s.rank() - 2))); }

BatchOffsets batch_offsets(const Shape& batch, const Shape& a, const Shape& b) {
  BatchOffsets o;
  o.rank = batch.rank();
  o.count = batch.size();
  std::copy(batch.begin(), batch.end(), o.sizes.begin());
  const auto strides = [&](const Shape& s, auto& out) {
    Index step = s[s.rank() - 2] * s[s.rank() - 1];
    for (Index axis = s.rank() - 3, at = o.rank - 1; axis >= 0; step *= s[axis], --axis, --at)
      out[static_cast<std::size_t>(at)] = s[axis] == 1 ? 0 : step;
  };
  strides(a, o.a);
  strides(b, o.b);
  return o;
}

}  // namespace

Var matmul(Var a, Var b, bool transpose_a, bool transpose_b) {
  const Shape sa = a.shape(), sb = b.shape();
  AD_CHECK(sa.rank() >= 2 && sb.rank() >= 2, "matmul", cat("needs matrices, got ", sa, " and ", sb));
  const Index a_stride = sa.back(), b_stride = sb.back();
  const Index m = transpose_a ? sa.back() : sa[sa.rank() - 2], k = transpose_a ? sa[sa.rank() - 2] : sa.back();
  const Index n = transpose_b ? sb[sb.rank() - 2] : sb.back(), k_b = transpose_b ? sb.back() : sb[sb.rank() - 2];
  AD_CHECK(k == k_b, "matmul",
           cat("inner sizes ", k, " and ", k_b, " differ: a is ", sa, transpose_a ? " transposed" : "", ", b is ", sb,
               transpose_b ? " transposed" : ""));
  const Shape batch = broadcast_shape(leading(sa), leading(sb), "matmul");
  std::array<Index, Shape::kMaxRank> sizes{};
  AD_CHECK(batch.rank() + 2 <= Shape::kMaxRank, "matmul", "too many axes");
  std::copy(batch.begin(), batch.end(), sizes.begin());
  sizes[static_cast<std::size_t>(batch.rank())] = m;
  sizes[static_cast<std::size_t>(batch.rank() + 1)] = n;
  Tape& tape = a.tape();
  const Var c =
      tape.node("matmul", Shape(std::span<const Index>(sizes.data(), static_cast<std::size_t>(batch.rank() + 2))), {a, b});
  const BatchOffsets offsets = batch_offsets(batch, sa, sb);

  const Real *pa = a.data(), *pb = b.data();
  Real* pc = c.data();
  const bool one = offsets.count == 1;  // one product is cut into blocks; many run side by side
  if (one)
    gemm(m, n, k, {pa, a_stride, transpose_a}, {pb, b_stride, transpose_b}, 0, pc, n);
  else
    parallel_for(offsets.count, [&](Index i) {
      const auto [ia, ib] = offsets(i);
      gemm_serial(m, n, k, {pa + ia, a_stride, transpose_a}, {pb + ib, b_stride, transpose_b}, 0, pc + i * m * n, n);
    });

  if (c.live()) {
    tape.on_backward(c, [=] {
      Tape& t = c.tape();
      const Real* c_bar = t.adjoint(c);
      const Real *va = a.data(), *vb = b.data();
      const GradSlot ga = t.grad(a), gb = t.grad(b);
      // A_bar = C_bar B^T and B_bar = A^T C_bar, each transposed when its operand came transposed. An operand that is used
      // again over the batch adds up, in order, so those run one after the other, each cut into blocks.
      if (ga && !ga.add) std::fill_n(ga.data, a.size(), Real(0));
      if (gb && !gb.add) std::fill_n(gb.data, b.size(), Real(0));
      const auto product = [&](Index i, auto multiply) {
        const auto [ia, ib] = offsets(i);
        const Real* g = c_bar + i * m * n;
        if (ga && !transpose_a) multiply(m, k, n, Matrix{g, n}, Matrix{vb + ib, b_stride, !transpose_b}, ga.data + ia, a_stride);
        if (ga && transpose_a)
          multiply(k, m, n, Matrix{vb + ib, b_stride, transpose_b}, Matrix{g, n, true}, ga.data + ia, a_stride);
        if (gb && !transpose_b) multiply(k, n, m, Matrix{va + ia, a_stride, !transpose_a}, Matrix{g, n}, gb.data + ib, b_stride);
        if (gb && transpose_b)
          multiply(n, k, m, Matrix{g, n, true}, Matrix{va + ia, a_stride, transpose_a}, gb.data + ib, b_stride);
      };
      const bool shared = a.size() != offsets.count * m * k || b.size() != offsets.count * k * n;
      if (one || shared) {
        for (Index i = 0; i < offsets.count; ++i)
          product(i, [](Index rows, Index columns, Index depth, Matrix x, Matrix y, Real* out, Index ld) {
            gemm(rows, columns, depth, x, y, 1, out, ld);
          });
      } else {
        parallel_for(offsets.count, [&](Index i) {
          product(i, [](Index rows, Index columns, Index depth, Matrix x, Matrix y, Real* out, Index ld) {
            gemm_serial(rows, columns, depth, x, y, 1, out, ld);
          });
        });
      }
    });
  }
  return c;
}

}  // namespace ad
