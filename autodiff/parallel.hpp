#pragma once
// The one thread pool is OpenMP's. Work is cut into blocks whose borders depend only on the shape, never on
// the number of threads, so a result has the same bits at any number of threads.
#include <omp.h>

#include "autodiff/real.hpp"

namespace ad {

int threads();            ///< threads that kernels use; at first the number of cores this process may run on
void set_threads(int n);  ///< throws Error unless n >= 1

namespace detail {
// One compiled copy of a body serves both ways of running it. Of two copies the compiler may fuse a * b + c in one and not in the
// other, and one thread would round differently from two.
#if defined(__GNUC__) && !defined(__clang__)
template <class F>
[[gnu::noinline, gnu::noclone]] void call(const F& f, Index i) { f(i); }
#else
template <class F>
[[gnu::noinline]] void call(const F& f, Index i) { f(i); }
#endif
}  // namespace detail

/// Calls f(i) once for every i in [0, count), in parallel. f must not throw.
template <class F>
void parallel_for(Index count, const F& f) {
  if (count <= 1 || threads() == 1 || omp_in_parallel()) {
    for (Index i = 0; i < count; ++i) detail::call(f, i);
    return;
  }
#pragma omp parallel for num_threads(threads()) schedule(static)
  for (Index i = 0; i < count; ++i) detail::call(f, i);
}

/// Calls f(begin, end) for consecutive blocks of at most `grain` that cover [0, count), in parallel.
template <class F>
void parallel_blocks(Index count, Index grain, const F& f) {
  const Index blocks = (count + grain - 1) / grain;
  parallel_for(blocks, [&](Index b) { f(b * grain, b + 1 == blocks ? count : (b + 1) * grain); });
}

/// A grain of at most `grain`, a multiple of `unit` (as `grain` must be), with which the blocks are of one size and even in number: two
/// threads then have as much to do.
inline Index even_grain(Index count, Index grain, Index unit = 1) {
  const Index blocks = ((count + grain - 1) / grain + 1) / 2 * 2;
  return count <= grain / 2 ? grain : ((count + blocks - 1) / blocks + unit - 1) / unit * unit;
}

}  // namespace ad
