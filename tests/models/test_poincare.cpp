// The wrapped normal in the Poincare ball, against values computed with 25 digits.
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/distributions/normal.hpp"
#include "models/distributions/poincare.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;

namespace {

Var row(Tape& tape, std::vector<double> numbers) {
  const Var v = tape.node("row", {1, std::ssize(numbers)}, {});
  std::ranges::transform(numbers, v.data(), [](double x) { return static_cast<Real>(x); });
  return v;
}
WrappedNormal law(Tape& tape, const std::vector<double>& mean, std::vector<double> scale, double c) {
  for (double& s : scale) s = std::log(s);
  return {row(tape, mean), row(tape, scale), static_cast<Real>(c)};
}

constexpr double kTolerance = sizeof(Real) == 4 ? 1e-5 : 1e-9;

}  // namespace

TEST_CASE("the wrapped normal has its known log densities") {
  Tape tape(ad::Grad::off);
  const auto density = [&](const WrappedNormal& q, const std::vector<double>& z) {
    return double(q.log_prob(row(tape, z)).item());
  };
  CHECK(density(law(tape, {.1, -.2}, {1, 1}, 1), {.3, .2}) == doctest::Approx(-2.432696836).epsilon(kTolerance));
  CHECK(density(law(tape, {.1, -.2}, {.5, 1.5}, 1), {.3, .2}) == doctest::Approx(-2.120284693).epsilon(kTolerance));
  CHECK(density(law(tape, {0, 0}, {1, 1}, 1), {.3, .2}) == doctest::Approx(-2.216198788).epsilon(kTolerance));
  CHECK(density(law(tape, {.2, .1, .05}, {.7, .7, .7}, .7), {.1, .2, -.3}) == doctest::Approx(-2.477494947).epsilon(kTolerance));
}

TEST_CASE("the density of a draw is the density of its place, and an isometry does not change it") {
  Tape tape(ad::Grad::off);
  for (std::uint64_t i = 0; i < 20; ++i) {
    const WrappedNormal q = law(tape, {.3, -.2, .4}, {.5, .8, .3}, .8);
    const Draw z = q.rsample(Key(i));
    CHECK(double(z.log_prob.item()) ==
          doctest::Approx(double(q.log_prob(z.value).item())).epsilon(sizeof(Real) == 4 ? 2e-3 : 1e-8));
  }
  const Real c = Real(.7);  // with one scale for all dimensions, moving mean and place together changes nothing
  const Var mean = row(tape, {.1, -.2}), z = row(tape, {.3, .4}), by = row(tape, {-.5, .2}), scale = row(tape, {-.3, -.3});
  const double here = double(WrappedNormal(mean, scale, c).log_prob(z).item());
  CHECK(double(WrappedNormal(mobius_add(by, mean, c), scale, c).log_prob(mobius_add(by, z, c)).item()) ==
        doctest::Approx(here).epsilon(1e-4));
}

TEST_CASE("the density integrates to one over the ball") {
  Tape tape(ad::Grad::off);
  constexpr Index side = 400;
  for (const double c : {1.0, 0.5}) {
    const double radius = 1 / std::sqrt(c);
    double total = 0;
    std::vector<double> points, weights;
    for (Index i = 0; i < side; ++i)
      for (Index j = 0; j < side; ++j) {
        const double x = radius * (2 * (double(i) + .5) / side - 1), y = radius * (2 * (double(j) + .5) / side - 1),
                     square = x * x + y * y;
        if (square >= radius * radius * .9999) continue;
        points.insert(points.end(), {x, y});
        weights.push_back(std::pow(2 / (1 - c * square), 2) * std::pow(2 * radius / side, 2));  // lambda^2 dz
      }
    const Index n = std::ssize(weights);
    const Var z = tape.node("z", {n, 2}, {}), mean = tape.node("mean", {n, 2}, {}),
              scale = tape.constant({n, 2}, static_cast<Real>(std::log(.6)));
    std::ranges::transform(points, z.data(), [](double v) { return static_cast<Real>(v); });
    for (Index i = 0; i < n; ++i) mean.data()[2 * i] = Real(.3), mean.data()[2 * i + 1] = Real(-.1);
    const Var log_p = WrappedNormal(mean, scale, static_cast<Real>(c)).log_prob(z);
    for (Index i = 0; i < n; ++i) total += std::exp(double(log_p.data()[i])) * weights[static_cast<std::size_t>(i)];
    CHECK(total == doctest::Approx(1).epsilon(3e-3));
  }
}

TEST_CASE(
    "as the curvature falls to 0 the wrapped normal becomes a normal of twice the coordinates") {  // lambda at the centre is 2
  Tape tape(ad::Grad::off);
  const WrappedNormal q = law(tape, {.2, -.3}, {.5, .8}, 1e-4);
  const DiagonalNormal flat(row(tape, {.4, -.6}), row(tape, {2 * std::log(.5), 2 * std::log(.8)}));
  CHECK(double(q.log_prob(row(tape, {.5, .1})).item()) ==
        doctest::Approx(double(flat.log_prob(row(tape, {1, .2})).item())).epsilon(1e-3));
  const Var z = q.rsample(Key(4)).value, flat_z = flat.rsample(Key(4)).value;
  for (Index i = 0; i < 2; ++i) CHECK(2 * double(z.data()[i]) == doctest::Approx(double(flat_z.data()[i])).epsilon(1e-3));
}

TEST_CASE("poincare: posterior and prior must both be in the ball") {
  const DataSpec data{.width = 4};
  CHECK(message_of([&] { build("vae", R"({"posterior": "poincare"})", data); }).find("choose prior poincare") !=
        std::string::npos);
  CHECK(message_of([&] { build("vae", R"({"prior": "poincare"})", data); }).find("choose prior standard_normal") !=
        std::string::npos);
  CHECK_NOTHROW(build("vae", R"({"posterior": "poincare", "prior": "poincare", "estimator": "stl"})", data));
}
