// Gamma, beta and Dirichlet laws, against values computed with 25 digits and against conjugate models.
#include <doctest/doctest.h>

#include <array>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/distributions/gamma.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;

namespace {

Var row(Tape& tape, std::initializer_list<double> numbers) {
  const Var v = tape.node("row", {1, std::ssize(numbers)}, {});
  std::ranges::transform(numbers, v.data(), [](double x) { return static_cast<Real>(x); });
  return v;
}
Var rows(Tape& tape, Index count, double value, Index width = 1) {
  return tape.constant({count, width}, static_cast<Real>(value));
}

constexpr double kTolerance = sizeof(Real) == 4 ? 2e-5 : 1e-8;

}  // namespace

TEST_CASE("the slope of a gamma draw by its shape, at a fixed distribution function") {
  struct Known {
    double shape;
    std::array<double, 4> slopes;  // dz / da at z = .1 a, .5 a, a and 2 a
  };
  constexpr std::array at{.1, .5, 1., 2.};
  for (const Known& known : {Known{.05, {.4827939522, 1.645521906, 2.666841901, 4.165914174}},
                             Known{.3, {.3433514974, 1.019637600, 1.525999817, 2.176278852}},
                             Known{1, {.2892731166, .8069791168, 1.173563027, 1.631691462}},
                             Known{2.5, {.2700168888, .7392447663, 1.068673020, 1.481279364}},
                             Known{10, {.2594585363, .7045799224, 1.016823490, 1.409321565}},
                             Known{100, {.2562058094, .6942849311, 1.001668324, 1.388571425}}})
    for (std::size_t i = 0; i < at.size(); ++i) {
      CAPTURE(known.shape);
      CAPTURE(at[i]);
      const double z = at[i] * known.shape;
      CHECK(z * log_gamma_slope(known.shape, std::log(z)) == doctest::Approx(known.slopes[i]).epsilon(2e-8));
    }
}

TEST_CASE("beta draws: their slopes by both parameters are those of the two gammas that they are made of") {
  // z = g / (g + h): dz/da = (1 - z) z d log g / da. Its mean over draws is the derivative of the mean a / (a + b).   |z| < 5
  constexpr Index draws = 100'000;
  for (const auto& [a, b] : {std::pair(2., 5.), {.5, .5}, {30., 40.}}) {
    CAPTURE(a);
    Tape tape;
    const std::vector<Real> as(draws, static_cast<Real>(a)), bs(draws, static_cast<Real>(b));
    const Var va = tape.variable({draws, 1}, as), vb = tape.variable({draws, 1}, bs), z = Beta(va, vb).rsample(Key(4)).value;
    tape.backward(sum(z));
    Sample mean, slope_a, slope_b;
    for (std::size_t i = 0; i < draws; ++i)
      mean.add(double(z.value()[i])), slope_a.add(double(va.gradient()[i])), slope_b.add(double(vb.gradient()[i]));
    CHECK(std::abs(mean.z(a / (a + b))) < 5);
    CHECK(std::abs(slope_a.z(b / ((a + b) * (a + b)))) < 5);
    CHECK(std::abs(slope_b.z(-a / ((a + b) * (a + b)))) < 5);
  }
}

TEST_CASE(
    "gamma draws have the mean and the variance of their law, and the implicit gradient those of its derivative, at any shape") {  // |z| < 5
  constexpr Index draws = 100'000;
  for (const double a : {.05, .3, 1., 2.5, 10., 100.}) {
    CAPTURE(a);
    Tape tape;
    const std::vector<Real> shapes(draws, static_cast<Real>(a));
    const Var shape = tape.variable({draws, 1}, shapes), z = Gamma(shape, rows(tape, draws, 2)).rsample(Key(9)).value;
    tape.backward(sum(square(z)));
    Sample mean, square_mean, slope;
    for (std::size_t i = 0; i < draws; ++i) {
      const double v = double(z.value()[i]);
      mean.add(v), square_mean.add(v * v), slope.add(double(shape.gradient()[i]));
    }
    CHECK(std::abs(mean.z(a / 2)) < 5);
    CHECK(std::abs(square_mean.z(a * (a + 1) / 4)) < 5);
    CHECK(std::abs(slope.z((2 * a + 1) / 4)) < 5);
  }
}

