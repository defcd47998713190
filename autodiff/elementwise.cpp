#include "autodiff/elementwise.hpp"

#include <cmath>

#include "autodiff/shape_ops.hpp"

namespace ad {
namespace {

/// map over two operands that broadcast.
template <class F>
Var map_broadcast(const char* op, F f, Var a, Var b) {
  if (a.shape() == b.shape()) return map(op, f, a, b);
  const Shape shape = broadcast_shape(a.shape(), b.shape(), op);
  return map(op, f, broadcast_to(a, shape), broadcast_to(b, shape));
}

/// A comparison: its value is a constant for the gradient.
template <class F>
Var compare(const char* op, F f, Var a, Var b) {
  const auto one_or_zero = [f](const auto& x, const auto& y) {
    return select(f(value_of(x), value_of(y)), Batch(Real(1)), Batch(Real(0)));
  };
  return map_broadcast(op, one_or_zero, stop_gradient(a), stop_gradient(b));
}

}  // namespace

Var operator+(Var a, Var b) { return map_broadcast("add", [](auto x, auto y) { return x + y; }, a, b); }
Var operator-(Var a, Var b) { return map_broadcast("subtract", [](auto x, auto y) { return x - y; }, a, b); }
Var operator*(Var a, Var b) { return map_broadcast("multiply", [](auto x, auto y) { return x * y; }, a, b); }
Var operator/(Var a, Var b) { return map_broadcast("divide", [](auto x, auto y) { return x / y; }, a, b); }
Var operator+(Var a, Real b) { return map("add", [b](auto x) { return x + b; }, a); }
Var operator-(Var a, Real b) { return map("subtract", [b](auto x) { return x - b; }, a); }
Var operator*(Var a, Real b) { return map("multiply", [b](auto x) { return x * b; }, a); }
Var operator/(Var a, Real b) { return map("divide", [b](auto x) { return x / b; }, a); }
Var operator+(Real a, Var b) { return b + a; }
Var operator-(Real a, Var b) { return map("subtract", [a](auto x) { return a - x; }, b); }
Var operator*(Real a, Var b) { return b * a; }
Var operator/(Real a, Var b) { return map("divide", [a](auto x) { return a / x; }, b); }
Var operator-(Var x) { return map("negate", [](auto v) { return -v; }, x); }

Var exp(Var x) { return map("exp", [](auto v) { return exp(v); }, x); }
Var log(Var x) { return map("log", [](auto v) { return log(v); }, x); }
Var log1p(Var x) { return map("log1p", [](auto v) { return log1p(v); }, x); }
Var expm1(Var x) { return map("expm1", [](auto v) { return expm1(v); }, x); }
Var sqrt(Var x) { return map("sqrt", [](auto v) { return sqrt(v); }, x); }
Var square(Var x) { return map("square", [](auto v) { return square(v); }, x); }
Var abs(Var x) { return map("abs", [](auto v) { return abs(v); }, x); }
Var sin(Var x) { return map("sin", [](auto v) { return sin(v); }, x); }
Var cos(Var x) { return map("cos", [](auto v) { return cos(v); }, x); }
Var erf(Var x) { return map("erf", [](auto v) { return erf(v); }, x); }
Var lgamma(Var x) { return map("lgamma", [](auto v) { return lgamma(v); }, x); }
Var digamma(Var x) { return map("digamma", [](auto v) { return digamma(v); }, x); }
Var tanh(Var x) { return map("tanh", [](auto v) { return tanh(v); }, x); }
Var sigmoid(Var x) { return map("sigmoid", [](auto v) { return sigmoid(v); }, x); }
Var softplus(Var x) { return map("softplus", [](auto v) { return softplus(v); }, x); }
Var relu(Var x) { return map("relu", [](auto v) { return relu(v); }, x); }
Var leaky_relu(Var x, Real slope) { return map("leaky_relu", [slope](auto v) { return leaky_relu(v, slope); }, x); }
Var elu(Var x, Real alpha) { return map("elu", [alpha](auto v) { return elu(v, alpha); }, x); }
Var gelu(Var x) { return map("gelu", [](auto v) { return gelu(v); }, x); }
Var silu(Var x) { return map("silu", [](auto v) { return silu(v); }, x); }

Var pow(Var x, Real exponent) {
  constexpr Real kMostMultiplied = 16;
  if (exponent == std::floor(exponent) && std::abs(exponent) <= kMostMultiplied)
    return map("pow", [n = static_cast<int>(exponent)](auto v) { return integer_power(v, n); }, x);
  return map("pow", [exponent](auto v) { return pow(v, decltype(v)(exponent)); }, x);
}
Var pow(Var x, Var exponent) { return map("pow", [](auto v, auto e) { return pow(v, e); }, x, exponent); }

Var clamp(Var x, Real low, Real high) {
  AD_CHECK(low <= high, "clamp", cat("the bounds are reversed: low ", low, ", high ", high));
  return map("clamp", [low, high](auto v) { return fmin(fmax(v, decltype(v)(low)), decltype(v)(high)); }, x);
}
Var maximum(Var a, Var b) { return map("maximum", [](auto x, auto y) { return fmax(x, y); }, a, b); }
Var minimum(Var a, Var b) { return map("minimum", [](auto x, auto y) { return fmin(x, y); }, a, b); }

Var greater(Var a, Var b) { return compare("greater", [](auto x, auto y) { return x > y; }, a, b); }
Var less(Var a, Var b) { return compare("less", [](auto x, auto y) { return x < y; }, a, b); }
Var greater_equal(Var a, Var b) { return compare("greater_equal", [](auto x, auto y) { return x >= y; }, a, b); }
Var less_equal(Var a, Var b) { return compare("less_equal", [](auto x, auto y) { return x <= y; }, a, b); }
Var equal(Var a, Var b) { return compare("equal", [](auto x, auto y) { return x == y; }, a, b); }
Var greater(Var a, Real b) { return greater(a, a.tape().constant(Shape{}, b)); }
Var less(Var a, Real b) { return less(a, a.tape().constant(Shape{}, b)); }

Var select(Var condition, Var a, Var b) {
  const Shape shape = broadcast_shape(broadcast_shape(condition.shape(), a.shape(), "select"), b.shape(), "select");
  const auto fit = [&](Var x) { return x.shape() == shape ? x : broadcast_to(x, shape); };
  return map("select", [](auto c, auto x, auto y) { return select(value_of(c) == Batch(Real(0)), y, x); },
             fit(stop_gradient(condition)), fit(a), fit(b));
}

Var stop_gradient(Var x) { return x.tape().alias("stop_gradient", x.shape(), x, false); }

Var straight_through(Var forward, Var through) {
  return map("straight_through", [](auto f, auto t) { return with_value(t, value_of(f)); }, stop_gradient(forward), through);
}

Var scale_gradient(Var x, std::span<const Real> factors) {
  AD_CHECK(x.shape().rank() >= 1 && std::ssize(factors) == x.shape()[0], "scale_gradient",
           cat("needs one factor for each row of ", x.shape(), ", got ", factors.size()));
  Tape& tape = x.tape();
  const Var y = tape.alias("scale_gradient", x.shape(), x, true);
  if (y.live())
    tape.on_backward(y, [=] {
      const Real* y_bar = y.tape().adjoint(y);
      const GradSlot g = y.tape().grad(x);
      const Index rows = x.shape()[0], width = rows == 0 ? 0 : x.size() / rows;
      parallel_blocks(rows, std::max<Index>(1, detail::kMapGrain / std::max<Index>(width, 1)), [&](Index begin, Index end) {
        for (Index i = begin * width; i < end * width; ++i) {
          const Real share = factors[static_cast<std::size_t>(i / width)] * y_bar[i];
          g.data[i] = g.add ? g.data[i] + share : share;
        }
      });
    });
  return y;
}

}  // namespace ad
