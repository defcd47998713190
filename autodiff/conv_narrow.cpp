// Convolutions between images of few channels (x: greys, colours) and of many (y). GEMM and oneDNN are made for many on both
// sides; here registers hold channels of y, and a number of x meets all of them at once.
#include <algorithm>
#include <array>
#include <span>
#include <type_traits>

#include "autodiff/conv_kernels.hpp"
#include "autodiff/conv_tiles.hpp"

namespace ad::detail {
namespace {

constexpr Index kFew = std::min<Index>(4, kLanes);             // channels of x, at most
constexpr Index kImages = 4;                                   // in a task
constexpr Index kMostSums = sizeof(Batch) == 64 ? 9 : 5;       // pairs of registers for sums: there are 32 with AVX-512, else 16
constexpr Index kLine = 64 / static_cast<Index>(sizeof(Real));  // numbers that the memory hands over at once

Index row_numbers(const ConvGeometry& g) { return g.kernel_width * g.channels; }  // of x that a kernel row sees
Index x_image(const ConvGeometry& g) { return g.height * g.width * g.channels; }
Index y_image(const ConvGeometry& g) { return g.out_height * g.out_width * g.out_channels; }

/// Calls f(position in [tap, channel, out], position in [out, channel, tap]) for each weight.
template <class F>
void each_weight(const ConvGeometry& g, const F& f) {
  for (Index o = 0, i = 0; o < g.out_channels; ++o)
    for (Index c = 0; c < g.channels; ++c)
      for (Index t = 0; t < g.taps(); ++t, ++i) f((t * g.channels + c) * g.out_channels + o, i);
}

void pack(const ConvGeometry& g, const Real* weight, Real* packed) {
  each_weight(g, [&](Index at, Index i) { packed[at] = weight[i]; });
}

/// f(std::integral_constant<Index, n>()), 1 <= n <= N: for n sums that stay in registers.
template <Index N, class F>
void with_constant(Index n, const F& f) {
  if constexpr (N > 1)
    if (n != N) return with_constant<N - 1>(n, f);
  f(std::integral_constant<Index, N>());
}

/// Cuts [0, count) into as few pieces of at most kMostSums as there can be, of nearly one size: f(begin, constant size).
template <class F>
void pieces(Index count, const F& f) {
  const Index n = (count + kMostSums - 1) / kMostSums;
  for (Index i = 0; i < n; ++i) {
    const Index begin = count * i / n, end = count * (i + 1) / n;
    with_constant<kMostSums>(end - begin, [&](auto size) { f(begin, size); });
  }
}

/// The channels of y, two vectors at a time and perhaps one at the end: f(first channel, constant number of vectors).
template <class F>
void vectors(const ConvGeometry& g, const F& f) {
  Index o = 0;
  for (; o + 2 * kLanes <= g.out_channels; o += 2 * kLanes) f(o, std::integral_constant<Index, 2>());
  if (o < g.out_channels) f(o, std::integral_constant<Index, 1>());
}

/// An image of x with its border of zeros, as far as kernels reach.
struct Padded {
  Index height, width;  // width in numbers, not pixels

  explicit Padded(const ConvGeometry& g)
      : height((g.out_height - 1) * g.stride + g.kernel_height),
        width(((g.out_width - 1) * g.stride + g.kernel_width) * g.channels) {}
  Index size() const { return height * width; }

