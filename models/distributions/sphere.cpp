#include "models/distributions/sphere.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/distributions/bessel.hpp"
#include "models/distributions/gamma.hpp"
#include "models/distributions/pointwise.hpp"
#include "models/distributions/quadrature.hpp"
#include "models/distributions/samplers.hpp"

namespace vaezoo {
namespace {

using namespace ad;

double order(Index m) { return double(m) / 2 - 1; }

/// log C_m(kappa), whose slope is -A.
double log_constant(double kappa, Index m) {
  return order(m) * std::log(kappa) - double(m) / 2 * std::log(2 * std::numbers::pi) - log_bessel_i(order(m), kappa);
}
Var log_constant(Var kappa, Index m) {
  return pointwise("log_von_mises_fisher_constant", kappa, [m](double k, Index) { return log_constant(k, m); },
                   [m](double k, double) { return -bessel_ratio(order(m), k); });
}

/// w = direction . z: Wood, "Simulation of the von Mises Fisher distribution", 1994, with b written so that nothing cancels (Ulrich 1984).
double draw_w(Index m, double kappa, Key key) {
  const double n = double(m - 1), b = n / (2 * kappa + std::hypot(2 * kappa, n)), x0 = (1 - b) / (1 + b),
               c = kappa * x0 + n * std::log1p(-x0 * x0);
  for (std::uint64_t attempt = 0;; ++attempt) {
    const Key once = key.fold(attempt);
    const double g1 = gamma_number(n / 2, once.fold("one")), g2 = gamma_number(n / 2, once.fold("two")), e = g1 / (g1 + g2);
    const double w = (1 - (1 + b) * e) / (1 - (1 - b) * e);
    if (kappa * w + n * std::log1p(-x0 * w) - c >= std::log(uniform_number(once.fold("accept")))) return w;
  }
}

/// z with direction . z = w [N], otherwise uniform.
Var about(Var direction, Var w, Key key) {
  Tape& tape = direction.tape();
  const Index rows = direction.shape()[0], m = direction.shape()[1];
  const Var tangent = UniformSphere(tape, rows, m - 1).rsample(key).value;
  const Var across = sqrt(maximum(Real(1) - square(w), tape.constant(w.shape(), Real(1e-10))));
  const Var about_e1 = concat({unsqueeze(w, 1), unsqueeze(across, 1) * tangent}, 1);  // of direction e_1
  // The reflection that takes e_1 to the direction; where they are the same, nothing.
  const Var normal = UniformSphere(tape, rows, m).center() - direction;
  const Var length = maximum(sum(square(normal), 1), tape.constant({rows}, Real(1e-12)));
  return about_e1 - unsqueeze(Real(2) * sum(normal * about_e1, 1) / length, 1) * normal;
}

}  // namespace

double log_sphere_surface(Index m) {
  return std::numbers::ln2 + double(m) / 2 * std::log(std::numbers::pi) - std::lgamma(double(m) / 2);
}

Draw UniformSphere::rsample(Key key) const {
  const Var z = tape_->node("uniform_sphere", {rows_, m_}, {});
  fill_normal(key, z.value());
  for (Index i = 0; i < rows_; ++i) {
    Real* const row = z.data() + i * m_;
    double square = 0;
    for (Index d = 0; d < m_; ++d) square += double(row[d]) * double(row[d]);
    for (Index d = 0; d < m_; ++d) row[d] = static_cast<Real>(double(row[d]) / std::sqrt(std::max(square, 1e-30)));
  }
  return {z, {}};
}

Var UniformSphere::log_prob(Var z) const { return tape_->constant({z.shape()[0]}, static_cast<Real>(-log_sphere_surface(m_))); }

Var UniformSphere::center() const {
  const Var z = tape_->constant({rows_, m_}, Real(0));
  for (Index i = 0; i < rows_; ++i) z.data()[i * m_] = 1;
  return z;
}

const VonMisesFisher& VonMisesFisher::detached() const {
  return on_tape(direction.tape(), VonMisesFisher(stop_gradient(direction), stop_gradient(concentration)));
}

Var VonMisesFisher::log_prob(Var z) const {
  return log_constant(concentration, direction.shape()[1]) + concentration * sum(direction * z, 1);
}

// -dF/dkappa / f(w) = -int_{-1}^w (t - A) f(t) dt / f(w). With t = cos a it is an integral over angles without singularities.
double von_mises_fisher_slope(Index m, double kappa, double w) {
  const double mean = bessel_ratio(order(m), kappa), start = std::acos(std::clamp(w, -1.0, 1.0)), n = double(m);
  const double sine = std::sqrt(std::max(1 - w * w, 1e-300));
  // Beyond some 40 standard deviations of the angle, 1 / sqrt(kappa) at most, the density is 0.
  const double end = std::min(std::numbers::pi, start + 40 / std::sqrt(std::max(kappa, 1.0))), panel = (end - start) / 16;
  const auto g = [&](double a) {
    return (std::cos(a) - mean) * std::exp((n - 2) * std::log(std::max(std::sin(a), 1e-300)) - (n - 3) * std::log(sine) + kappa * (std::cos(a) - w));
  };
  double total = 0;
  for (int p = 0; p < 16; ++p) add_integral(total, start + p * panel, start + (p + 1) * panel, g);
  return -total;
}

Draw VonMisesFisher::rsample(Key key) const {
  const Index m = direction.shape()[1];
  const Var w = pointwise("von_mises_fisher_w", concentration,
                          [&](double kappa, Index i) { return draw_w(m, kappa, key.fold("w").fold(static_cast<std::uint64_t>(i))); },
                          [m](double kappa, double drawn) { return von_mises_fisher_slope(m, kappa, drawn); });
  return {about(direction, w, key.fold("tangent")), {}};
}

Var kl(const VonMisesFisher& q, const UniformSphere&) {
  const Index m = q.direction.shape()[1];
  const double v = order(m);
  return pointwise("von_mises_fisher_kl", q.concentration,
                   [m, v](double k, Index) {
                     return k * bessel_ratio(v, k) + log_constant(k, m) + log_sphere_surface(m);
                   },
                   [m, v](double k, double) {
                     const double a = bessel_ratio(v, k);
                     return k * (1 - a * a - double(m - 1) * a / k);
                   });
}

namespace {

/// log C_m(kappa) and E log(1 + direction . z), with (1 + direction . z) / 2 ~ Beta(a, b), a = b + kappa, b = (m - 1) / 2.
std::pair<Var, Var> power_spherical_parts(Var kappa, Index m) {
  const Real b = Real(m - 1) / 2;
  const Var a = kappa + b;
  const double log_pi = std::log(std::numbers::pi);
  const Var log_c = lgamma(a + b) - lgamma(a) - Real(std::numbers::ln2) * (a + b) - static_cast<Real>(double(b) * log_pi);
  return {log_c, digamma(a) - digamma(a + b) + Real(std::numbers::ln2)};
}

}  // namespace

Draw PowerSpherical::rsample(Key key) const {
  const Real b = Real(direction.shape()[1] - 1) / 2;
  const Var log_g = log_gamma_draw(concentration + b, key.fold("one"));
  const Var log_h = log_gamma_draw(direction.tape().constant(concentration.shape(), b), key.fold("two"));
  return {about(direction, Real(2) * sigmoid(log_g - log_h) - Real(1), key.fold("tangent")), {}};
}

Var PowerSpherical::log_prob(Var z) const {
  return power_spherical_parts(concentration, direction.shape()[1]).first + concentration * log1p(sum(direction * z, 1));
}

const PowerSpherical& PowerSpherical::detached() const {
  return on_tape(direction.tape(), PowerSpherical(stop_gradient(direction), stop_gradient(concentration)));
}

Var kl(const PowerSpherical& q, const UniformSphere&) {
  const Index m = q.direction.shape()[1];
  const auto [log_c, mean_log] = power_spherical_parts(q.concentration, m);
  return log_c + q.concentration * mean_log + static_cast<Real>(log_sphere_surface(m));
}

}  // namespace vaezoo
