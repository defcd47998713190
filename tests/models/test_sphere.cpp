// Distributions on the sphere, against values computed with 25 digits.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <numbers>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/distributions/bessel.hpp"
#include "models/distributions/sphere.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;

namespace {

constexpr std::array kConcentrations{1.0, 10.0, 100.0, 1000.0};

struct KnownLaw {
  Index m;
  std::array<double, 4> mean, kl, kl_slope;  // A, KL to the uniform law and its slope, for kappa of 1, 10, 100, 1000
};
const std::array kLaws{
    KnownLaw{2, {.44638997, .94859983, .99498737, .99949987}, {.21047561, 1.54302618, 2.71900461, 3.87256598}, {.35434603, .05298388, .00502538, 5.0025e-4}},
    KnownLaw{3, {.31303529, .9, .99, .999}, {.15159592, 1.99573232, 4.29831737, 6.60090246}, {.27593834, .09999992, .01, .001}},
    KnownLaw{10, {.09917838, .63366839, .95579517, .99550788}, {.04938476, 2.48446959, 11.35021620, 21.56895652}, {.09755821, .28162817, .04340219, .00448423}},
    KnownLaw{40, {.02498514, .23660810, .82305433, .98068054}, {.01248885, 1.15072423, 22.32284146, 63.97148501}, {.02495544, .21245035, .15903866, .01913877}},
    KnownLaw{512, {.00195312, .01952383, .18840476, .77653093}, {9.7656e-4, .09760063, 9.25163869, 236.2720171}, {1.9531e-3, .01950901, .17553008, .19240353}},
};

}  // namespace

TEST_CASE("log I_v and the ratio of neighbouring orders, for orders up to 500 and arguments from 0.01 to 10000") {
  struct Row {
    double v;
    std::array<double, 6> log_i;
  };
  constexpr std::array<double, 6> k{0.01, 1, 10, 100, 1000, 10000};
  for (const Row& row : {Row{0, {2.499984e-5, 0.2359143585, 7.942972083, 96.77973269, 995.6273089, 9994.475904}},
                         Row{0.5, {-2.52835978, -0.0643519911, 7.929768918, 96.77847637, 995.6271838, 9994.475891}},
                         Row{1, {-5.29830487, -0.5706479875, 7.890203834, 96.77470746, 995.6268086, 9994.475854}},
                         Row{9, {-60.486681, -19.01518044, 3.957365185, 96.37296650, 995.5867889, 9994.471854}},
                         Row{24, {-181.944345, -71.41026365, -15.17656004, 93.89917615, 995.3391786, 9994.447102}},
                         Row{99.5, {-888.618118, -430.4011974, -201.0480158, 50.33038830, 990.6787902, 9993.980871}},
                         Row{255, {-2512.78303, -1338.463656, -751.2077957, -154.5573970, 963.2718798, 9991.224667}},
                         Row{499.5, {-5254.732429, -2954.449422, -1804.258720, -649.1969600, 873.2401428, 9982.002860}}})
    for (std::size_t i = 0; i < k.size(); ++i) {
      CAPTURE(row.v);
      CAPTURE(k[i]);
      CHECK(std::abs(log_bessel_i(row.v, k[i]) - row.log_i[i]) < 1e-8 * std::max(1.0, std::abs(row.log_i[i])) + 6e-9);
    }
  for (const KnownLaw& law : kLaws)
    for (std::size_t i = 0; i < 4; ++i) CHECK(bessel_ratio(double(law.m) / 2 - 1, kConcentrations[i]) == doctest::Approx(law.mean[i]).epsilon(3e-6));
  for (double kappa = 80; kappa < 120; kappa += 0.5)  // no jumps
    CHECK(bessel_ratio(4, kappa + 0.5) - bessel_ratio(4, kappa) == doctest::Approx(bessel_ratio(4, kappa) - bessel_ratio(4, kappa - 0.5)).epsilon(0.05));
}

