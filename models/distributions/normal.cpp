#include "models/distributions/normal.hpp"

#include "autodiff/elementwise.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {
namespace {

using namespace ad;

constexpr Real kHalfLog2Pi = Real(0.91893853320467274178);  // log(2 pi) / 2

/// KL(N(m, e^l) || N(0, 1)) of one dimension. e^l - 1 - l is taken as expm1(l) - l, which keeps its digits when the variance is
/// near 1: its error is a rounding error of l, not of 1.
constexpr auto kl_to_standard = [](auto m, auto l) { return Real(0.5) * (m * m + (expm1(l) - l)); };

/// KL(N(mq, e^lq) || N(mp, e^lp)) of one dimension.
constexpr auto kl_between = [](auto mq, auto lq, auto mp, auto lp) {
  const auto d = mq - mp, l = lq - lp;
  return Real(0.5) * (d * d * exp(-lp) + (expm1(l) - l));
};

}  // namespace

Var StandardNormal::log_prob(Var z) const {
  return map_sum("standard_normal_log_prob", [](auto v) { return Real(-0.5) * v * v - kHalfLog2Pi; }, z);
}

Draw StandardNormal::rsample(Key key) const {
  const Var z = tape_->node("standard_normal", {rows_, dimensions_}, {});
  fill_normal(key, z.value());
  return {z, {}};
}

Var StandardNormal::center() const { return tape_->constant({rows_, dimensions_}, Real(0)); }

Draw DiagonalNormal::rsample(Key key) const {
  const Var eps = mean.tape().node("noise", mean.shape(), {});
  fill_normal(key, eps.value());
  return {map("rsample", [](auto m, auto l, auto e) { return m + exp(Real(0.5) * l) * e; }, mean, log_variance, eps), {}};
}

Var DiagonalNormal::log_prob(Var z) const {
  return map_sum("normal_log_prob",
                 [](auto v, auto m, auto l) {
                   const auto d = v - m;
                   return Real(-0.5) * (d * d * exp(-l) + l) - kHalfLog2Pi;
                 },
                 z, mean, log_variance);
}

Var DiagonalNormal::entropy() const {
  return map_sum("normal_entropy", [](auto l) { return Real(0.5) * l + (kHalfLog2Pi + Real(0.5)); }, log_variance);
}

const DiagonalNormal& DiagonalNormal::detached() const {
  return on_tape(mean.tape(), DiagonalNormal(stop_gradient(mean), stop_gradient(log_variance)));
}

DiagonalNormal product(const DiagonalNormal& a, const DiagonalNormal& b) {
  // The weight of a's mean is va^-1 / (va^-1 + vb^-1) = sigmoid(log vb - log va), the variance is va times that weight.
  const auto mean = [](auto ma, auto la, auto mb, auto lb) { return mb + (ma - mb) * sigmoid(lb - la); };
  const auto log_variance = [](auto la, auto lb) { return la - softplus(la - lb); };
  return {map("product_mean", mean, a.mean, a.log_variance, b.mean, b.log_variance),
          map("product_log_variance", log_variance, a.log_variance, b.log_variance)};
}

DiagonalNormal normal_of(Var h) { return {chunk(h, 2, 0), chunk(h, 2, 1)}; }

DiagonalNormal repeat_rows(const DiagonalNormal& q, Index samples) {
  if (samples == 1) return q;
  return {ad::repeat_rows(q.mean, samples), ad::repeat_rows(q.log_variance, samples)};
}

Var kl_per_dimension(const DiagonalNormal& q, const StandardNormal&) {
  return map("kl_per_dimension", kl_to_standard, q.mean, q.log_variance);
}

Var kl(const DiagonalNormal& q, const StandardNormal&) { return map_sum("kl", kl_to_standard, q.mean, q.log_variance); }

Var kl_per_dimension(const DiagonalNormal& q, const DiagonalNormal& p) {
  return map("kl_per_dimension", kl_between, q.mean, q.log_variance, p.mean, p.log_variance);
}

Var kl(const DiagonalNormal& q, const DiagonalNormal& p) {
  return map_sum("kl", kl_between, q.mean, q.log_variance, p.mean, p.log_variance);
}

}  // namespace vaezoo
