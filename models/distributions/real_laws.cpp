#include "models/distributions/real_laws.hpp"

#include <cmath>
#include <numbers>

#include "autodiff/elementwise.hpp"
#include "autodiff/map.hpp"
#include "autodiff/random_ops.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/distributions/samplers.hpp"

namespace vaezoo {

using namespace ad;

namespace {

/// sum_{j < i} L_ij v_j of row i, [N, 1].
Var below_times(Var below, Var v, Index i) {
  return sum(slice(below, 1, i * (i - 1) / 2, i * (i + 1) / 2) * slice(v, 1, 0, i), 1, true);
}

}  // namespace

Draw FullNormal::rsample(Key key) const {
  const Index n = mean.shape()[1];
  const Var eps = normal(mean.tape(), mean.shape(), key), scaled = mean + exp(log_diagonal) * eps;
  if (n == 1) return {scaled, {}};
  Var* const off = mean.tape().scratch<Var>(n);
  off[0] = mean.tape().constant({mean.shape()[0], 1}, Real(0));
  for (Index i = 1; i < n; ++i) off[i] = below_times(below, eps, i);
  return {scaled + concat(std::span<const Var>(off, static_cast<std::size_t>(n)), 1), {}};
}

Var FullNormal::log_prob(Var z) const {  // eps = L^-1 (z - mean), row by row
  const Index n = mean.shape()[1];
  const Var from = z - mean, scale = exp(-log_diagonal);
  Var eps = slice(from * scale, 1, 0, 1);
  for (Index i = 1; i < n; ++i)
    eps = concat({eps, (slice(from, 1, i, i + 1) - below_times(below, eps, i)) * slice(scale, 1, i, i + 1)}, 1);
  return StandardNormal(mean.tape(), mean.shape()[0], n).log_prob(eps) - sum(log_diagonal, 1);
}

const FullNormal& FullNormal::detached() const {
  return on_tape(mean.tape(), FullNormal(stop_gradient(mean), stop_gradient(log_diagonal), below ? stop_gradient(below) : Var()));
}

Var kl(const FullNormal& q, const StandardNormal&) {  // (|L|^2 + |mean|^2 - Z) / 2 - log |L|
  const Var diagonal = sum(Real(0.5) * (square(q.mean) + expm1(Real(2) * q.log_diagonal)) - q.log_diagonal, 1);
  return q.below ? diagonal + Real(0.5) * sum(square(q.below), 1) : diagonal;
}

Draw Laplace::rsample(Key key) const {
  const Var eps = location.tape().node("noise", location.shape(), {});
  fill_uniform(key, eps.value(), -1, 1);
  for (Real& u : eps.value()) u = std::copysign(-std::log1p(-std::min(std::abs(u), Real(1) - Real(6e-8))), u);
  return {location + exp(log_scale) * eps, {}};
}

Var Laplace::log_prob(Var z) const {
  return map_sum(
      "laplace_log_prob", [](auto v, auto m, auto l) { return -abs(v - m) * exp(-l) - l - std::numbers::ln2_v<Real>; }, z,
      location, log_scale);
}

const Laplace& Laplace::detached() const {
  return on_tape(location.tape(), Laplace(stop_gradient(location), stop_gradient(log_scale)));
}

Var kl_per_dimension(const Laplace& q, const Laplace& p) {
  return map(
      "laplace_kl",
      [](auto mq, auto lq, auto mp, auto lp) {
        const auto d = abs(mq - mp), l = lq - lp;
        return d * exp(-lp) + exp(l - d * exp(-lq)) - l - Real(1);
      },
      q.location, q.log_scale, p.location, p.log_scale);
}
Var kl(const Laplace& q, const Laplace& p) { return sum(kl_per_dimension(q, p), 1); }

Draw StudentT::rsample(Key key) const {
  const Var t = normal(location.tape(), location.shape(), key.fold("normal"));
  for (Index i = 0; i < t.size(); ++i)
    t.data()[i] /= static_cast<Real>(
        std::sqrt(2 / freedom * gamma_number(freedom / 2, key.fold("gamma").fold(static_cast<std::uint64_t>(i)))));
  return {location + exp(log_scale) * t, {}};
}

Var StudentT::log_prob(Var z) const {
  const double log_norm = std::lgamma((freedom + 1) / 2) - std::lgamma(freedom / 2) - std::log(std::numbers::pi * freedom) / 2;
  const Real norm = static_cast<Real>(log_norm), half = static_cast<Real>((freedom + 1) / 2),
             inverse = static_cast<Real>(1 / freedom);
  return map_sum(
      "student_t_log_prob",
      [=](auto v, auto m, auto l) {
        const auto t = (v - m) * exp(-l);
        return norm - l - half * log1p(t * t * inverse);
      },
      z, location, log_scale);
}

const StudentT& StudentT::detached() const {
  return on_tape(location.tape(), StudentT(stop_gradient(location), stop_gradient(log_scale), freedom));
}

}  // namespace vaezoo
