#pragma once
// The two loops behind reductions, softmax, broadcasting and their adjoints. A tensor is seen as [outer, count, inner]:
// `fold` runs along the middle axis down to [outer, inner], `spread` goes back from [outer, inner] to the full shape.
// Both run a formula over batches, so that a kernel (sum of exp(x - m), say) is one lambda and one pass over memory.
#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "autodiff/parallel.hpp"
#include "autodiff/simd.hpp"
#include "autodiff/tape.hpp"

namespace ad::detail {

/// A tensor as [outer, count, inner]; an op works along the middle axis.
struct AxisView {
  Index outer, count, inner;
};

/// Along axis `axis`, which is counted from the start.
inline AxisView along(const Shape& s, Index axis) {
  AxisView v{1, s[axis], 1};
  for (Index i = 0; i < s.rank(); ++i)
    if (i != axis) (i < axis ? v.outer : v.inner) *= s[i];
  return v;
}

struct Sum {
  static constexpr Real kIdentity = 0;
  template <class T>
  T operator()(const T& a, const T& b) const { return a + b; }
};
struct Max {  // a NaN wins
  static constexpr Real kIdentity = -std::numeric_limits<Real>::infinity();
  Batch operator()(const Batch& a, const Batch& b) const { return fmax(a, b); }
  Real operator()(Real a, Real b) const { return a >= b || a != a ? a : b; }
};
struct Min {
  static constexpr Real kIdentity = std::numeric_limits<Real>::infinity();
  Batch operator()(const Batch& a, const Batch& b) const { return fmin(a, b); }
  Real operator()(Real a, Real b) const { return a <= b || a != a ? a : b; }
};

/// The formula of plain sums and copies. (A named type: fold folds its own pieces with it.)
struct Same {
  Batch operator()(const Batch& b) const { return b; }
};

template <std::size_t N>
using Sources = std::array<const Real*, N>;

/// f at `count` neighbours: full tensors read at i, contexts (one number per [outer, inner]) at j; a context is one number
/// for all lanes when `same`.
template <class F, std::size_t N, std::size_t C>
Batch formula(const F& f, const Sources<N>& x, Index i, const Sources<C>& context, Index j, bool same, Index count) {
  return [&]<std::size_t... I, std::size_t... K>(std::index_sequence<I...>, std::index_sequence<K...>) {
    const auto read = [count](const Real* p) { return count == kLanes ? load(p) : load_part(p, count); };
    return Batch(f(read(x[I] + i)..., (same ? Batch(context[K][j]) : read(context[K] + j))...));
  }(std::make_index_sequence<N>(), std::make_index_sequence<C>());
}

inline void put(GradSlot out, Index i, const Batch& b, Index count) {
  Real* p = out.data + i;
  if (count == kLanes)
    store(p, out.add ? load(p) + b : b);
  else
    store_part(p, out.add ? load_part(p, count) + b : b, count);
}

/// op over `count` neighbours from i on; four accumulators hide the latency of the additions.
template <class Op, class F, std::size_t N, std::size_t C>
Real fold_row(Op op, const F& f, const Sources<N>& x, Index i, const Sources<C>& context, Index j, Index count) {
  std::array<Batch, 4> acc;
  acc.fill(Batch(Op::kIdentity));
  const Index end = i + count;
  for (; i + 4 * kLanes <= end; i += 4 * kLanes)
    for (Index k = 0; k < 4; ++k) {
      Batch& a = acc[static_cast<std::size_t>(k)];
      a = op(a, formula(f, x, i + k * kLanes, context, j, true, kLanes));
    }
  for (; i + kLanes <= end; i += kLanes) acc[0] = op(acc[0], formula(f, x, i, context, j, true, kLanes));
  if (i < end)
    acc[1] = op(acc[1], select(first_lanes(end - i), formula(f, x, i, context, j, true, end - i), Batch(Op::kIdentity)));
  return reduce_lanes(op, op(op(acc[0], acc[1]), op(acc[2], acc[3])));
}

/// op over `count` rows of Width * kLanes neighbouring columns (fewer lanes when Width is 1 and lanes < kLanes).
template <Index Width, class Op, class F, std::size_t N, std::size_t C>
void fold_columns(Op op, const F& f, const Sources<N>& x, Index i, Index stride, const Sources<C>& context, Index j, Index count,
                  GradSlot out, Index at, Index lanes = kLanes) {
  std::array<Batch, static_cast<std::size_t>(Width)> acc;
  acc.fill(Batch(Op::kIdentity));
  for (Index r = 0; r < count; ++r, i += stride)
    for (Index k = 0; k < Width; ++k) {
      Batch& a = acc[static_cast<std::size_t>(k)];
      a = op(a, formula(f, x, i + k * kLanes, context, j + k * kLanes, false, lanes));
    }
  for (Index k = 0; k < Width; ++k) put(out, at + k * kLanes, acc[static_cast<std::size_t>(k)], lanes);
}

/// out[o, k] (+)= op over c of f(x[o, c, k]..., context[o, k]...). Long axes are cut into pieces of a length fixed by the shape,
/// whose results are folded again: the same bits at any number of threads, and float sums that lose little.
template <class Op, class F, std::size_t N, std::size_t C>
void fold(Tape& tape, const AxisView& v, Op op, F f, const Sources<N>& x, const Sources<C>& context, GradSlot out) {
  constexpr Index kPiece = 4096, kRows = 128, kColumns = 512, kWidth = 8;
  const Index piece = v.inner == 1 ? kPiece : kRows;  // about as many additions behind each other in both
  const Index pieces = std::max<Index>(1, (v.count + piece - 1) / piece);
  const Index columns = std::min(v.inner, kColumns), blocks = v.inner == 0 ? 0 : (v.inner + columns - 1) / columns;
  const GradSlot sink = pieces == 1 ? out : GradSlot{tape.scratch(v.outer * pieces * v.inner), false};
  const Index grain = std::max<Index>(1, 2 * kPiece / std::max<Index>(1, std::min(v.count, piece) * columns));
  parallel_blocks(v.outer * pieces * blocks, grain, [&](Index from, Index to) {
    for (Index task = from; task < to; ++task) {
      const Index block = task % blocks, p = task / blocks % pieces, o = task / (blocks * pieces);
      const Index first = p * piece, rows = std::min(piece, v.count - first);
      const Index start = (o * v.count + first) * v.inner;
      if (v.inner == 1) {
        const Real total = fold_row(op, f, x, start, context, o, rows);
        Real& y = sink.data[o * pieces + p];
        y = sink.add ? y + total : total;
        continue;
      }
      Index k = block * columns;
      const Index end = std::min(k + columns, v.inner), base = (o * pieces + p) * v.inner, at = o * v.inner;
      for (; k + kWidth * kLanes <= end; k += kWidth * kLanes)
        fold_columns<kWidth>(op, f, x, start + k, v.inner, context, at + k, rows, sink, base + k);
      for (; k < end; k += kLanes)
        fold_columns<1>(op, f, x, start + k, v.inner, context, at + k, rows, sink, base + k, std::min(kLanes, end - k));
    }
  });
  if (pieces > 1)
    fold(tape, {v.outer, pieces, v.inner}, op, Same{}, Sources<1>{sink.data}, Sources<0>{}, out);
}

/// out[o, c, k] (+)= f(x[o, c, k]..., context[o, k]...).
template <class F, std::size_t N, std::size_t C>
void spread(const AxisView& v, F f, const Sources<N>& x, const Sources<C>& context, GradSlot out) {
  constexpr Index kGrain = 8192;
  const bool same = v.inner == 1;
  // A row holds neighbours that share a context (inner = 1) or walk along it; a long row is cut.
  const Index width = same ? v.count : v.inner, rows = width == 0 ? 0 : v.outer * v.count * v.inner / width;
  const Index pieces = std::max<Index>(1, (width + kGrain - 1) / kGrain);
  parallel_blocks(rows * pieces, std::max<Index>(1, kGrain / std::max<Index>(width, 1)), [&](Index from, Index to) {
    for (Index task = from; task < to; ++task) {
      const Index row = task / pieces, first = task % pieces * kGrain, end = std::min(first + kGrain, width);
      const Index j = same ? row : row / v.count * v.inner;
      for (Index k = first; k < end; k += kLanes) {
        const Index lanes = std::min(kLanes, end - k), i = row * width + k;
        put(out, i, formula(f, x, i, context, same ? j : j + k, same, lanes), lanes);
      }
    }
  });
}

}  // namespace ad::detail