  /// The border of `to` is zero already.
  void fill(const ConvGeometry& g, const Real* image, Real* to) const {
    const Index left = g.left * g.channels, inside = std::min(width - left, g.width * g.channels);
    for (Index i = 0; i < std::min(g.height, height - g.top); ++i)
      copy_few(image + i * g.width * g.channels, inside, to + (g.top + i) * width + left);
  }
};

/// An array that is indexed like all else here.
template <class T, Index N>
struct Few {
  std::array<T, static_cast<std::size_t>(N)> values;
  T& operator[](Index i) { return values[static_cast<std::size_t>(i)]; }
};

/// P neighbours of y, V vectors of channels each, from what they see of x.
template <Index P, Index V>
void few_pixels(const ConvGeometry& g, Index x_width, const Real* x, const Real* weight, const Real* bias, bool add, Real* y) {
  Few<Few<Batch, V>, P> sums;
  for (Index p = 0; p < P; ++p)
    for (Index v = 0; v < V; ++v) {
      sums[p][v] = bias == nullptr ? Batch(Real(0)) : load(bias + v * kLanes);
      if (add) sums[p][v] += load(y + p * g.out_channels + v * kLanes);
    }
  const Index step = g.stride * g.channels, seen = row_numbers(g);
  for (Index u = 0; u < g.kernel_height; ++u, x += x_width)
    for (Index t = 0; t < seen; ++t, weight += g.out_channels) {
      Few<Batch, V> w;
      for (Index v = 0; v < V; ++v) w[v] = load(weight + v * kLanes);
      for (Index p = 0; p < P; ++p) {
        const Batch number(x[p * step + t]);
        for (Index v = 0; v < V; ++v) sums[p][v] = xsimd::fma(number, w[v], sums[p][v]);
      }
    }
  for (Index p = 0; p < P; ++p)
    for (Index v = 0; v < V; ++v) store(y + p * g.out_channels + v * kLanes, sums[p][v]);
}

void forward(Tape& tape, const ConvGeometry& g, const Real* x, const Real* weight, const Finish& finish, GradSlot y) {
  const Padded padded(g);
  Real *const packed = tape.workspace(g.weights() + threads() * padded.size()), *const images = packed + g.weights();
  pack(g, weight, packed);
  parallel_blocks(g.batch, even_grain(g.batch, kImages), [&](Index begin, Index end) {
    Real* const image = images + omp_get_thread_num() * padded.size();
    std::fill_n(image, padded.size(), Real(0));
    for (Index b = begin; b < end; ++b) {
      padded.fill(g, x + b * x_image(g), image);
      Real* row = y.data + b * y_image(g);
      for (Index i = 0; i < g.out_height; ++i, row += g.out_width * g.out_channels) {
        const Real* const seen = image + i * g.stride * padded.width;
        pieces(g.out_width, [&](Index j, auto pixels) {
          vectors(g, [&](Index o, auto n) {
            few_pixels<pixels, n>(g, padded.width, seen + j * g.stride * g.channels, packed + o,
                                  finish.bias == nullptr ? nullptr : finish.bias + o, y.add, row + j * g.out_channels + o);
          });
        });
        finish_tile({nullptr, finish.activation}, 0, row, g.out_width, g.out_channels, g.out_channels);
      }
    }
  });
}

/// sums [T, V vectors of channels] += x^T y over some rows of y, for T numbers that a kernel row sees.
template <Index T, Index V>
void few_numbers(const ConvGeometry& g, Index rows, Index x_width, const Real* x, const Real* y, Real* to) {
  Few<Few<Batch, V>, T> sums;
  for (Index t = 0; t < T; ++t)
    for (Index v = 0; v < V; ++v) sums[t][v] = load(to + t * g.out_channels + v * kLanes);
  const Index step = g.stride * g.channels, later = rows * g.out_width * g.out_channels;
  for (Index i = 0; i < rows; ++i, x += g.stride * x_width)
    for (Index j = 0; j < g.out_width; ++j, y += g.out_channels) {
      Few<Batch, V> pixel;
      for (Index v = 0; v < V; ++v) {
        pixel[v] = load(y + v * kLanes);
        __builtin_prefetch(y + v * kLanes + later);
      }
      for (Index t = 0; t < T; ++t) {
        const Batch number(x[j * step + t]);
        for (Index v = 0; v < V; ++v) sums[t][v] = xsimd::fma(number, pixel[v], sums[t][v]);
      }
    }
  for (Index t = 0; t < T; ++t)
    for (Index v = 0; v < V; ++v) store(to + t * g.out_channels + v * kLanes, sums[t][v]);
}

/// Runs of images side by side, each with sums of its own; the sums are added in order.
void backward_weights(Tape& tape, const ConvGeometry& g, const Real* x, const Real* y, GradSlot weight) {
  constexpr Index kRuns = 16, kRowsSize = 1 << 13;  // kRowsSize: numbers of y that stay in the first-level cache
  const Padded padded(g);
  const Index runs = std::min(g.batch, kRuns), together = std::max<Index>(1, kRowsSize / (g.out_width * g.out_channels));
  Real *const sums = tape.workspace(runs * g.weights() + threads() * padded.size()), *const images = sums + runs * g.weights();
  parallel_for(runs, [&](Index run) {
    Real *const sum = sums + run * g.weights(), *const image = images + omp_get_thread_num() * padded.size();
    std::fill_n(sum, g.weights(), Real(0));
    std::fill_n(image, padded.size(), Real(0));
    for (Index b = g.batch * run / runs; b < g.batch * (run + 1) / runs; ++b) {
      padded.fill(g, x + b * x_image(g), image);
      for (Index i = 0; i < g.out_height; i += together)
        for (Index u = 0; u < g.kernel_height; ++u)
          pieces(row_numbers(g), [&](Index t, auto numbers) {
            vectors(g, [&](Index o, auto n) {
              few_numbers<numbers, n>(g, std::min(together, g.out_height - i), padded.width,
                                      image + (i * g.stride + u) * padded.width + t,
                                      y + b * y_image(g) + i * g.out_width * g.out_channels + o,
                                      sum + (u * row_numbers(g) + t) * g.out_channels + o);
            });
          });
    }
  });
  for (Index run = 1; run < runs; ++run) add_to(sums, sums + run * g.weights(), g.weights());
  each_weight(g, [&](Index at, Index i) { weight.data[i] = weight.add ? weight.data[i] + sums[at] : sums[at]; });
}

/// The sums over the lanes of each: lane i is that of v[i].
Batch sums_of_lanes(const std::array<Batch, kLanes>& v) {
#if defined(__AVX512F__) && !defined(VAEZOO_DOUBLE)  // xsimd 8.1 returns them in another order
  const auto halves = [](__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
  };
  const auto quarters = [](__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
  };
  const auto neighbours = [](__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
  };
  const auto of_four = [&](std::size_t i) {  // quarter k: four lanes left of v[4 k + i]
    return quarters(halves(v[i], v[i + 4]), halves(v[i + 8], v[i + 12]));
  };
  return neighbours(neighbours(of_four(0), of_four(1)), neighbours(of_four(2), of_four(3)));
#else
  return xsimd::haddp(v.data());
#endif
}

/// The latest rows of an image of y, each between enough zeros for the pixels of x that look past its ends.
class LatestRows {
 public:
  explicit LatestRows(const ConvGeometry& g)
      : count_((g.kernel_height - 1) / g.stride + 1), before_((g.kernel_width - 1) / g.stride),
        width_(before_ + std::max(g.out_width, (g.width - 1 + g.left) / g.stride + 1) + kLanes), channels_(g.out_channels) {}
  Index size() const { return count_ * width_ * channels_; }

