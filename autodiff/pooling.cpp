#include "autodiff/pooling.hpp"

#include <algorithm>
#include <limits>

#include "autodiff/parallel.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/simd.hpp"

namespace ad {
namespace {

struct Windows {
  Index batch, height, width, channels, out_height, out_width, kernel, stride, padding;
};

Windows windows(const char* op, Var x, const PoolOptions& o) {
  const Shape s = x.shape();
  AD_CHECK(s.rank() == 4, op, cat("x must be images [batch, height, width, channels], it is ", s));
  const Index stride = o.stride == 0 ? o.kernel : o.stride;
  AD_CHECK(o.kernel >= 1 && stride >= 1, op, cat("kernel and stride must be positive, they are ", o.kernel, " and ", stride));
  AD_CHECK(o.padding >= 0 && 2 * o.padding <= o.kernel, op,
           cat("the padding must be in [0, kernel / 2], it is ", o.padding, " with kernel ", o.kernel));
  const Index down = s[1] + 2 * o.padding - o.kernel, across = s[2] + 2 * o.padding - o.kernel;
  AD_CHECK(down >= 0 && across >= 0, op, cat("the window of ", o.kernel, " is larger than the images ", s));
  return {s[0], s[1], s[2], s[3], down / stride + 1, across / stride + 1, o.kernel, stride, o.padding};
}

Batch read(const Real* p, Index count) { return count == kLanes ? load(p) : load_part(p, count); }
void write(Real* p, const Batch& v, Index count) { count == kLanes ? store(p, v) : store_part(p, v, count); }

/// The part of a window inside of the image: rows [top, bottom), columns [left, right).
struct Window {
  Index top, bottom, left, right;
};

/// Calls f(image, position in y, channel, lanes, window) for all of y, images in parallel.
template <class F>
void each_window(const Windows& w, const F& f) {
  parallel_for(w.batch, [&](Index b) {
    for (Index i = 0; i < w.out_height; ++i)
      for (Index j = 0; j < w.out_width; ++j) {
        const Index top = i * w.stride - w.padding, left = j * w.stride - w.padding;
        const Window inside{std::max<Index>(top, 0), std::min(top + w.kernel, w.height), std::max<Index>(left, 0),
                            std::min(left + w.kernel, w.width)};
        const Index y = ((b * w.out_height + i) * w.out_width + j) * w.channels;
        for (Index c = 0; c < w.channels; c += kLanes) f(b, y + c, c, std::min(kLanes, w.channels - c), inside);
      }
  });
}

/// Calls f(position in x) for the pixels of a window.
template <class F>
void each_pixel(const Windows& w, Index b, Index c, const Window& inside, const F& f) {
  for (Index i = inside.top; i < inside.bottom; ++i)
    for (Index j = inside.left; j < inside.right; ++j) f(((b * w.height + i) * w.width + j) * w.channels + c);
}

/// The slot for x, all zeros at first: windows may overlap or leave gaps.
GradSlot cleared(Tape& tape, Var x) {
  const GradSlot slot = tape.grad(x);
  if (slot && !slot.add) std::fill_n(slot.data, x.size(), Real(0));
  return slot;
}

}  // namespace

Var avg_pool2d(Var x, const PoolOptions& options) {
  const Windows w = windows("avg_pool2d", x, options);
  const Var y = x.tape().node("avg_pool2d", {w.batch, w.out_height, w.out_width, w.channels}, {x});
  const Real share = Real(1) / static_cast<Real>(w.kernel * w.kernel);
  const Real* px = x.data();
  Real* py = y.data();
  each_window(w, [=](Index b, Index to, Index c, Index count, const Window& inside) {
    Batch sum(Real(0));
    each_pixel(w, b, c, inside, [&](Index i) { sum += read(px + i, count); });
    write(py + to, sum * share, count);
  });
  if (y.live())
    x.tape().on_backward(y, [=] {
      const GradSlot slot = cleared(y.tape(), x);
      const Real* y_bar = y.tape().adjoint(y);
      each_window(w, [=](Index b, Index from, Index c, Index count, const Window& inside) {
        const Batch g = read(y_bar + from, count) * share;
        each_pixel(w, b, c, inside, [&](Index i) { write(slot.data + i, read(slot.data + i, count) + g, count); });
      });
    });
  return y;
}

Var max_pool2d(Var x, const PoolOptions& options) {
  const Windows w = windows("max_pool2d", x, options);
  const Var y = x.tape().node("max_pool2d", {w.batch, w.out_height, w.out_width, w.channels}, {x});
  const Real* px = x.data();
  Real* py = y.data();
  each_window(w, [=](Index b, Index to, Index c, Index count, const Window& inside) {
    Batch most(-std::numeric_limits<Real>::infinity());
    each_pixel(w, b, c, inside, [&](Index i) { most = fmax(most, read(px + i, count)); });
    write(py + to, most, count);
  });
  if (y.live())
    x.tape().on_backward(y, [=] {
      const GradSlot slot = cleared(y.tape(), x);
      const Real* y_bar = y.tape().adjoint(y);
      each_window(w, [=](Index b, Index from, Index c, Index count, const Window& inside) {
        const Batch most = read(py + from, count), zero(Real(0));
        Batch g = read(y_bar + from, count);
        each_pixel(w, b, c, inside, [&](Index i) {
          const Mask here = read(px + i, count) == most;
          write(slot.data + i, read(slot.data + i, count) + select(here, g, zero), count);
          g = select(here, zero, g);  // given away
        });
      });
    });
  return y;
}

Var global_avg_pool(Var x) {
  AD_CHECK(x.shape().rank() == 4, "global_avg_pool", cat("x must be images [batch, height, width, channels], it is ", x.shape()));
  return mean(x, {1, 2});
}

}  // namespace ad
