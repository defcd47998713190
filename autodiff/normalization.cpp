#include "autodiff/normalization.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "autodiff/fused_activation.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/simd.hpp"

namespace ad {

using detail::fused, detail::with_fused;

namespace {

constexpr Index kBlockSize = 16384;  // numbers of x per parallel task

Batch load_some(const Real* p, Index count) { return count == kLanes ? load(p) : load_part(p, count); }
void store_some(Real* p, const Batch& b, Index count) { count == kLanes ? store(p, b) : store_part(p, b, count); }
void put(const GradSlot& slot, Index i, const Batch& b, Index count) {
  store_some(slot.data + i, slot.add ? load_some(slot.data + i, count) + b : b, count);
}

/// A matrix [rows, columns], cut into blocks of rows only by its shape.
struct Rows {
  Index rows, columns, block = std::clamp<Index>(kBlockSize / std::max<Index>(columns, 1), 1, 256);
  Index blocks() const { return (rows + block - 1) / block; }
};

/// sums[n][j] = sum of f(r * columns + j, j, lanes)[n] over rows [first, last), for Width * kLanes neighbouring j.
template <Index Width, std::size_t N, class F>
void sum_columns_from(const Rows& m, Index first, Index last, Index j, const F& f, const std::array<Real*, N>& sums) {
  std::array<std::array<Batch, N>, static_cast<std::size_t>(Width)> total;
  for (auto& of_lanes : total) of_lanes.fill(Batch(Real(0)));
  const auto lanes = [&](Index k) { return std::min(kLanes, m.columns - j - k * kLanes); };
  for (Index r = first; r < last; ++r)
    for (Index k = 0; k < Width; ++k) {
      const Index column = j + k * kLanes;
      const std::array<Batch, N> share = f(r * m.columns + column, column, Width > 1 ? kLanes : lanes(k));
      for (std::size_t n = 0; n < N; ++n) total[static_cast<std::size_t>(k)][n] += share[n];
    }
  for (Index k = 0; k < Width; ++k)
    for (std::size_t n = 0; n < N; ++n)
      store_some(sums[n] + j + k * kLanes, total[static_cast<std::size_t>(k)][n], Width > 1 ? kLanes : lanes(k));
}

/// The same for all j.
template <std::size_t N, class F>
void sum_rows(const Rows& m, Index first, Index last, const F& f, const std::array<Real*, N>& sums) {
  Index j = 0;
  for (; j + 2 * kLanes <= m.columns; j += 2 * kLanes) sum_columns_from<2>(m, first, last, j, f, sums);
  for (; j < m.columns; j += kLanes) sum_columns_from<1>(m, first, last, j, f, sums);
}

/// The same over all rows: each block by itself, then the blocks in order.
template <std::size_t N, class F>
void column_sums(Tape& tape, const Rows& m, const F& f, std::array<Real*, N> sums) {
  const Index width = m.columns, parts = static_cast<Index>(N);
  Real* partial = tape.workspace(m.blocks() * parts * width);
  const auto of = [=](Index block, std::size_t n) { return partial + (block * parts + static_cast<Index>(n)) * width; };
  parallel_for(m.blocks(), [&](Index b) {
    std::array<Real*, N> own;
    for (std::size_t n = 0; n < N; ++n) own[n] = of(b, n);
    sum_rows(m, b * m.block, std::min(m.rows, (b + 1) * m.block), f, own);
  });
  for (std::size_t n = 0; n < N; ++n) {
    std::fill_n(sums[n], width, Real(0));
    for (Index b = 0; b < m.blocks(); ++b)
      for (Index j = 0; j < width; ++j) sums[n][j] += of(b, n)[j];
  }
}

/// Mean and biased variance of each column, in one pass over memory: both of each block while it is in cache, then joined (Chan
/// et al. 1979). E x^2 - (E x)^2 would cancel.
void column_moments(Tape& tape, const Rows& m, const Real* x, Real* mean, Real* variance) {
  const Index width = m.columns;
  Real* partial = tape.workspace(m.blocks() * 2 * width);
  const auto rows_of = [=](Index block) { return std::min(m.rows, (block + 1) * m.block) - block * m.block; };
  parallel_for(m.blocks(), [&](Index b) {
    const Index first = b * m.block, last = first + rows_of(b);
    Real *mu = partial + 2 * b * width, *squares = mu + width;
    sum_rows<1>(m, first, last, [&](Index i, Index, Index count) { return std::array<Batch, 1>{load_some(x + i, count)}; }, {mu});
    for (Index j = 0; j < width; ++j) mu[j] /= static_cast<Real>(last - first);
    sum_rows<1>(m, first, last, [&](Index i, Index j, Index count) {
      const Batch d = load_some(x + i, count) - load_some(mu + j, count);
      return std::array<Batch, 1>{d * d};
    }, {squares});
  });
  std::fill_n(mean, width, Real(0));
  std::fill_n(variance, width, Real(0));
  for (Index b = 0; b < m.blocks(); ++b) {
    const Real *mu = partial + 2 * b * width, *squares = mu + width;
    const Real before = static_cast<Real>(b * m.block), rows = static_cast<Real>(rows_of(b)), share = rows / (before + rows);
    for (Index j = 0; j < width; ++j) {
      const Real d = mu[j] - mean[j];
      mean[j] += d * share;
      variance[j] += squares[j] + d * d * before * share;
    }
  }
  for (Index j = 0; j < width; ++j) variance[j] /= static_cast<Real>(m.rows);
}

/// Calls f(i, j, lanes) for all elements, i = r * columns + j.
template <class F>
void each_element(const Rows& m, const F& f) {
  parallel_blocks(m.rows, m.block, [&](Index first, Index last) {
    for (Index r = first; r < last; ++r)
      for (Index j = 0; j < m.columns; j += kLanes) f(r * m.columns + j, j, std::min(kLanes, m.columns - j));
  });
}

Rows checked_rows(const char* op, Var x, Var weight, Var bias) {
  AD_CHECK(x.shape().rank() >= 1, op, "x needs at least one axis, the features; a scalar came");
  const Index columns = x.shape().back();
  AD_CHECK(static_cast<bool>(weight) == static_cast<bool>(bias), op, "weight and bias come together or not at all");
  for (const Var& v : {weight, bias})
    AD_CHECK(!v || v.shape() == Shape{columns}, op,
             cat("x is ", x.shape(), ", so weight and bias must be [", columns, "]; one is ", v.shape()));
  return {columns == 0 ? 0 : x.size() / columns, columns};
}

Var make_node(const char* op, Var x, Var weight, Var bias) {
  return weight ? x.tape().node(op, x.shape(), {x, weight, bias}) : x.tape().node(op, x.shape(), {x});
}

/// Into the gradients of weight and bias, from the sums of y_bar x_hat and of y_bar over the rows.
void put_affine(Tape& t, Var weight, Var bias, const Real* sum_scaled, const Real* sum, Index columns) {
  if (!weight) return;
  const GradSlot w = t.grad(weight), b = t.grad(bias);
  for (Index j = 0; j < columns; ++j) {
    if (w) w.data[j] = w.add ? w.data[j] + sum_scaled[j] : sum_scaled[j];
    if (b) b.data[j] = b.add ? b.data[j] + sum[j] : sum[j];
  }
}

/// What a batch norm keeps for its pullback.
struct Standard {
  Rows m;
  const Real *mean, *inverse;  // [columns]; 1 / sqrt(variance + epsilon)
  bool of_batch;               // do mean and variance depend on x?
  Activation activation;       // after it
};

/// y and its pullback. With x_hat = (x - mean) inverse, g the gradient before the activation and <.> the mean over rows,
///   x_bar = weight inverse (g - <g> - x_hat <g x_hat>), without the two means when the moments are constants.
/// g is computed again from x in both passes: that costs less than writing it.
Var normalize_columns(Var y, Var x, Var weight, Var bias, const Standard& s) {
  const Real *px = x.data(), *w = weight ? weight.data() : nullptr, *b = weight ? bias.data() : nullptr;
  Real* py = y.data();
  const auto x_hat = [=](Index i, Index j, Index count) {
    return (load_some(px + i, count) - load_some(s.mean + j, count)) * load_some(s.inverse + j, count);
  };
  const auto affine = [=](const Batch& h, Index j, Index count) {
    return w == nullptr ? h : h * load_some(w + j, count) + load_some(b + j, count);
  };
  with_fused(s.activation, [&](auto f, auto) {
    each_element(s.m, [&](Index i, Index j, Index count) { store_some(py + i, f(affine(x_hat(i, j, count), j, count)), count); });
  });
  if (!y.live()) return y;
  y.tape().on_backward(y, [=] {
    Tape& t = y.tape();
    const Real* y_bar = t.adjoint(y);
    Real *sum = t.scratch(s.m.columns), *sum_scaled = t.scratch(s.m.columns);
    with_fused(s.activation, [&](auto f, auto slope) {
      const auto before_activation = [&](const Batch& h, Index i, Index j, Index count) {
        return load_some(y_bar + i, count) * slope(f(affine(h, j, count)));
      };
      if (s.of_batch || weight)
        column_sums<2>(t, s.m, [&](Index i, Index j, Index count) {
          const Batch h = x_hat(i, j, count), g = before_activation(h, i, j, count);
          return std::array<Batch, 2>{g, g * h};
        }, {sum, sum_scaled});
      put_affine(t, weight, bias, sum_scaled, sum, s.m.columns);
      const GradSlot slot = t.grad_over(x, y);
      if (!slot) return;
      const Real share = Real(1) / static_cast<Real>(std::max<Index>(s.m.rows, 1));
      each_element(s.m, [&](Index i, Index j, Index count) {
        const Batch h = x_hat(i, j, count);
        Batch g = before_activation(h, i, j, count);
        if (s.of_batch) g -= share * (load_some(sum + j, count) + h * load_some(sum_scaled + j, count));
        g *= load_some(s.inverse + j, count);
        put(slot, i, w == nullptr ? g : g * load_some(w + j, count), count);
      });
    });
  });
  return y;
}

void invert(const Real* variance, Real epsilon, Real* inverse, Index columns) {
  for (Index j = 0; j < columns; ++j) inverse[j] = Real(1) / std::sqrt(variance[j] + epsilon);
}

}  // namespace

Normalized batch_norm(Var x, Var weight, Var bias, Real epsilon, Activation activation) {
  const Rows m = checked_rows("batch_norm", x, weight, bias);
  AD_CHECK(m.rows >= 2, "batch_norm", cat("needs at least two rows to have a variance, x is ", x.shape(),
                                          "; in evaluation set Context::training to false"));
  Tape& t = x.tape();
  const Var y = make_node("batch_norm", x, weight, bias);
  Real *mean = t.scratch(m.columns), *variance = t.scratch(m.columns), *inverse = t.scratch(m.columns);
  column_moments(t, m, x.data(), mean, variance);
  invert(variance, epsilon, inverse, m.columns);
  const auto size = static_cast<std::size_t>(m.columns);
  const Activation inner = fused(activation) ? activation : Activation::identity;
  const Var out = normalize_columns(y, x, weight, bias, {m, mean, inverse, true, inner});
  return {fused(activation) ? out : activate(out, activation), {{mean, size}, {variance, size}}};
}

Var batch_norm(Var x, Var weight, Var bias, const Moments& moments, Real epsilon, Activation activation) {
  const Rows m = checked_rows("batch_norm", x, weight, bias);
  AD_CHECK(std::ssize(moments.mean) == m.columns && std::ssize(moments.variance) == m.columns, "batch_norm",
           cat("x is ", x.shape(), " but there are moments of ", moments.mean.size(), " features"));
  Tape& t = x.tape();
  const Var y = make_node("batch_norm", x, weight, bias);
  Real *mean = t.scratch(m.columns), *inverse = t.scratch(m.columns);
  std::copy(moments.mean.begin(), moments.mean.end(), mean);
  invert(moments.variance.data(), epsilon, inverse, m.columns);
  const Activation inner = fused(activation) ? activation : Activation::identity;
  const Var out = normalize_columns(y, x, weight, bias, {m, mean, inverse, false, inner});
  return fused(activation) ? out : activate(out, activation);
}

namespace {

/// sum_j f(j, lanes) over one row, in a fixed order.
template <class F>
Real row_sum(Index columns, const F& f) {
  Batch total(Real(0));
  Index j = 0;
  for (; j + kLanes <= columns; j += kLanes) total += f(j, kLanes);
  Real rest = 0;
  if (j < columns) {
    std::array<Real, static_cast<std::size_t>(kLanes)> lanes{};
    store_part(lanes.data(), f(j, columns - j), columns - j);
    for (Real v : lanes) rest += v;
  }
  return sum_lanes(total) + rest;
}

/// Calls f(r) for every row, rows in parallel.
template <class F>
void each_row(const Rows& m, const F& f) {
  parallel_blocks(m.rows, m.block, [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) f(r);
  });
}

template <class F>
void each_lane(Index columns, const F& f) {
  for (Index j = 0; j < columns; j += kLanes) f(j, std::min(kLanes, columns - j));
}

}  // namespace

