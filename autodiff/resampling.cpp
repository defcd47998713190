#include "autodiff/resampling.hpp"

#include <algorithm>

#include "autodiff/parallel.hpp"
#include "autodiff/shape_ops.hpp"
#include "autodiff/simd.hpp"

namespace ad {
namespace {

/// Along one axis, position i of the result is (1 - weight) x[first] + weight x[second].
struct Source {
  Index first, second;
  Real weight;
};

const Source* nearest(Tape& tape, Index from, Index to) {
  Source* s = tape.scratch<Source>(to);
  for (Index i = 0; i < to; ++i) s[i] = {i * from / to, i * from / to, 0};
  return s;
}

const Source* linear_between(Tape& tape, Index from, Index to) {
  Source* s = tape.scratch<Source>(to);
  const double scale = double(from) / double(to);
  for (Index i = 0; i < to; ++i) {
    const double at = std::max(0.0, (double(i) + 0.5) * scale - 0.5);  // pixels lie in the middle of their squares
    const Index first = std::min(static_cast<Index>(at), from - 1);
    s[i] = {first, std::min(first + 1, from - 1), static_cast<Real>(at - double(first))};
  }
  return s;
}

Batch read(const Real* p, Index count) { return count == kLanes ? load(p) : load_part(p, count); }
void write(Real* p, const Batch& v, Index count) { count == kLanes ? store(p, v) : store_part(p, v, count); }

/// Calls f(x position, weight) for the up to four pixels between which a pixel of the result lies; the weights sum to one.
template <class F>
void each_corner(const Source& row, const Source& column, Index width, Index channels, const F& f) {
  const auto corner = [&](Index i, Index j, Real weight) {
    if (weight != 0) f((i * width + j) * channels, weight);
  };
  corner(row.first, column.first, (1 - row.weight) * (1 - column.weight));
  corner(row.first, column.second, (1 - row.weight) * column.weight);
  corner(row.second, column.first, row.weight * (1 - column.weight));
  corner(row.second, column.second, row.weight * column.weight);
}

template <class Sources>
Var resample(const char* op, Var x, Index height, Index width, Sources sources) {
  const Shape s = x.shape();
  AD_CHECK(s.rank() == 4, op, cat("x must be images [batch, height, width, channels], it is ", s));
  AD_CHECK(height >= 1 && width >= 1 && s[1] >= 1 && s[2] >= 1, op,
           cat("cannot make images of ", height, " x ", width, " from ", s, ": each size must be positive"));
  Tape& tape = x.tape();
  const Var y = tape.node(op, {s[0], height, width, s[3]}, {x});
  const Source *rows = sources(tape, s[1], height), *columns = sources(tape, s[2], width);
  const Index channels = s[3], x_width = s[2], x_size = s[1] * s[2] * channels;
  // Calls f(first position of the image in x, position in y, row, column) for each pixel, images in parallel.
  const auto each_pixel = [=](const auto& f) {
    parallel_for(s[0], [&](Index b) {
      for (Index i = 0; i < height; ++i)
        for (Index j = 0; j < width; ++j) f(b * x_size, ((b * height + i) * width + j) * channels, rows[i], columns[j]);
    });
  };
  const Real* px = x.data();
  Real* py = y.data();
  each_pixel([&](Index image, Index to, const Source& row, const Source& column) {
    for (Index c = 0; c < channels; c += kLanes) {
      const Index count = std::min(kLanes, channels - c);
      Batch sum(Real(0));
      each_corner(row, column, x_width, channels,
                  [&](Index from, Real weight) { sum += read(px + image + from + c, count) * weight; });
      write(py + to + c, sum, count);
    }
  });
  if (!y.live()) return y;
  tape.on_backward(y, [=] {
    const GradSlot slot = y.tape().grad(x);
    const Real* y_bar = y.tape().adjoint(y);
    if (!slot.add) std::fill_n(slot.data, x.size(), Real(0));
    each_pixel([&](Index image, Index from, const Source& row, const Source& column) {
      for (Index c = 0; c < channels; c += kLanes) {
        const Index count = std::min(kLanes, channels - c);
        const Batch g = read(y_bar + from + c, count);
        each_corner(row, column, x_width, channels, [&](Index to, Real weight) {
          Real* p = slot.data + image + to + c;
          write(p, read(p, count) + g * weight, count);
        });
      }
    });
  });
  return y;
}

}  // namespace

Var upsample_nearest(Var x, Index height, Index width) { return resample("upsample_nearest", x, height, width, nearest); }
Var upsample_bilinear(Var x, Index height, Index width) {
  return resample("upsample_bilinear", x, height, width, linear_between);
}

Var pixel_shuffle(Var x, Index r) {
  const Shape s = x.shape();
  AD_CHECK(s.rank() == 4 && r >= 1 && s[3] % (r * r) == 0, "pixel_shuffle",
           cat("x must be images [batch, height, width, channels] with a multiple of r^2 = ", r * r, " channels, it is ", s));
  const Index channels = s[3] / (r * r);
  const Var parts = permute(reshape(x, {s[0], s[1], s[2], channels, r, r}), {0, 1, 4, 2, 5, 3});
  return reshape(parts, {s[0], s[1] * r, s[2] * r, channels});
}

Var pixel_unshuffle(Var x, Index r) {
  const Shape s = x.shape();
  AD_CHECK(s.rank() == 4 && r >= 1 && s[1] % r == 0 && s[2] % r == 0, "pixel_unshuffle",
           cat("x must be images [batch, height, width, channels] with sizes that are multiples of ", r, ", it is ", s));
  const Var parts = permute(reshape(x, {s[0], s[1] / r, r, s[2] / r, r, s[3]}), {0, 1, 3, 5, 2, 4});
  return reshape(parts, {s[0], s[1] / r, s[2] / r, s[3] * r * r});
}

}  // namespace ad
