// What the op table cannot say: special values, ties, long sums, argmax.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "autodiff/elementwise.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/linalg.hpp"
#include "autodiff/random_ops.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace {

using ad::Index;
using ad::Real;
using ad::Shape;
using ad::Tape;
using ad::Var;

constexpr Real kNaN = std::numeric_limits<Real>::quiet_NaN(), kInf = std::numeric_limits<Real>::infinity();
constexpr double kEps = std::numeric_limits<Real>::epsilon();

Var vector(Tape& tape, std::vector<Real> values) { return tape.variable({std::ssize(values)}, values); }
std::vector<double> list(std::span<const Real> v) { return {v.begin(), v.end()}; }

/// f of one number, and its slope there.
std::pair<double, double> at(Var (*f)(Var), Real x) {
  Tape tape;
  const Var v = vector(tape, {x}), y = f(v);
  tape.backward(sum(y));
  return {double(y.item()), double(v.gradient()[0])};
}

}  // namespace

TEST_CASE("no op hides a NaN") {
  using Op = Var (*)(Var);
  const Op unary[] = {ad::exp, ad::log,    ad::log1p,   ad::expm1, ad::sqrt,    ad::square,   ad::abs,  ad::sin,  ad::cos,
                      ad::erf, ad::lgamma, ad::digamma, ad::tanh,  ad::sigmoid, ad::softplus, ad::relu, ad::gelu, ad::silu};
  const Op more[] = {[](Var x) { return leaky_relu(x); },
                     [](Var x) { return elu(x); },
                     [](Var x) { return clamp(x, -1, 1); },
                     [](Var x) { return maximum(x, x.tape().constant(x.shape(), Real(0))); },
                     [](Var x) { return maximum(x.tape().constant(x.shape(), Real(0)), x); },
                     [](Var x) { return minimum(x, x.tape().constant(x.shape(), Real(0))); },
                     [](Var x) { return minimum(x.tape().constant(x.shape(), Real(0)), x); },
                     [](Var x) { return pow(x, Real(2)); },
                     [](Var x) { return sum(x); },
                     [](Var x) { return mean(x); },
                     [](Var x) { return max(x); },
                     [](Var x) { return min(x); },
                     [](Var x) { return logsumexp(x); },
                     [](Var x) { return softmax(x); },
                     [](Var x) { return log_softmax(x); },
                     [](Var x) { return var(x, {}, false, false); }};
  int number = 0;
  for (std::span<const Op> ops : {std::span<const Op>(unary), std::span<const Op>(more)})
    for (const Op op : ops) {
      ++number;
      CAPTURE(number);
      for (const Index where : {0, 1, 20, 66}) {  // in a full register and in the tail
        CAPTURE(where);
        Tape tape(ad::Grad::off);
        std::vector<Real> x(67, Real(0.5));
        x[static_cast<std::size_t>(where)] = kNaN;
        const Var y = op(vector(tape, x));
        CHECK(std::isnan(y.size() == 1 ? y.item() : y.data()[where]));
      }
    }
}

TEST_CASE("the fused activations of linear let a NaN through, forward and backward") {
  for (const auto a : {ad::Activation::relu, ad::Activation::leaky_relu, ad::Activation::elu, ad::Activation::softplus,
                       ad::Activation::tanh, ad::Activation::sigmoid}) {
    CAPTURE(static_cast<int>(a));
    Tape tape;
    const Var x = tape.variable({1, 1}, std::vector<Real>{kNaN}), w = tape.variable({1, 1}, std::vector<Real>{1}),
              b = vector(tape, {0});
    const Var y = linear(x, w, b, a);
    CHECK(std::isnan(y.item()));
    tape.backward(sum(square(y)));
    CHECK(std::isnan(b.gradient()[0]));
  }
}