TEST_CASE("the surface of the unit sphere") {
  CHECK(log_sphere_surface(2) == doctest::Approx(1.837877066));
  CHECK(log_sphere_surface(3) == doctest::Approx(2.531024247));
  CHECK(log_sphere_surface(20) == doctest::Approx(-0.661381441));
  CHECK(log_sphere_surface(512) == doctest::Approx(-867.9681032));
}

TEST_CASE("von Mises-Fisher: KL to the uniform law and its slope, the same for every direction") {
  for (const KnownLaw& law : kLaws)
    for (std::size_t i = 0; i < 4; ++i) {
      CAPTURE(law.m);
      CAPTURE(kConcentrations[i]);
      Tape tape;
      const std::vector<Real> kappa{static_cast<Real>(kConcentrations[i])};
      const Var k = tape.variable({1}, kappa), direction = UniformSphere(tape, 1, law.m).rsample(Key(i)).value;
      const Var divergence = kl(VonMisesFisher(direction, k), UniformSphere(tape, 1, law.m));
      CHECK(double(divergence.item()) == doctest::Approx(law.kl[i]).epsilon(2e-6));
      tape.backward(sum(divergence));
      CHECK(double(k.gradient()[0]) == doctest::Approx(law.kl_slope[i]).epsilon(2e-4));
    }
}

TEST_CASE("von Mises-Fisher: the slope of a draw at fixed distribution function") {
  CHECK(von_mises_fisher_slope(3, 2, .5) == doctest::Approx(.217941397).epsilon(1e-7));
  CHECK(von_mises_fisher_slope(5, 2, .5) == doctest::Approx(.139737081).epsilon(1e-7));
  CHECK(von_mises_fisher_slope(5, 2, -.3) == doctest::Approx(.226776687).epsilon(1e-7));
  CHECK(von_mises_fisher_slope(10, 10, .6) == doctest::Approx(.0310428233).epsilon(1e-7));
  CHECK(von_mises_fisher_slope(20, 50, .85) == doctest::Approx(.00272275762).epsilon(1e-6));
  CHECK(von_mises_fisher_slope(40, 100, .8) == doctest::Approx(.00179625636).epsilon(1e-6));
}

TEST_CASE("von Mises-Fisher: draws have length 1 and mean A; their slope has d A / d kappa as its mean, without the bias of the rejection") {  // |z| < 5
  struct Case {
    Index m;
    double kappa, slope;
  };
  for (const Case& c : {Case{2, 2, .16422323}, Case{3, 2, 0}, Case{5, 2, .14738869}, Case{10, 10, .02816282}, Case{20, 50, .00314508}}) {
    CAPTURE(c.m);
    constexpr Index draws = 20'000;
    Tape tape;
    const std::vector<Real> numbers(draws, static_cast<Real>(c.kappa));
    const Var kappa = tape.variable({draws}, numbers), one = UniformSphere(tape, 1, c.m).rsample(Key(3)).value,
              direction = tape.node("direction", {draws, c.m}, {});
    for (Index i = 0; i < draws; ++i) std::copy_n(one.data(), c.m, direction.data() + i * c.m);
    const Var z = VonMisesFisher(direction, kappa).rsample(Key(7)).value, w = sum(z * direction, 1), length = sum(square(z), 1);
    tape.backward(sum(w));
    Sample mean, slope;
    for (Index i = 0; i < draws; ++i) {
      CHECK(double(length.data()[i]) == doctest::Approx(1).epsilon(1e-5));
      mean.add(double(w.data()[i]));
      slope.add(double(kappa.gradient()[static_cast<std::size_t>(i)]));
    }
    const double a = bessel_ratio(double(c.m) / 2 - 1, c.kappa);
    CHECK(std::abs(mean.z(a)) < 5);
    CHECK(std::abs(slope.z(c.slope > 0 ? c.slope : 1 - a * a - double(c.m - 1) * a / c.kappa)) < 5);
  }
}

