#include <algorithm>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "tests/engine/op_table.hpp"

namespace op_table {
namespace {

using ad::Real;
using ad::Tape;
using ad::Var;
using Vars = std::span<const Var>;

const std::vector<Domain> kPositive{{0.05, 4}};
const std::vector<Domain> kAwayFromZero{{-2, 2}, {0.5, 2}};
const std::vector<Real> kOnes(5, 1);
const std::vector<Reject> kEqualShapes{{{Shape{2, 3}, Shape{3, 2}}, "needs equal shapes, got [2, 3] and [3, 2]"}};
const std::vector<Reject> kBroadcast{{{Shape{2, 3}, Shape{2, 4}}, "do not broadcast: axis sizes 3 and 4 differ"}};

Row unary(const char* name, Var (*op)(Var), double (*f)(double), std::vector<Domain> domains = {}) {
  return {std::string(name) + "(Var)", [op](Tape&, Vars x) { return op(x[0]); }, each(f), any_shape(), std::move(domains)};
}

/// psi(x) by 200 steps of the recurrence and three terms of its series.
double digamma_reference(double x) {
  double shift = 0;
  for (int i = 0; i < 200; ++i, x += 1) shift -= 1 / x;
  return shift + std::log(x) - 1 / (2 * x) - 1 / (12 * x * x) + 1 / (120 * x * x * x * x);
}

Row arithmetic(const char* name, Var (*op)(Var, Var), double (*f)(double, double)) {
  return {std::string(name) + "(Var, Var)",
          [op](Tape&, Vars x) { return op(x[0], x[1]); },
          each_pair(f),
          broadcast_pairs(),
          kAwayFromZero,
          kBroadcast};
}

Row compared(const char* name, Var (*op)(Var, Var), double (*f)(double, double)) {
  Row row = arithmetic(name, op, f);
  row.domains = {};
  row.differentiable = false;
  return row;
}

[[maybe_unused]] const bool arithmetic_rows = add_rows({
    arithmetic(
        "operator+", [](Var a, Var b) { return a + b; }, [](double a, double b) { return a + b; }),
    arithmetic(
        "operator-", [](Var a, Var b) { return a - b; }, [](double a, double b) { return a - b; }),
    arithmetic(
        "operator*", [](Var a, Var b) { return a * b; }, [](double a, double b) { return a * b; }),
    arithmetic(
        "operator/", [](Var a, Var b) { return a / b; }, [](double a, double b) { return a / b; }),
    {"operator+(Var, Real)", [](Tape&, Vars x) { return x[0] + Real(1.5); }, each([](double v) { return v + 1.5; }), any_shape()},
    {"operator-(Var, Real)", [](Tape&, Vars x) { return x[0] - Real(1.5); }, each([](double v) { return v - 1.5; }), any_shape()},
    {"operator*(Var, Real)", [](Tape&, Vars x) { return x[0] * Real(1.5); }, each([](double v) { return v * 1.5; }), any_shape()},
    {"operator/(Var, Real)", [](Tape&, Vars x) { return x[0] / Real(1.5); }, each([](double v) { return v / 1.5; }), any_shape()},
    {"operator+(Real, Var)", [](Tape&, Vars x) { return Real(1.5) + x[0]; }, each([](double v) { return 1.5 + v; }), any_shape()},
    {"operator-(Real, Var)", [](Tape&, Vars x) { return Real(1.5) - x[0]; }, each([](double v) { return 1.5 - v; }), any_shape()},
    {"operator*(Real, Var)", [](Tape&, Vars x) { return Real(1.5) * x[0]; }, each([](double v) { return 1.5 * v; }), any_shape()},
    {"operator/(Real, Var)",
     [](Tape&, Vars x) { return Real(1.5) / x[0]; },
     each([](double v) { return 1.5 / v; }),
     any_shape(),
     {{0.5, 2}}},
    {"operator-(Var)", [](Tape&, Vars x) { return -x[0]; }, each([](double v) { return -v; }), any_shape()},
});

[[maybe_unused]] const bool function_rows = add_rows({
    unary("exp", ad::exp, std::exp),
    unary("log", ad::log, std::log, kPositive),
    unary("log1p", ad::log1p, std::log1p, {{-0.9, 3}}),
    unary("expm1", ad::expm1, std::expm1),
    unary("sqrt", ad::sqrt, std::sqrt, kPositive),
    unary("square", ad::square, [](double v) { return v * v; }),
    unary("abs", ad::abs, std::abs),
    unary("sin", ad::sin, std::sin, {{-7, 7}}),
    unary("cos", ad::cos, std::cos, {{-7, 7}}),
    unary("erf", ad::erf, std::erf, {{-3, 3}}),
    unary("lgamma", ad::lgamma, std::lgamma, {{0.1, 12}}),
    unary("digamma", ad::digamma, digamma_reference, {{0.1, 12}}),
    unary("tanh", ad::tanh, std::tanh, {{-4, 4}}),
    unary("sigmoid", ad::sigmoid, [](double v) { return 1 / (1 + std::exp(-v)); }, {{-9, 9}}),
    unary("softplus", ad::softplus, [](double v) { return std::log(1 + std::exp(v)); }, {{-9, 9}}),
    unary("relu", ad::relu, [](double v) { return v > 0 ? v : 0; }),
    unary("gelu", ad::gelu, [](double v) { return v / 2 * (1 + std::erf(v / std::sqrt(2.0))); }, {{-4, 4}}),
    unary("silu", ad::silu, [](double v) { return v / (1 + std::exp(-v)); }, {{-6, 6}}),
    {"pow(Var, Real)", [](Tape&, Vars x) { return pow(x[0], Real(2.5)); }, each([](double v) { return std::pow(v, 2.5); }),
     any_shape(), kPositive},
    {"pow(Var, Real)",
     [](Tape&, Vars x) { return pow(x[0], Real(3)); },
     each([](double v) { return v * v * v; }),
     any_shape(),
     {},
     {},
     "negative base"},
    {"pow(Var, Real)",
     [](Tape&, Vars x) { return pow(x[0], Real(-2)); },
     each([](double v) { return 1 / (v * v); }),
     any_shape(),
     {{-3, -0.5}},
     {},
     "negative exponent"},
    {"pow(Var, Var)",
     [](Tape&, Vars x) { return pow(x[0], x[1]); },
     each_pair([](double a, double b) { return std::pow(a, b); }),
     equal_pairs(),
     {{0.2, 3}, {-2, 2}},
     kEqualShapes},
    {"leaky_relu(Var, Real)", [](Tape&, Vars x) { return leaky_relu(x[0], Real(0.2)); },
     each([](double v) { return v > 0 ? v : 0.2 * v; }), any_shape()},
    {"elu(Var, Real)", [](Tape&, Vars x) { return elu(x[0], Real(1.3)); },
     each([](double v) { return v > 0 ? v : 1.3 * (std::exp(v) - 1); }), any_shape()},
    {"clamp(Var, Real, Real)", [](Tape&, Vars x) { return clamp(x[0], Real(-0.53), Real(0.71)); },
     each([](double v) { return std::clamp(v, double(Real(-0.53)), double(Real(0.71))); }), any_shape()},
    {"maximum(Var, Var)",
     [](Tape&, Vars x) { return maximum(x[0], x[1]); },
     each_pair([](double a, double b) { return std::max(a, b); }),
     equal_pairs(),
     {},
     kEqualShapes},
    {"minimum(Var, Var)",
     [](Tape&, Vars x) { return minimum(x[0], x[1]); },
     each_pair([](double a, double b) { return std::min(a, b); }),
     equal_pairs(),
     {},
     kEqualShapes},
});

[[maybe_unused]] const bool choice_rows = add_rows({
    compared(
        "greater", [](Var a, Var b) { return greater(a, b); }, [](double a, double b) { return double(a > b); }),
    compared(
        "less", [](Var a, Var b) { return less(a, b); }, [](double a, double b) { return double(a < b); }),
    compared(
        "greater_equal", [](Var a, Var b) { return greater_equal(a, b); }, [](double a, double b) { return double(a >= b); }),
    compared(
        "less_equal", [](Var a, Var b) { return less_equal(a, b); }, [](double a, double b) { return double(a <= b); }),
    compared(
        "equal", [](Var a, Var b) { return equal(a, b); }, [](double a, double b) { return double(a == b); }),
    {.declaration = "greater(Var, Real)",
     .call = [](Tape&, Vars x) { return greater(x[0], Real(0.3)); },
     .reference = each([](double v) { return double(v > double(Real(0.3))); }),
     .cases = any_shape(),
     .differentiable = false},
    {.declaration = "less(Var, Real)",
     .call = [](Tape&, Vars x) { return less(x[0], Real(0.3)); },
     .reference = each([](double v) { return double(v < double(Real(0.3))); }),
     .cases = any_shape(),
     .differentiable = false},
    {"select(Var, Var, Var)",
     [](Tape&, Vars x) { return select(greater(x[0], Real(0)), x[1], x[2]); },
     each_triple([](double c, double a, double b) { return c > 0 ? a : b; }),
     {{Shape{}, Shape{}, Shape{}},
      {Shape{0}, Shape{0}, Shape{0}},
      {Shape{5, 7}, Shape{5, 7}, Shape{5, 7}},
      {Shape{5, 1}, Shape{7}, Shape{1, 1}}},
     {},
     {{{Shape{2}, Shape{3}, Shape{3}}, "[select] shapes [2] and [3] do not broadcast"}}},
    {.declaration = "stop_gradient(Var)",
     .call = [](Tape&, Vars x) { return stop_gradient(x[0]); },
     .reference = each([](double v) { return v; }),
     .cases = any_shape(),
     .differentiable = false},
    // Its value is the first input's alone and its gradient the second's: a difference sees that where both are one; see
    // test_ops.cpp.
    {"straight_through(Var, Var)", [](Tape&, Vars x) { return straight_through(x[0], x[0]); }, each([](double v) { return v; }),
     any_shape()},
    // With other factors than one a difference does not see its gradient; see test_ops.cpp.
    {"scale_gradient(Var, std::span<const Real>)", [](Tape&, Vars x) { return scale_gradient(x[0], kOnes); },
     each([](double v) { return v; }), {{Shape{5}}, {Shape{5, 0}}, {Shape{5, 7}}, {Shape{5, 3, 1000}}}, {},
     {{{Shape{2, 3}}, "[scale_gradient] needs one factor for each row of [2, 3], got 5"}, {{Shape{}}, "each row of []"}}},
});

}  // namespace
}  // namespace op_table
