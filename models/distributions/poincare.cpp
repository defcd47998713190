#include "models/distributions/poincare.hpp"

#include <cmath>
#include <limits>

#include "autodiff/elementwise.hpp"
#include "autodiff/map.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/distributions/normal.hpp"

namespace vaezoo {

using namespace ad;

namespace {

/// Points are kept this far inside of the ball, where atanh still has digits.
constexpr Real kRim = sizeof(Real) == 4 ? Real(1e-5) : Real(1e-12);

Var dot(Var a, Var b) { return sum(a * b, 1, true); }  // [N, 1]
Var norm(Var v) {
  return sqrt(sum(square(v), 1, true) + std::numeric_limits<Real>::epsilon() * Real(1e-8));
}  // [N, 1], smooth at 0

Var inside(Var z, Real c) {
  const Var length = norm(z);
  return z * map(
                 "inside", [most = (1 - kRim) / std::sqrt(c)](auto r) { return fmin(decltype(r)(Real(1)), most / r); }, length);
}

}  // namespace

Var mobius_add(Var x, Var y, Real c) {
  const Var xy = dot(x, y), xx = dot(x, x), yy = dot(y, y);
  const Var top = (Real(1) + Real(2) * c * xy + c * yy) * x + (Real(1) - c * xx) * y;
  return inside(top / (Real(1) + Real(2) * c * xy + c * c * xx * yy), c);
}

Var exp_from_centre(Var v, Real c) {
  const Var length = norm(v);
  return inside(v * map(
                        "exp_from_centre", [root = std::sqrt(c)](auto r) { return tanh(root * r) / (root * r); }, length),
                c);
}

Draw WrappedNormal::rsample(Key key) const {
  const Var zeros = mean.tape().constant(mean.shape(), Real(0));
  const Var u = DiagonalNormal(zeros, Real(2) * log_scale).rsample(key).value;
  return {mobius_add(mean, exp_from_centre(Real(0.5) * u, curvature), curvature), log_prob_of_tangent(u)};
}

Var WrappedNormal::log_prob(Var z) const {
  const Var y = mobius_add(-mean, z, curvature), length = norm(y);
  // u = 2 atanh(sqrt c |y|) / (sqrt c |y|) y
  const Var u = y * map(
                        "log_to_centre",
                        [root = std::sqrt(curvature)](auto r) {
                          const auto s = root * r;
                          return (log1p(s) - log1p(-s)) / s;
                        },
                        length);
  return log_prob_of_tangent(u);
}

Var WrappedNormal::log_prob_of_tangent(Var u) const {
  const Var zeros = u.tape().constant(u.shape(), Real(0));
  const Var normal = DiagonalNormal(zeros, Real(2) * log_scale).log_prob(u);
  const Index n = u.shape()[1];
  if (n == 1) return normal;
  const Var stretch = map(
      "log_sinh_ratio",
      [root = std::sqrt(curvature)](auto r) {  // log (sinh x / x)
        const auto x = root * r, square = x * x, large = fmax(x, decltype(x)(Real(0.1)));
        const auto series = square * (Real(1) / 6 - square * (Real(1) / 180 - square * (Real(1) / 2835)));
        return select(x < decltype(x)(Real(0.1)), series,
                      large - Real(0.69314718055994530942) + log1p(-exp(Real(-2) * large)) - log(large));
      },
      norm(u));
  return normal - static_cast<Real>(n - 1) * squeeze(stretch, 1);
}

const WrappedNormal& WrappedNormal::detached() const {
  return on_tape(mean.tape(), WrappedNormal(stop_gradient(mean), stop_gradient(log_scale), curvature));
}

}  // namespace vaezoo