  /// `rows`, where they are kept, is all zeros at first.
  Real* pixel(Index row, Index column, Real* rows) const { return rows + (row % count_ * width_ + before_ + column) * channels_; }

 private:
  Index count_, before_, width_, channels_;  // before_, width_: in pixels
};

/// A vector of channels of y, and the weights that it meets on its way to the channels of x.
struct Term {
  const Real *y, *weight;
};

/// What adds up to pixel (i, j) of x; returns the end of the terms.
Term* find_terms(const ConvGeometry& g, const LatestRows& latest, Real* rows, const Real* weight, Index i, Index j, Term* terms) {
  for (Index u = (i + g.top) % g.stride; u <= std::min(g.kernel_height - 1, i + g.top); u += g.stride) {
    const Index row = (i + g.top - u) / g.stride;
    if (row >= g.out_height) continue;
    for (Index v = (j + g.left) % g.stride; v < g.kernel_width; v += g.stride)
      for (Index o = 0; o < g.out_channels; o += kLanes)
        *terms++ = {latest.pixel(row, (j + g.left - v) / g.stride, rows) + o,
                    weight + (u * g.kernel_width + v) * g.channels * g.out_channels + o};
  }
  return terms;
}

/// Pixels of x side by side (stride apart) whose C channels fill a register.
template <Index C>
constexpr Index kTogether = kLanes / C;

/// Those of which the first has these terms `shift` numbers further on in y. Each channel is a sum of vectors, whose lanes are
/// added at the end.
template <Index C>
Batch few_sums(std::span<const Term> terms, Index out, Index shift) {
  Few<Batch, kLanes> sums;  // [pixel, channel]
  sums.values.fill(Batch(Real(0)));
  for (const auto& [y, weight] : terms) {
    Few<Batch, C> w;
    for (Index c = 0; c < C; ++c) w[c] = load(weight + c * out);
    for (Index p = 0; p < kTogether<C>; ++p) {
      const Batch pixel = load(y + shift + p * out);
      for (Index c = 0; c < C; ++c) sums[p * C + c] = xsimd::fma(pixel, w[c], sums[p * C + c]);
    }
  }
  return sums_of_lanes(sums.values);
}

/// `count` pixels of x, stride apart; the terms are those of the first. `next`: where y goes on, for the memory to bring.
template <Index C>
void row_from_sums(const ConvGeometry& g, std::span<const Term> terms, Index count, const Real* next, bool add, Real* x) {
  Few<Real, kLanes> numbers;
  for (Index first = 0; first < count; first += kTogether<C>) {
    const Index shift = first * g.out_channels;
    for (Index i = 0; i < kTogether<C> * g.out_channels; i += kLine) __builtin_prefetch(next + shift + i);
    store(numbers.values.data(), few_sums<C>(terms, g.out_channels, shift));
    for (Index p = 0; p < std::min(kTogether<C>, count - first); ++p, x += g.stride * C)
      for (Index c = 0; c < C; ++c) x[c] = add ? x[c] + numbers[p * C + c] : numbers[p * C + c];
  }
}

void backward_data(Tape& tape, const ConvGeometry& g, const Real* y, const Real* weight, const Finish& finish, GradSlot x) {
  const LatestRows latest(g);
  const Index y_row = g.out_width * g.out_channels, x_row = g.width * g.channels, most_terms = g.taps() * g.out_channels / kLanes;
  Term* const all_terms = tape.scratch<Term>(threads() * most_terms);
  Real *const packed = tape.workspace(g.weights() + threads() * latest.size()), *const all_rows = packed + g.weights();
  pack(g, weight, packed);
  parallel_blocks(g.batch, even_grain(g.batch, kImages), [&](Index begin, Index end) {
    Real* const rows = all_rows + omp_get_thread_num() * latest.size();
    Term* const terms = all_terms + omp_get_thread_num() * most_terms;
    std::fill_n(rows, latest.size(), Real(0));
    for (Index b = begin; b < end; ++b) {
      Real* const image = x.data + b * x_image(g);
      const Real* next = y + b * y_image(g);
      for (Index i = 0, known = 0; i < g.height; ++i) {
        for (; known < std::min(g.out_height, (i + g.top) / g.stride + 1); ++known, next += y_row)
          copy_few(next, y_row, latest.pixel(known, 0, rows));
        for (Index j = 0; j < std::min(g.stride, g.width); ++j) {
          const std::span<const Term> used(terms, find_terms(g, latest, rows, packed, i, j, terms));
          const Index count = (g.width - j + g.stride - 1) / g.stride;
          with_constant<kFew>(g.channels, [&](auto channels) {
            row_from_sums<channels>(g, used, count, next, x.add, image + i * x_row + j * channels);
          });
        }
      }
      finish_tile(finish, 0, image, g.height * g.width, g.channels, g.channels);
    }
  });
}

}  // namespace

bool narrow(const ConvGeometry& g) {
  return g.channels <= kFew && g.groups == 1 && g.dilation == 1 && g.out_channels % kLanes == 0 && g.out_pixels() > 0;
}

const ConvKernels kNarrowKernels{forward, backward_data, backward_weights};

}  // namespace ad::detail