Var layer_norm(Var x, Var weight, Var bias, Real epsilon) {
  const Rows m = checked_rows("layer_norm", x, weight, bias);
  const Var y = make_node("layer_norm", x, weight, bias);
  Tape& tape = x.tape();
  Real *mean = tape.scratch(m.rows), *inverse = tape.scratch(m.rows), *py = y.data();
  const Real *px = x.data(), *w = weight ? weight.data() : nullptr, *b = weight ? bias.data() : nullptr;
  const Index columns = m.columns;
  const Real share = Real(1) / static_cast<Real>(std::max<Index>(columns, 1));
  each_row(m, [&](Index r) {
    const Real* v = px + r * columns;
    const Real mu = share * row_sum(columns, [&](Index j, Index count) { return load_some(v + j, count); });
    const Real variance = share * row_sum(columns, [&](Index j, Index count) {
      const Batch d = load_some(v + j, count) - Batch(mu);
      return d * d;
    });
    mean[r] = mu;
    inverse[r] = Real(1) / std::sqrt(variance + epsilon);
    each_lane(columns, [&](Index j, Index count) {
      const Batch h = (load_some(v + j, count) - Batch(mu)) * Batch(inverse[r]);
      store_some(py + r * columns + j, w == nullptr ? h : h * load_some(w + j, count) + load_some(b + j, count), count);
    });
  });
  if (!y.live()) return y;
  tape.on_backward(y, [=] {  // as in normalize_columns, with the means <.> over the row, and of g = weight y_bar
    Tape& t = y.tape();
    const Real* y_bar = t.adjoint(y);
    if (weight) {
      Real *sum = t.scratch(columns), *sum_scaled = t.scratch(columns);
      column_sums<2>(t, m, [&](Index i, Index, Index count) {
        const Index r = i / columns;
        const Batch g = load_some(y_bar + i, count);
        return std::array<Batch, 2>{g, g * (load_some(px + i, count) - Batch(mean[r])) * Batch(inverse[r])};
      }, {sum, sum_scaled});
      put_affine(t, weight, bias, sum_scaled, sum, columns);
    }
    const GradSlot slot = t.grad(x);
    if (!slot) return;
    each_row(m, [&](Index r) {
      const Index row = r * columns;
      const auto g = [&](Index j, Index count) {
        const Batch v = load_some(y_bar + row + j, count);
        return w == nullptr ? v : v * load_some(w + j, count);
      };
      const auto x_hat = [&](Index j, Index count) {
        return (load_some(px + row + j, count) - Batch(mean[r])) * Batch(inverse[r]);
      };
      const Real mean_g = share * row_sum(columns, g);
      const Real mean_gx = share * row_sum(columns, [&](Index j, Index count) { return g(j, count) * x_hat(j, count); });
      each_lane(columns, [&](Index j, Index count) {
        put(slot, row + j, (g(j, count) - Batch(mean_g) - x_hat(j, count) * Batch(mean_gx)) * Batch(inverse[r]), count);
      });
    });
  });
  return y;
}

}  // namespace ad
