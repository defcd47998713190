#include "models/distributions/gamma.hpp"

#include <cmath>
#include <limits>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/distributions/pointwise.hpp"
#include "models/distributions/quadrature.hpp"
#include "models/distributions/samplers.hpp"

namespace vaezoo {

using namespace ad;

namespace {

/// A draw may underflow; its logarithm must be finite.
Var log_of(Var z) { return log(maximum(z, z.tape().constant(z.shape(), std::numeric_limits<Real>::min()))); }

double digamma_of(double x) {
  double shift = 0;
  for (; x < 8; ++x) shift -= 1 / x;
  const double r = 1 / (x * x);
  return shift + std::log(x) - 0.5 / x - r * (1.0 / 12 - r * (1.0 / 120 - r * (1.0 / 252 - r * (1.0 / 240 - r / 132))));
}

}  // namespace

// -dF/da / (z f(z)), with dF/da = int_0^z (log t - digamma(a)) f(t) dt, which is minus the integral from z on. Of the two the one
// without the bulk of f is taken, over s = |log t - log z|: f(t) t / (f(z) z) = exp(+-a s + z - t) then falls from 1.
double log_gamma_slope(double a, double log_z) {
  constexpr int kPanels = 8;
  const double z = std::exp(log_z), psi = digamma_of(a), sign = z < a ? -1 : 1;
  const auto exponent = [&](double s) { return sign * a * s - z * std::expm1(sign * s); };
  double end = 1 / a;  // beyond it nothing is left
  while (exponent(end) > -40) end *= 1.5;
  const auto g = [&](double s) { return (log_z + sign * s - psi) * std::exp(exponent(s)); };
  double total = 0;
  for (int p = 0; p < kPanels; ++p)  // panels that grow as squares: the integrand changes fastest near 0
    add_integral(total, end * p * p / (kPanels * kPanels), end * (p + 1) * (p + 1) / (kPanels * kPanels), g);
  return sign * total;
}

Var log_gamma_draw(Var shape, Key key) {
  return pointwise(
      "log_gamma_draw", shape, [key](double a, Index i) { return log_gamma_number(a, key.fold(static_cast<std::uint64_t>(i))); },
      [](double a, double log_z) { return log_gamma_slope(a, log_z); });
}

Draw Gamma::rsample(Key key) const { return {exp(log_gamma_draw(shape, key)) / rate, {}}; }
Var Gamma::log_prob(Var z) const { return sum(shape * log(rate) - lgamma(shape) + (shape - Real(1)) * log_of(z) - rate * z, 1); }
Var Gamma::center() const { return shape / rate; }
const Gamma& Gamma::detached() const { return on_tape(shape.tape(), Gamma(stop_gradient(shape), stop_gradient(rate))); }

Draw Beta::rsample(Key key) const { return {sigmoid(log_gamma_draw(a, key.fold("a")) - log_gamma_draw(b, key.fold("b"))), {}}; }
Var Beta::log_prob(Var z) const {
  return sum(lgamma(a + b) - lgamma(a) - lgamma(b) + (a - Real(1)) * log_of(z) + (b - Real(1)) * log_of(Real(1) - z), 1);
}
Var Beta::center() const { return a / (a + b); }
const Beta& Beta::detached() const { return on_tape(a.tape(), Beta(stop_gradient(a), stop_gradient(b))); }

Draw Dirichlet::rsample(Key key) const { return {softmax(log_gamma_draw(concentration, key)), {}}; }
Var Dirichlet::log_prob(Var z) const {
  return lgamma(sum(concentration, 1)) - sum(lgamma(concentration), 1) + sum((concentration - Real(1)) * log_of(z), 1);
}
Var Dirichlet::center() const { return concentration / broadcast_to(sum(concentration, 1, true), concentration.shape()); }
const Dirichlet& Dirichlet::detached() const { return on_tape(concentration.tape(), Dirichlet(stop_gradient(concentration))); }

Var kl_per_dimension(const Gamma& q, const Gamma& p) {
  return (q.shape - p.shape) * digamma(q.shape) - lgamma(q.shape) + lgamma(p.shape) + p.shape * (log(q.rate) - log(p.rate)) +
         q.shape * (p.rate - q.rate) / q.rate;
}
Var kl(const Gamma& q, const Gamma& p) { return sum(kl_per_dimension(q, p), 1); }

Var kl_per_dimension(const Beta& q, const Beta& p) {
  const auto log_norm = [](const Beta& of) { return lgamma(of.a + of.b) - lgamma(of.a) - lgamma(of.b); };
  return log_norm(q) - log_norm(p) + (q.a - p.a) * digamma(q.a) + (q.b - p.b) * digamma(q.b) +
         (p.a - q.a + p.b - q.b) * digamma(q.a + q.b);
}
Var kl(const Beta& q, const Beta& p) { return sum(kl_per_dimension(q, p), 1); }

Var kl(const Dirichlet& q, const Dirichlet& p) {
  const Var &a = q.concentration, &b = p.concentration, total = sum(a, 1, true);
  return lgamma(squeeze(total, 1)) - sum(lgamma(a), 1) - lgamma(sum(b, 1)) + sum(lgamma(b), 1) +
         sum((a - b) * (digamma(a) - broadcast_to(digamma(total), a.shape())), 1);
}

}  // namespace vaezoo