TEST_CASE("elementwise functions have their limits at infinity") {
  CHECK(at(ad::softplus, -kInf) == std::pair(0.0, 0.0));
  CHECK(at(ad::softplus, kInf) == std::pair(double(kInf), 1.0));
  CHECK(at(ad::sigmoid, -kInf) == std::pair(0.0, 0.0));
  CHECK(at(ad::sigmoid, kInf) == std::pair(1.0, 0.0));
  CHECK(at(ad::tanh, -kInf) == std::pair(-1.0, 0.0));
  CHECK(at(ad::relu, -kInf) == std::pair(0.0, 0.0));
  CHECK(at(ad::exp, -kInf) == std::pair(0.0, 0.0));
  CHECK(at(ad::expm1, -kInf) == std::pair(-1.0, 0.0));
  CHECK(at(ad::erf, kInf) == std::pair(1.0, 0.0));
  CHECK(at(ad::log, 0).first == -kInf);
  CHECK(at(ad::log1p, -1).first == -kInf);
  CHECK(at(ad::log1p, kInf).first == kInf);
  CHECK(at(ad::lgamma, kInf).first == kInf);
  CHECK(at(ad::lgamma, 0).first == kInf);
  CHECK(at(ad::softplus, -300).first >= 0);
  CHECK(at(ad::softplus, 300).first == 300);
  CHECK(at([](Var x) { return elu(x); }, 500).second == 1);
}

TEST_CASE("log1p, expm1 and softplus keep their digits for tiny and negative arguments") {
  for (const double x : {1e-30, 1e-20, 1e-10, 3e-8, 1e-6, 1e-3, -1e-30, -1e-20, -1e-9, -1e-6, -1e-3, -0.3, -0.7}) {
    CAPTURE(x);
    const double r = double(Real(x));
    CHECK(std::abs(at(ad::log1p, Real(x)).first / std::log1p(r) - 1) < 8 * kEps);
    CHECK(std::abs(at(ad::expm1, Real(x)).first / std::expm1(r) - 1) < 8 * kEps);
  }
  for (const double x : {-80.0, -40.0, -20.0, -17.0, -10.0, -1.0, 0.0, 3.0, 30.0}) {
    CAPTURE(x);
    CHECK(std::abs(at(ad::softplus, Real(x)).first / (std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)))) - 1) < 20 * kEps);
  }
}

TEST_CASE("slopes at the kinks are PyTorch's") {
  CHECK(at(ad::relu, 0).second == 0);
  CHECK(at(ad::abs, 0).second == 0);
  const auto clamped = [](Var x) { return clamp(x, -1, 1); };
  CHECK(at(clamped, 1).second == 1);
  CHECK(at(clamped, -1).second == 1);
  CHECK(at(clamped, Real(1.001)).second == 0);
  CHECK(at([](Var x) { return elu(x); }, 0).second == 1);
}

TEST_CASE("pow of zero and of negative numbers with an integer exponent") {
  CHECK(at([](Var x) { return pow(x, Real(2)); }, -3) == std::pair(9.0, -6.0));
  CHECK(at([](Var x) { return pow(x, Real(3)); }, -2) == std::pair(-8.0, 12.0));
  CHECK(at([](Var x) { return pow(x, Real(2)); }, 0) == std::pair(0.0, 0.0));
  CHECK(at([](Var x) { return pow(x, Real(1)); }, 0) == std::pair(0.0, 1.0));
  CHECK(at([](Var x) { return pow(x, Real(0)); }, 0) == std::pair(1.0, 0.0));
  CHECK(at([](Var x) { return pow(x, Real(0)); }, -2) == std::pair(1.0, 0.0));
  CHECK(std::isnan(at([](Var x) { return pow(x, Real(0.5)); }, -2).first));
}

TEST_CASE("the branch that select does not choose may be infinite or NaN without touching the gradient") {
  Tape tape;
  const Var x = vector(tape, {-1, 0, 4});
  const Var y = select(greater(x, Real(0)), log(x), x * Real(3));
  CHECK(list(y.value())[0] == -3);
  tape.backward(sum(y));
  // d log(x)/dx is 1/0 at 0; a tensor select multiplies it by a zero adjoint, as PyTorch's where does. Within one formula
  // the dual number of the other branch is dropped.
  const Var u = vector(tape, {-1, 0, 4});
  const Var z = ad::map("safe", [](auto v) { return select(v > decltype(v)(Real(0)), log(v), v * Real(3)); }, u);
  tape.backward(sum(z));
  CHECK(list(u.gradient()) == std::vector<double>{3, 3, 0.25});
}

