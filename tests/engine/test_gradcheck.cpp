// The checker itself: it must pass what is right and catch what is wrong.
#include <doctest/doctest.h>

#include "autodiff/elementwise.hpp"
#include "autodiff/gradcheck.hpp"
#include "autodiff/linalg.hpp"
#include "autodiff/random_ops.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace {

using namespace ad;

/// x^2 with a slope of `factor` 2x: wrong unless the factor is 1.
Var squared_with_slope(Var x, Real factor) {
  const Var y = x.tape().node("wrong", x.shape(), {x});
  for (Index i = 0; i < x.size(); ++i) y.data()[i] = x.data()[i] * x.data()[i];
  if (y.live())
    x.tape().on_backward(y, [=] {
      const GradSlot g = y.tape().grad(x);
      for (Index i = 0; i < x.size(); ++i)
        g.data[i] = (g.add ? g.data[i] : 0) + factor * 2 * x.data()[i] * y.tape().adjoint(y)[i];
    });
  return y;
}

const GradcheckInput kInput{{2, 2}, {Real(0.3), Real(-1.2), Real(0.8), Real(2)}};

}  // namespace

TEST_CASE("gradcheck passes a right gradient and reports what it saw") {
  const auto report = gradcheck([](Tape&, std::span<const Var> x) { return squared_with_slope(x[0], 1); }, {kInput});
  CHECK(report.passed);
  CHECK(report.checked == 4);
  CHECK(report.text().starts_with("gradients agree: the worst of 4 elements is "));
}

TEST_CASE("gradcheck catches a gradient that is wrong by little, and names the element") {
#ifdef VAEZOO_DOUBLE
  constexpr Real factor = 1 + 3e-6;
#else
  constexpr Real factor = Real(1.05);
#endif
  const auto report =
      gradcheck([](Tape&, std::span<const Var> x) { return x[0] + squared_with_slope(x[1], factor); }, {kInput, kInput});
  CHECK(!report.passed);
  CHECK(report.input == 1);
  CHECK(report.error > GradcheckOptions{}.tolerance);
  CHECK(report.text().starts_with("gradients differ: the worst of 8 elements is input 1, element "));
}

TEST_CASE("gradcheck catches a gradient that never arrives") {
  const auto report = gradcheck([](Tape&, std::span<const Var> x) { return stop_gradient(square(x[0])); }, {kInput});
  CHECK(!report.passed);
  CHECK(report.gradient == 0);
}

TEST_CASE("gradcheck catches NaN") {
  CHECK(!gradcheck([](Tape&, std::span<const Var> x) { return log(x[0]); }, {kInput}).passed);
}

TEST_CASE("gradcheck refuses a function that is not one") {
  std::uint64_t calls = 0;
  CHECK_THROWS_AS(
      gradcheck([&](Tape&, std::span<const Var> x) { return dropout(x[0], Real(0.5), Key(calls++), true); }, {kInput}), Error);
}

TEST_CASE("gradcheck may look at some elements only") {
  GradcheckOptions options;
  options.most_elements = 3;
  CHECK(gradcheck([](Tape&, std::span<const Var> x) { return exp(x[0]); }, {kInput, {{}, {Real(1)}}}, options).checked == 4);
}

TEST_CASE("gradcheck_parameters checks a whole model, leaves its values, skips what is frozen") {
  ParameterStore store(Key(1));
  Parameter& w = store.add("0/weight", {3, 2}, init::linear_default());
  Parameter& b = store.add("0/bias", {3}, init::normal(0, 1));
  Parameter& frozen = store.add("frozen", {3}, init::ones());
  frozen.set_trainable(false);
  Parameter& calls = store.add_buffer("calls", {1}, 0);
  const std::vector<Real> before(store.values().begin(), store.values().end());
  const auto loss = [&](Tape& t) {
    calls.value()[0] += 1;  // a model may write its buffers while it runs
    const Var x = t.constant({4, 2}, Real(0.7));
    return mean(square(linear(x, t.parameter(w), t.parameter(b), Activation::tanh) * broadcast_to(t.parameter(frozen), {4, 3})));
  };
  const auto report = gradcheck_parameters(store, loss);
  CHECK_MESSAGE(report.passed, report.text());
  CHECK(report.checked == 9);
  CHECK(std::ranges::equal(before, store.values()));
  CHECK(calls.value()[0] == 0);
  const auto wrong = gradcheck_parameters(store, [&](Tape& t) { return sum(squared_with_slope(t.parameter(b), 2)); });
  CHECK(!wrong.passed);
  CHECK(wrong.where.starts_with("0/bias, element "));
}
