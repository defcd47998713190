// log_prob_table: many codes under many normals. Both passes are loops over N K Z products that stay in registers; the squares are of
// differences, not expanded into z^2 - 2 z m + m^2 for a matrix product, which loses the digits of a narrow component far from 0.
#include <algorithm>
#include <array>

#include "autodiff/elementwise.hpp"
#include "autodiff/parallel.hpp"
#include "models/distributions/normal.hpp"

namespace vaezoo {
namespace {

using namespace ad;

constexpr Index kRows = 4;          // rows that share what is loaded
constexpr Index kGrain = 16 * 1024; // products per parallel task: some microseconds of work

Index padded(Index n) { return (n + kLanes - 1) / kLanes * kLanes; }

/// [rows, columns] with rows of a multiple of kLanes, filled up with zeros.
void pad_rows(const Real* x, Index rows, Index columns, Real* out) {
  for (Index r = 0; r < rows; ++r, out += padded(columns))
    std::fill(std::copy_n(x + r * columns, columns, out), out + padded(columns), Real(0));
}

/// The transposed of [rows, columns], its rows padded as above.
void pad_transposed(const Real* x, Index rows, Index columns, Real* out) {
  for (Index c = 0; c < columns; ++c, out += padded(rows)) {
    for (Index r = 0; r < rows; ++r) out[r] = x[r * columns + c];
    std::fill(out + rows, out + padded(rows), Real(0));
  }
}

/// Calls f(row numbers) for kRows rows of `products` each at a time, in parallel; past the end the last row comes again.
template <class F>
void for_row_groups(Index rows, Index products, const F& f) {
  const Index grain = (kGrain / std::max<Index>(products, 1) / kRows + 1) * kRows;
  parallel_blocks(rows, even_grain(rows, grain, kRows), [&](Index begin, Index end) {
    for (Index first = begin; first < end; first += kRows) {
      std::array<Index, kRows> row;
      for (Index i = 0; i < kRows; ++i) row[static_cast<std::size_t>(i)] = std::min(first + i, end - 1);
      f(row);
    }
  });
}

/// y_nk = offset_k - sum_d precision_kd (z_nd - mean_kd)^2 / 2
void forward(const Real* z, const Real* mean, const Real* precision, const Real* offset, Index n, Index k, Index d, Real* work,
             Real* y) {
  const Index width = padded(k);
  Real *const m = work, *const p = m + d * width, *const o = p + d * width;
  pad_transposed(mean, k, d, m);
  pad_transposed(precision, k, d, p);
  pad_rows(offset, 1, k, o);
  for_row_groups(n, k * d, [=](const std::array<Index, kRows>& row) {
    for (Index at = 0; at < k; at += kLanes) {
      std::array<Batch, kRows> total;
      total.fill(Batch(Real(0)));
      for (Index j = 0; j < d; ++j) {
        const Batch mean_j = load(m + j * width + at), precision_j = load(p + j * width + at);
        for (std::size_t i = 0; i < kRows; ++i) {
          const Batch t = Batch(z[row[i] * d + j]) - mean_j;
          total[i] += t * t * precision_j;
        }
      }
      for (std::size_t i = 0; i < kRows; ++i)
        store_part(y + row[i] * k + at, load(o + at) - Batch(Real(0.5)) * total[i], std::min(kLanes, k - at));
    }
  });
}

void put(const GradSlot& slot, Index at, const Batch& share, Index count) {
  store_part(slot.data + at, slot.add ? load_part(slot.data + at, count) + share : share, count);
}

/// z_bar_nd = sum_k y_bar_nk precision_kd (mean_kd - z_nd); z padded, mean and precision too.
void backward_to_z(const Real* y_bar, const Real* z, const Real* m, const Real* p, Index n, Index k, Index d,
                   const GradSlot& slot) {
  const Index width = padded(d);
  for_row_groups(n, k * d, [=](const std::array<Index, kRows>& row) {
    for (Index at = 0; at < d; at += kLanes) {
      std::array<Batch, kRows> total, z_i;
      total.fill(Batch(Real(0)));
      for (std::size_t i = 0; i < kRows; ++i) z_i[i] = load(z + row[i] * width + at);
      for (Index c = 0; c < k; ++c) {
        const Batch mean_c = load(m + c * width + at), precision_c = load(p + c * width + at);
        for (std::size_t i = 0; i < kRows; ++i) total[i] += Batch(y_bar[row[i] * k + c]) * precision_c * (mean_c - z_i[i]);
      }
      for (std::size_t i = 0; i < kRows; ++i)
        if (i == 0 || row[i] != row[i - 1]) put(slot, row[i] * d + at, total[i], std::min(kLanes, d - at));
    }
  });
}

/// mean_bar_kd = sum_n y_bar_nk precision_kd (z_nd - mean_kd)      precision_bar_kd = -sum_n y_bar_nk (z_nd - mean_kd)^2 / 2
void backward_to_components(const Real* y_bar, const Real* z, const Real* m, const Real* p, Index n, Index k, Index d,
                            const GradSlot& mean_slot, const GradSlot& precision_slot) {
  const Index width = padded(d);
  for_row_groups(k, n * d, [=](const std::array<Index, kRows>& row) {
    for (Index at = 0; at < d; at += kLanes) {
      std::array<Batch, kRows> first, second, mean_i;
      first.fill(Batch(Real(0)));
      second.fill(Batch(Real(0)));
      for (std::size_t i = 0; i < kRows; ++i) mean_i[i] = load(m + row[i] * width + at);
      for (Index r = 0; r < n; ++r) {
        const Batch z_r = load(z + r * width + at);
        for (std::size_t i = 0; i < kRows; ++i) {
          const Batch t = z_r - mean_i[i], g = Batch(y_bar[r * k + row[i]]) * t;
          first[i] += g;
          second[i] += g * t;
        }
      }
      const Index count = std::min(kLanes, d - at);
      for (std::size_t i = 0; i < kRows; ++i) {
        if (i > 0 && row[i] == row[i - 1]) continue;
        if (mean_slot) put(mean_slot, row[i] * d + at, first[i] * load(p + row[i] * width + at), count);
        if (precision_slot) put(precision_slot, row[i] * d + at, Batch(Real(-0.5)) * second[i], count);
      }
    }
  });
}

void backward_to_offset(const Real* y_bar, Index n, Index k, const GradSlot& slot) {
  for (Index at = 0; at < k; at += kLanes) {
    const Index count = std::min(kLanes, k - at);
    Batch total(Real(0));
    for (Index r = 0; r < n; ++r) total += load_part(y_bar + r * k + at, count);
    put(slot, at, total, count);
  }
}

/// y_nk = offset_k - sum_d precision_kd (z_nd - mean_kd)^2 / 2.   z: [N, Z]   mean, precision: [K, Z]   offset: [K]   returns: [N, K]
Var table(Var z, Var mean, Var precision, Var offset) {
  Tape& tape = z.tape();
  const Index n = z.shape()[0], k = mean.shape()[0], d = mean.shape()[1];
  const Var y = tape.node("log_prob_table", {n, k}, {z, mean, precision, offset});
  forward(z.data(), mean.data(), precision.data(), offset.data(), n, k, d, tape.workspace((2 * d + 1) * padded(k)), y.data());
  if (y.live())
    tape.on_backward(y, [=] {
      Tape& t = y.tape();
      const Real* y_bar = t.adjoint(y);
      const GradSlot z_slot = t.grad(z), mean_slot = t.grad(mean), precision_slot = t.grad(precision),
                     offset_slot = t.grad(offset);
      Real* const z_padded = t.workspace((n + 2 * k) * padded(d));
      Real *const m = z_padded + n * padded(d), *const p = m + k * padded(d);
      pad_rows(z.data(), n, d, z_padded);
      pad_rows(mean.data(), k, d, m);
      pad_rows(precision.data(), k, d, p);
      if (z_slot) backward_to_z(y_bar, z_padded, m, p, n, k, d, z_slot);
      if (mean_slot || precision_slot) backward_to_components(y_bar, z_padded, m, p, n, k, d, mean_slot, precision_slot);
      if (offset_slot) backward_to_offset(y_bar, n, k, offset_slot);
    });
  return y;
}

}  // namespace

Var log_prob_table(Var z, const DiagonalNormal& components, Var log_weight) {
  const Shape s = components.mean.shape();
  AD_CHECK(z.shape().rank() == 2 && s.rank() == 2 && z.shape()[1] == s[1] && components.log_variance.shape() == s &&
               log_weight.shape() == Shape{s[0]},
           "log_prob_table",
           cat("needs codes [N, Z], normals [K, Z] and log weights [K], got ", z.shape(), ", ", s, " and ", log_weight.shape()));
  const Var normalizer = map_sum(
      "normal_log_normalizer", [](auto l) { return Real(-0.5) * l - Real(0.91893853320467274178); }, components.log_variance);
  return table(z, components.mean, exp(-components.log_variance), log_weight + normalizer);
}

}  // namespace vaezoo