TEST_CASE("scale_gradient keeps the value and multiplies each row's gradient by a factor that is filled in later") {
  Tape tape;
  const Var x = tape.variable({2, 2}, std::vector<Real>{1, 2, 3, 4});
  std::vector<Real> factors(2);
  const Var y = ad::scale_gradient(x, factors), used_twice = sum(square(y)) + sum(x);
  CHECK(list(y.value()) == std::vector<double>{1, 2, 3, 4});
  factors = {10, Real(-0.5)};
  tape.backward(used_twice);
  CHECK(list(x.gradient()) == std::vector<double>{1 + 20, 1 + 40, 1 - 3, 1 - 4});
}

TEST_CASE("map_sum_shared is map_sum of the rows repeated, in value and gradient") {
  const auto f = [](auto a, auto b) { return sin(a) * b + b * b; };
  for (const Index times : {1, 3, 200})
    for (const Index width : {0, 1, 5, 37, 9000}) {
      CAPTURE(times);
      CAPTURE(width);
      if (times * width > 100'000) continue;
      Tape tape;
      constexpr Index rows = 3;
      const Var many = ad::normal(tape, {rows * times, width}, ad::Key(1)), few = ad::normal(tape, {rows, width}, ad::Key(2));
      const Var weight = ad::normal(tape, {rows * times}, ad::Key(3));
      std::array<Var, 4> x;
      for (std::size_t i = 0; i < 4; ++i)
        x[i] = tape.variable(i % 2 == 0 ? many.shape() : few.shape(), (i % 2 == 0 ? many : few).value());
      const Var shared = ad::map_sum_shared("f", f, x[0], x[1]),
                repeated = ad::map_sum("f", f, x[2], ad::repeat_rows(x[3], times));
      CHECK(list(shared.value()) == list(repeated.value()));
      tape.backward(sum(shared * weight) + sum(repeated * weight) + sum(square(x[1])) + sum(square(x[3])));
      CHECK(list(x[0].gradient()) == list(x[2].gradient()));
      double worst = 0;
      for (Index i = 0; i < few.size(); ++i)
        worst = std::max(
            worst, std::abs(double(x[1].gradient()[static_cast<std::size_t>(i)] - x[3].gradient()[static_cast<std::size_t>(i)])));
      CHECK(worst < 200 * 10 * double(std::numeric_limits<Real>::epsilon()));  // sums in another order
    }
}

TEST_CASE("map_sum_shared refuses rows that cannot be shared out") {
  const auto f = [](auto a, auto b) { return a * b; };
  Tape tape;
  const auto ones = [&](const Shape& shape) { return tape.constant(shape, Real(1)); };
  CHECK_THROWS_WITH_AS(ad::map_sum_shared("f", f, ones({6, 2}), ones({4, 2})),
                       "[f] the rows of [4, 2] cannot be shared out among 6 rows of [6, 2]", ad::ShapeError);
  CHECK_THROWS_AS(ad::map_sum_shared("f", f, ones({2, 2}), ones({4, 2})), ad::ShapeError);
  CHECK_THROWS_AS(ad::map_sum_shared("f", f, ones({6, 2}), ones({3, 3})), ad::ShapeError);
  CHECK_THROWS_AS(ad::map_sum_shared("f", f, ones({}), ones({})), ad::ShapeError);
}

TEST_CASE("straight_through has the value of one input and the gradient of the other") {
  Tape tape;
  const Var x = vector(tape, {Real(0.2), Real(0.9)}), hard = vector(tape, {0, 1});
  const Var y = straight_through(hard, x);
  CHECK(list(y.value()) == std::vector<double>{0, 1});
  tape.backward(sum(y * Real(3)));
  CHECK(list(x.gradient()) == std::vector<double>{3, 3});
  CHECK(list(hard.gradient()) == std::vector<double>{0, 0});
}

TEST_CASE("max shares its gradient equally among ties, maximum gives it to the first operand") {
  Tape tape;
  const Var x = tape.variable({2, 4}, std::vector<Real>{1, 5, 5, 2, 3, 3, 3, 3});
  tape.backward(sum(max(x, 1)));
  CHECK(list(x.gradient()) == std::vector<double>{0, 0.5, 0.5, 0, 0.25, 0.25, 0.25, 0.25});
  const Var a = vector(tape, {1, 2}), b = vector(tape, {1, 3});
  tape.backward(sum(maximum(a, b)));
  CHECK(list(a.gradient()) == std::vector<double>{1, 0});
  CHECK(list(b.gradient()) == std::vector<double>{0, 1});
}

TEST_CASE("logsumexp and log_softmax of infinite and huge numbers") {
  Tape tape;
  CHECK(logsumexp(vector(tape, {-kInf, -kInf})).item() == -kInf);
  CHECK(logsumexp(vector(tape, {1, kInf})).item() == kInf);
  CHECK(double(logsumexp(vector(tape, {Real(3e4), Real(3e4)})).item()) == doctest::Approx(3e4 + std::log(2.0)));
  const Var x = vector(tape, {-kInf, 1, 1});
  const Var y = logsumexp(x);
  CHECK(double(y.item()) == doctest::Approx(1 + std::log(2.0)));
  tape.backward(y);
  CHECK(x.gradient()[0] == 0);
  CHECK(double(x.gradient()[1]) == doctest::Approx(0.5));
  const Var empty = vector(tape, {-kInf, -kInf});
  tape.backward(logsumexp(empty));
  CHECK(list(empty.gradient()) == std::vector<double>{0, 0});
  CHECK(list(softmax(vector(tape, {-2000, 2000})).value()) == std::vector<double>{0, 1});
  CHECK(list(log_softmax(vector(tape, {-2000, 2000})).value()) == std::vector<double>{-4000, 0});
}

TEST_CASE("long sums keep their digits") {
  // A running float would stop at 2^24 = 16777216 ones; the error of blocked sums grows with the depth of the tree.
  Tape tape;
  constexpr Index n = 20'000'003;
  const std::vector<Real> ones(static_cast<std::size_t>(n), Real(1));
  CHECK(double(sum(tape.constant({n}, ones)).item()) == doctest::Approx(double(n)).epsilon(4 * kEps));
  CHECK(double(mean(tape.constant({n}, ones)).item()) == doctest::Approx(1.0).epsilon(4 * kEps));
  const std::vector<Real> tenths(2'000'000, Real(0.1));
  const double exact = 1e6 * double(Real(0.1));
  for (const Real v : sum(tape.constant({1'000'000, 2}, tenths), 0).value())
    CHECK(double(v) == doctest::Approx(exact).epsilon(40 * kEps));
}

TEST_CASE("var does not lose small variances beside a large mean") {
  Tape tape;
  std::vector<Real> x(1000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = Real(1000) + (i % 2 ? Real(0.5) : Real(-0.5));
  CHECK(double(var(vector(tape, x), {}, false, false).item()) == doctest::Approx(0.25).epsilon(1e-6));
}

TEST_CASE("argmax and argmin give the first of equals along any axis and find NaN") {
  Tape tape;
  const Var x = tape.variable({2, 3}, std::vector<Real>{1, 7, 7, 4, -2, 0});
  const auto numbers = [](std::span<const Index> v) { return std::vector<Index>(v.begin(), v.end()); };
  CHECK(numbers(argmax(x)) == std::vector<Index>{1, 0});
  CHECK(numbers(argmin(x)) == std::vector<Index>{0, 1});
  CHECK(numbers(argmax(x, 0)) == std::vector<Index>{1, 0, 0});
  CHECK(numbers(argmin(x, 0)) == std::vector<Index>{0, 1, 1});
  CHECK(numbers(argmax(vector(tape, {1, kNaN, 9}))) == std::vector<Index>{1});
  CHECK(numbers(argmin(vector(tape, {1, kNaN, -9}))) == std::vector<Index>{1});
  CHECK_THROWS_WITH_AS(argmax(tape.constant({2, 0}, Real(0))), "[argmax] has no value over an empty axis: x is [2, 0]",
                       ad::ShapeError);
  const Var table = tape.variable({3, 1}, std::vector<Real>{10, 20, 30});
  CHECK(list(embedding(table, argmax(x)).value()) == std::vector<double>{20, 10});
}

TEST_CASE("embedding adds up the gradients of a row that is used more than once") {
  Tape tape;
  const Var table = tape.variable({3, 2}, std::vector<Real>(6, Real(1)));
  const std::vector<Index> rows{2, 0, 2, 2};
  tape.backward(sum(embedding(table, rows)));
  CHECK(list(table.gradient()) == std::vector<double>{1, 1, 0, 0, 3, 3});
}

TEST_CASE("axes that do not exist, come twice or are too many are refused") {
  Tape tape;
  const Var x = tape.constant({2, 3}, Real(1));
  CHECK_THROWS_WITH_AS(sum(x, 2), "[sum] axis 2 is out of range for a tensor with 2 axes", ad::ShapeError);
  CHECK_THROWS_WITH_AS(mean(x, {1, -1}), "[mean] axis 1 is named twice", ad::ShapeError);
  CHECK_THROWS_WITH_AS(sum(x, {0, 1, 2, 3, 4, 5, 0}), "[Axes] at most 6 axes are supported, got 7", ad::ShapeError);
  CHECK_THROWS_WITH_AS(permute(x, {0, 0}), "[permute] axis 0 is named twice", ad::ShapeError);
  CHECK_THROWS_WITH_AS(reshape(x, {-1, -1}), "[reshape] only one size may be -1", ad::ShapeError);
  CHECK_THROWS_WITH_AS(reshape(x, {-1, 4}),
                       "[reshape] cannot work out the size -1: the other sizes multiply to 4 and [2, 3] has 6 elements",
                       ad::ShapeError);
  CHECK_THROWS_WITH_AS(clamp(x, 1, 0), "[clamp] the bounds are reversed: low 1, high 0", ad::ShapeError);
  CHECK_THROWS_WITH_AS(ad::concat({}), "[concat] needs at least one tensor", ad::ShapeError);
  CHECK_THROWS_WITH_AS(chunk(x, 3, 3), "[chunk] there is no piece 3 among 3", ad::ShapeError);
  CHECK_THROWS_WITH_AS(pad(x, {{1, 1}, {-1, 0}}), "[pad] widths must not be negative, axis 1 has -1 and 0", ad::ShapeError);
  CHECK_THROWS_WITH_AS(var(tape.constant({1}, Real(1))), "[var] needs at least 2 elements per result, got 1: x is [1]",
                       ad::ShapeError);
  CHECK_THROWS_WITH_AS(dropout(x, 2, ad::Key(0), true), "[dropout] p must be in [0, 1], it is 2", ad::ShapeError);
}

TEST_CASE("dropout keeps the mean, drops the fraction it should, and its key decides which") {
  Tape tape;
  const Index n = 100'000;
  const Real p = Real(0.3);
  const Var y = dropout(tape.constant({n}, Real(1)), p, ad::Key(1), true);
  const auto zeros = static_cast<double>(std::ranges::count(y.value(), Real(0)));
  CHECK(std::abs(zeros - 0.3 * double(n)) / std::sqrt(0.21 * double(n)) < 4);  // z-score of a binomial count
  CHECK(list(y.value()) == list(dropout(tape.constant({n}, Real(1)), p, ad::Key(1), true).value()));
  CHECK(list(y.value()) != list(dropout(tape.constant({n}, Real(1)), p, ad::Key(2), true).value()));
  CHECK(sum(dropout(tape.constant({n}, Real(1)), 1, ad::Key(1), true)).item() == 0);
}
