#include "autodiff/initializers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "autodiff/check.hpp"

namespace ad::init {

Fans fans(const Shape& weight) {
  AD_CHECK(weight.rank() >= 2, "fans", cat("a weight needs at least two axes [out, in, ...], got ", weight));
  Index kernel = 1;
  for (Index i = 2; i < weight.rank(); ++i) kernel *= weight[i];
  return {weight[1] * kernel, weight[0] * kernel};
}

Initializer constant(Real value) {
  return [=](Key, const Shape&, std::span<Real> v) { std::fill(v.begin(), v.end(), value); };
}
Initializer zeros() { return constant(0); }
Initializer ones() { return constant(1); }

Initializer uniform(Real low, Real high) {
  return [=](Key key, const Shape&, std::span<Real> v) { fill_uniform(key, v, low, high); };
}

Initializer normal(Real mean, Real stddev) {
  return [=](Key key, const Shape&, std::span<Real> v) { fill_normal(key, v, mean, stddev); };
}

Initializer truncated_normal(Real mean, Real stddev) {
  return [=](Key key, const Shape&, std::span<Real> v) {
    for (std::uint64_t round = 0;; ++round) {  // redraw what falls outside; each round leaves 4.6 % of the last
      std::vector<Real> draw(v.size());
      fill_normal(key.fold(round), draw);
      bool done = true;
      for (std::size_t i = 0; i < v.size(); ++i) {
        if (round > 0 && !std::isnan(v[i])) continue;
        const bool inside = std::abs(draw[i]) <= 2;
        v[i] = inside ? mean + stddev * draw[i] : std::numeric_limits<Real>::quiet_NaN();
        done = done && inside;
      }
      if (done) return;
    }
  };
}

Initializer xavier_uniform(Real gain) {
  return [=](Key key, const Shape& s, std::span<Real> v) {
    const Fans f = fans(s);
    const Real a = gain * std::sqrt(Real(6) / static_cast<Real>(f.in + f.out));
    fill_uniform(key, v, -a, a);
  };
}

Initializer xavier_normal(Real gain) {
  return [=](Key key, const Shape& s, std::span<Real> v) {
    const Fans f = fans(s);
    fill_normal(key, v, 0, gain * std::sqrt(Real(2) / static_cast<Real>(f.in + f.out)));
  };
}

Initializer kaiming_uniform(Real gain) {
  return [=](Key key, const Shape& s, std::span<Real> v) {
    const Real b = gain * std::sqrt(Real(3) / static_cast<Real>(fans(s).in));
    fill_uniform(key, v, -b, b);
  };
}

Initializer kaiming_normal(Real gain) {
  return [=](Key key, const Shape& s, std::span<Real> v) {
    fill_normal(key, v, 0, gain / std::sqrt(static_cast<Real>(fans(s).in)));
  };
}

Initializer lecun_normal() { return kaiming_normal(1); }

Initializer orthogonal(Real gain) {
  return [=](Key key, const Shape& s, std::span<Real> v) {
    AD_CHECK(s.rank() >= 2, "orthogonal", cat("a weight needs at least two axes, got ", s));
    const std::size_t rows = static_cast<std::size_t>(s[0]), columns = v.size() / std::max<std::size_t>(rows, 1);
    const std::size_t count = std::min(rows, columns), length = std::max(rows, columns);
    std::vector<Real> q(v.size());  // `count` vectors of `length`, made orthonormal by modified Gram-Schmidt
    fill_normal(key, q);
    for (std::size_t i = 0; i < count; ++i) {
      Real* qi = &q[i * length];
      for (std::size_t pass = 0; pass < 2; ++pass)  // twice is enough (Giraud et al. 2005)
        for (std::size_t j = 0; j < i; ++j) {
          double dot = 0;
          for (std::size_t k = 0; k < length; ++k) dot += double(qi[k]) * double(q[j * length + k]);
          for (std::size_t k = 0; k < length; ++k) qi[k] -= static_cast<Real>(dot) * q[j * length + k];
        }
      double norm = 0;
      for (std::size_t k = 0; k < length; ++k) norm += double(qi[k]) * double(qi[k]);
      for (std::size_t k = 0; k < length; ++k) qi[k] = static_cast<Real>(qi[k] / std::sqrt(norm));
    }
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < columns; ++c)
        v[r * columns + c] = gain * (rows <= columns ? q[r * length + c] : q[c * length + r]);
  };
}

Initializer linear_default() { return kaiming_uniform(Real(0.57735026918962576451)); }  // gain^2 * 3 = 1

Initializer bias_default(Index fan_in) {
  const Real b = Real(1) / std::sqrt(static_cast<Real>(std::max<Index>(fan_in, 1)));
  return uniform(-b, b);
}

}  // namespace ad::init