TEST_CASE("von Mises-Fisher: the density is the exponential of kappa direction z over its integral") {
  // On the circle and the sphere of R^3, by quadrature over the angle to the direction.
  for (const Index m : {2, 3})
    for (const double k : {0.5, 4.0, 30.0}) {
      Tape tape(ad::Grad::off);
      constexpr Index points = 2000;
      const Var z = tape.node("z", {points, m}, {}), direction = UniformSphere(tape, points, m).center(), kappa = tape.constant({points}, static_cast<Real>(k));
      double total = 0;
      for (Index i = 0; i < points; ++i) {
        const double angle = std::numbers::pi * (double(i) + 0.5) / points;
        std::fill_n(z.data() + i * m, m, Real(0));
        z.data()[i * m] = static_cast<Real>(std::cos(angle));
        z.data()[i * m + 1] = static_cast<Real>(std::sin(angle));
      }
      const Var log_p = VonMisesFisher(direction, kappa).log_prob(z);
      for (Index i = 0; i < points; ++i) {
        const double angle = std::numbers::pi * (double(i) + 0.5) / points;
        total += std::exp(double(log_p.data()[i])) * (m == 2 ? 2 : 2 * std::numbers::pi * std::sin(angle)) * std::numbers::pi / points;
      }
      CHECK(total == doctest::Approx(1).epsilon(1e-4));
    }
}

TEST_CASE("power spherical: density, entropy and KL have their known values, and draws their mean") {  // |z| < 5
  struct Known {
    Index m;
    double kappa, kl;
  };
  for (const Known& known : {Known{2, 1, .30685282}, Known{2, 10, 1.24863675}, Known{3, 1, .19314718}, Known{3, 100, 3.62502151}, Known{10, 10, 1.59558615},
                             Known{10, 100, 8.60899445}, Known{64, 100, 15.04142095}, Known{64, 1000, 68.44194448}}) {
    CAPTURE(known.m);
    CAPTURE(known.kappa);
    constexpr Index draws = 20'000;
    Tape tape;
    const std::vector<Real> numbers(draws, static_cast<Real>(known.kappa));
    const Var kappa = tape.variable({draws}, numbers), one = UniformSphere(tape, 1, known.m).rsample(Key(3)).value,
              direction = tape.node("direction", {draws, known.m}, {});
    for (Index i = 0; i < draws; ++i) std::copy_n(one.data(), known.m, direction.data() + i * known.m);
    const PowerSpherical q(direction, kappa);
    const Var divergence = kl(q, UniformSphere(tape, draws, known.m)), z = q.rsample(Key(7)).value, log_q = q.log_prob(z), w = sum(z * direction, 1);
    CHECK(double(divergence.data()[0]) == doctest::Approx(known.kl).epsilon(sizeof(Real) == 4 ? 2e-4 : 1e-7));
    Sample entropy, mean, slope;
    tape.backward(sum(w));
    for (Index i = 0; i < draws; ++i) {
      entropy.add(-double(log_q.data()[i]));
      mean.add(double(w.data()[i]));
      slope.add(double(kappa.gradient()[static_cast<std::size_t>(i)]));
    }
    const double b = double(known.m - 1) / 2, sum_ab = 2 * b + known.kappa;
    CHECK(std::abs(entropy.z(log_sphere_surface(known.m) - known.kl)) < 5);
    CHECK(std::abs(mean.z(known.kappa / sum_ab)) < 5);                 // 2 a / (a + b) - 1
    CHECK(std::abs(slope.z(2 * b / (sum_ab * sum_ab))) < 5);           // its derivative by kappa
  }
}

TEST_CASE("svae: posterior and prior must both be on the sphere") {
  const DataSpec data{.width = 4};
  CHECK(message_of([&] { build("vae", R"({"posterior": "von_mises_fisher"})", data); }).find("choose prior sphere") != std::string::npos);
  CHECK(message_of([&] { build("vae", R"({"prior": "sphere"})", data); }).find("choose prior standard_normal") != std::string::npos);
  CHECK(message_of([&] { build("vae", R"({"posterior": "von_mises_fisher", "prior": "sphere", "log_variance": [-1, 1]})", data); })
            .find("model.log_variance: has no effect") != std::string::npos);
  CHECK(message_of([&] { build("svae", R"({"latent_dim": 1})", data); }).find("needs 2 dimensions or more") != std::string::npos);
}