TEST_CASE("the KL of gammas, betas and Dirichlets has its known values, and is log q - log p in the mean") {  // |z| < 5
  Tape tape;
  const auto check = [&](const auto& q, const auto& p, double known) {
    CHECK(double(kl(q, p).item()) == doctest::Approx(known).epsilon(kTolerance));
    Sample estimate;
    for (std::uint64_t i = 0; i < 4000; ++i) {
      const Var z = q.rsample(Key(5).fold(i)).value;
      estimate.add(double(q.log_prob(z).item()) - double(p.log_prob(z).item()));
    }
    CHECK(std::abs(estimate.z(known)) < 5);
  };
  check(Gamma(row(tape, {2.5}), row(tape, {1.5})), Gamma(row(tape, {1}), row(tape, {1})), .3421838653);
  check(Gamma(row(tape, {.3}), row(tape, {1})), Gamma(row(tape, {2}), row(tape, {1})), 4.858493183);
  check(Beta(row(tape, {2}), row(tape, {5})), Beta(row(tape, {1}), row(tape, {1})), .4845307150);
  check(Beta(row(tape, {.5}), row(tape, {.5})), Beta(row(tape, {1}), row(tape, {1})), .2415644753);
  check(Dirichlet(row(tape, {1, 2, 3})), Dirichlet(row(tape, {1, 1, 1})), .5511973817);
  check(Dirichlet(row(tape, {.5, 1, 2, 4})), Dirichlet(row(tape, {.3, .3, .3, .3})), 1.943849515);
  // Two classes of a Dirichlet are a beta.
  CHECK(double(kl(Dirichlet(row(tape, {2, 5})), Dirichlet(row(tape, {1, 1}))).item()) ==
        doctest::Approx(.4845307150).epsilon(kTolerance));
  CHECK(double(Dirichlet(row(tape, {2, 5})).log_prob(row(tape, {.3, .7})).item()) ==
        doctest::Approx(double(Beta(row(tape, {2}), row(tape, {5})).log_prob(row(tape, {.3})).item())).epsilon(kTolerance));
}

TEST_CASE("densities integrate to one: gamma over (0, 60), beta over (0, 1)") {
  Tape tape(ad::Grad::off);
  constexpr Index points = 20'000;
  for (const double a : {1., 2.5, 7.}) {
    CAPTURE(a);
    const Var z = tape.node("z", {points, 1}, {}), u = tape.node("u", {points, 1}, {});
    for (Index i = 0; i < points; ++i)
      u.data()[i] = static_cast<Real>((double(i) + .5) / points), z.data()[i] = Real(60) * u.data()[i];
    const Var gamma = Gamma(rows(tape, points, a), rows(tape, points, 1.5)).log_prob(z),
              beta = Beta(rows(tape, points, a), rows(tape, points, 2)).log_prob(u);
    double of_gamma = 0, of_beta = 0;
    for (Index i = 0; i < points; ++i)
      of_gamma += std::exp(double(gamma.data()[i])) * 60 / points, of_beta += std::exp(double(beta.data()[i])) / points;
    CHECK(of_gamma == doctest::Approx(1).epsilon(1e-3));
    CHECK(of_beta == doctest::Approx(1).epsilon(1e-3));
  }
}

TEST_CASE("with the exact posterior of a gamma prior and a Poisson likelihood the ELBO of every draw is the evidence") {
  Tape tape(ad::Grad::off);
  const double a = 2, b = 1.5, counts[]{3, 0, 5};  // x_i ~ Poisson(z), z ~ Gamma(a, b): z | x ~ Gamma(a + sum x, b + n)
  double total = 0, factorials = 0;
  for (const double x : counts) total += x, factorials += std::lgamma(x + 1);
  const Gamma prior(row(tape, {a}), row(tape, {b})), posterior(row(tape, {a + total}), row(tape, {b + 3}));
  const double evidence = a * std::log(b) - std::lgamma(a) + std::lgamma(a + total) - (a + total) * std::log(b + 3) - factorials;
  for (std::uint64_t i = 0; i < 5; ++i) {
    const Var z = posterior.rsample(Key(i)).value;
    const double log_likelihood = total * std::log(double(z.item())) - 3 * double(z.item()) - factorials;
    CHECK(log_likelihood + double(prior.log_prob(z).item()) - double(posterior.log_prob(z).item()) ==
          doctest::Approx(evidence).epsilon(2e-6));
  }
}

TEST_CASE("models with gamma, beta and Dirichlet codes: the prior must have the same support") {
  const DataSpec data{.width = 4};
  CHECK(message_of([&] { build("vae", R"({"posterior": "gamma"})", data); })
            .find("standard_normal is a law of real numbers, and the codes of posterior gamma are positive numbers; choose prior "
                  "gamma") != std::string::npos);
  CHECK(message_of([&] { build("vae", R"({"prior": "dirichlet"})", data); }).find("choose prior standard_normal") !=
        std::string::npos);
  CHECK(message_of([&] { build("hvae", R"({"prior": "gamma"})", data); }).find("choose prior standard_normal") !=
        std::string::npos);
  for (const char* pair :
       {R"({"posterior": "gamma", "prior": "gamma"})", R"({"posterior": "beta", "prior": "uniform"})",
        R"({"posterior": "dirichlet", "prior": "dirichlet"})", R"({"posterior": "power_spherical", "prior": "sphere"})"}) {
    CAPTURE(pair);
    CHECK_NOTHROW(build("vae", pair, data));
  }
}
