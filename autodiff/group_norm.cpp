#include <algorithm>
#include <array>
#include <cmath>

#include "autodiff/normalization.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/simd.hpp"

namespace ad {
namespace {

Batch read(const Real* p, Index count) { return count == kLanes ? load(p) : load_part(p, count); }
void write(Real* p, const Batch& v, Index count) { count == kLanes ? store(p, v) : store_part(p, v, count); }

/// x as [batch, positions, channels].
struct Images {
  Index batch, positions, channels, groups;
  Index width() const { return channels / groups; }
  Real share() const { return Real(1) / static_cast<Real>(positions * width()); }  // of one number in a group's mean
};

/// sums[n][c] = sum over the positions of one image of f(position, channel, lanes)[n].
template <std::size_t N, class F>
void channel_sums(const Images& m, Index image, const F& f, std::array<Real*, N> sums) {
  for (Index c = 0; c < m.channels; c += kLanes) {
    const Index count = std::min(kLanes, m.channels - c);
    std::array<Batch, N> total;
    total.fill(Batch(Real(0)));
    for (Index i = image * m.positions; i < (image + 1) * m.positions; ++i) {
      const std::array<Batch, N> part = f(i * m.channels + c, c, count);
      for (std::size_t n = 0; n < N; ++n) total[n] += part[n];
    }
    for (std::size_t n = 0; n < N; ++n) write(sums[n] + c, total[n], count);
  }
}

/// Every channel's number becomes share * the sum of its group's.
void spread_over_groups(const Images& m, Real share, Real* v) {
  for (Index first = 0; first < m.channels; first += m.width()) {
    Real total = 0;
    for (Index c = first; c < first + m.width(); ++c) total += v[c];
    std::fill_n(v + first, m.width(), share * total);
  }
}

/// Calls f(position, channel, lanes) for the numbers of one image.
template <class F>
void each_number(const Images& m, Index image, const F& f) {
  for (Index i = image * m.positions; i < (image + 1) * m.positions; ++i)
    for (Index c = 0; c < m.channels; c += kLanes) f(i * m.channels + c, c, std::min(kLanes, m.channels - c));
}

Images checked_images(Var x, Var weight, Var bias, Index groups) {
  const Shape& s = x.shape();
  AD_CHECK(s.rank() >= 2, "group_norm", cat("x must be [batch, ..., channels], it is ", s));
  AD_CHECK(groups >= 1 && s.back() % groups == 0, "group_norm",
           cat("the channels of x ", s, " must be a multiple of the groups, ", groups));
  AD_CHECK(static_cast<bool>(weight) == static_cast<bool>(bias), "group_norm", "weight and bias come together or not at all");
  for (const Var& v : {weight, bias})
    AD_CHECK(!v || v.shape() == Shape{s.back()}, "group_norm",
             cat("x is ", s, ", so weight and bias must be [", s.back(), "]; one is ", v.shape()));
  const Index numbers = s[0] * s.back();
  return {s[0], numbers == 0 ? 0 : x.size() / numbers, s.back(), groups};
}

/// Into the gradients of weight and bias, from each image's sums of y_bar x_hat and y_bar.
void put_affine(const Images& m, const GradSlot& weight, const GradSlot& bias, const Real* scaled, const Real* plain) {
  for (Index c = 0; c < m.channels; ++c) {
    Real sum_scaled = 0, sum = 0;
    for (Index b = 0; b < m.batch; ++b) sum_scaled += scaled[b * m.channels + c], sum += plain[b * m.channels + c];
    if (weight) weight.data[c] = weight.add ? weight.data[c] + sum_scaled : sum_scaled;
    if (bias) bias.data[c] = bias.add ? bias.data[c] + sum : sum;
  }
}

}  // namespace

Var group_norm(Var x, Var weight, Var bias, Index groups, Real epsilon) {
  const Images m = checked_images(x, weight, bias, groups);
  Tape& tape = x.tape();
  const Var y = weight ? tape.node("group_norm", x.shape(), {x, weight, bias}) : tape.node("group_norm", x.shape(), {x});
  Real *mean = tape.scratch(m.batch * m.channels), *inverse = tape.scratch(m.batch * m.channels);  // equal within a group
  const Real *px = x.data(), *w = weight ? weight.data() : nullptr, *b = weight ? bias.data() : nullptr;
  Real* py = y.data();
  parallel_for(m.batch, [&](Index image) {
    Real *mu = mean + image * m.channels, *inv = inverse + image * m.channels;
    channel_sums<1>(m, image, [&](Index i, Index, Index count) { return std::array<Batch, 1>{read(px + i, count)}; }, {mu});
    spread_over_groups(m, m.share(), mu);
    channel_sums<1>(m, image,
                    [&](Index i, Index c, Index count) {  // a second pass: E x^2 - (E x)^2 would cancel
                      const Batch d = read(px + i, count) - read(mu + c, count);
                      return std::array<Batch, 1>{d * d};
                    },
                    {inv});
    spread_over_groups(m, m.share(), inv);
    for (Index c = 0; c < m.channels; ++c) inv[c] = Real(1) / std::sqrt(inv[c] + epsilon);
    each_number(m, image, [&](Index i, Index c, Index count) {
      const Batch h = (read(px + i, count) - read(mu + c, count)) * read(inv + c, count);
      write(py + i, w == nullptr ? h : h * read(w + c, count) + read(b + c, count), count);
    });
  });
  if (!y.live()) return y;
  tape.on_backward(
      y, [=] {  // with g = weight y_bar: x_bar = (g - <g> - x_hat <g x_hat>) / sqrt(variance + epsilon), <.> over a group
        Tape& t = y.tape();
        const Real* y_bar = t.adjoint(y);
        const GradSlot slot = t.grad(x), w_slot = weight ? t.grad(weight) : GradSlot{},
                       b_slot = weight ? t.grad(bias) : GradSlot{};
        Real* sums = t.workspace(4 * m.batch * m.channels);  // of y_bar x_hat and y_bar, kept for the weights; of g x_hat and g
        const Index size = m.batch * m.channels;
        parallel_for(m.batch, [&](Index image) {
          const Index at = image * m.channels;
          const Real *mu = mean + at, *inv = inverse + at;
          Real *scaled = sums + at, *plain = scaled + size, *g_scaled = plain + size, *g_plain = g_scaled + size;
          const auto x_hat = [&](Index i, Index c, Index count) {
            return (read(px + i, count) - read(mu + c, count)) * read(inv + c, count);
          };
          channel_sums<2>(m, image,
                          [&](Index i, Index c, Index count) {
                            const Batch g = read(y_bar + i, count);
                            return std::array<Batch, 2>{g * x_hat(i, c, count), g};
                          },
                          {scaled, plain});
          if (!slot) return;
          for (Index c = 0; c < m.channels; ++c) {
            g_scaled[c] = w == nullptr ? scaled[c] : w[c] * scaled[c];
            g_plain[c] = w == nullptr ? plain[c] : w[c] * plain[c];
          }
          spread_over_groups(m, m.share(), g_scaled);
          spread_over_groups(m, m.share(), g_plain);
          each_number(m, image, [&](Index i, Index c, Index count) {
            const Batch v = read(y_bar + i, count), g = w == nullptr ? v : v * read(w + c, count);
            const Batch share =
                (g - read(g_plain + c, count) - x_hat(i, c, count) * read(g_scaled + c, count)) * read(inv + c, count);
            write(slot.data + i, slot.add ? read(slot.data + i, count) + share : share, count);
          });
        });
        put_affine(m, w_slot, b_slot, sums, sums + size);
      });
  return y;
}

}  // namespace ad
