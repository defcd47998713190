// Categorical variables and their relaxation.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "autodiff/reduce.hpp"
#include "autodiff/elementwise.hpp"
#include "models/distributions/categorical.hpp"
#include "models/parts/schedules.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;

namespace {

constexpr std::array<double, 3> kLogits{0, 0.5, -1};  // of softmax 0.331, 0.546, 0.122

std::array<double, 3> probabilities() {
  std::array<double, 3> p{};
  double total = 0;
  for (const double l : kLogits) total += std::exp(l);
  for (std::size_t k = 0; k < 3; ++k) p[k] = std::exp(kLogits[k]) / total;
  return p;
}

/// Two variables of three classes, of the logits above and of none, in `rows` rows.
OneHotCategorical two(Tape& tape, Index rows) {
  std::vector<Real> logits;
  for (Index i = 0; i < rows; ++i) {
    for (const double l : kLogits) logits.push_back(static_cast<Real>(l));
    logits.insert(logits.end(), 3, Real(7));
  }
  return OneHotCategorical::of_logits(tape.constant({rows, 6}, logits), 3);
}

constexpr double kTolerance = sizeof(Real) == 4 ? 1e-6 : 1e-10;

}  // namespace

TEST_CASE("categorical: log p, the KL to the uniform, the likeliest class") {
  Tape tape;
  const OneHotCategorical q = two(tape, 1), p(tape.constant({1, 2, 3}, static_cast<Real>(-std::log(3.0))));
  CHECK(double(kl(q, p).item()) == doctest::Approx(0.1458047247).epsilon(kTolerance));
  const Draw none;
  CHECK(double(kl(static_cast<const Distribution&>(RelaxedOneHot(q, Real(0.5), false)), p, none).item()) ==
        doctest::Approx(0.1458047247).epsilon(kTolerance));
  double total = 0;
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) {
      std::vector<Real> z(6, Real(0));
      z[i] = z[3 + j] = 1;
      const double log_p = double(q.log_prob(tape.constant({1, 6}, z)).item());
      CHECK(log_p == doctest::Approx(std::log(probabilities()[i] / 3)).epsilon(kTolerance));
      total += std::exp(log_p);
    }
  CHECK(total == doctest::Approx(1).epsilon(kTolerance));
  const Var center = q.center();
  CHECK(std::vector<Real>(center.data(), center.data() + 3) == std::vector<Real>{0, 1, 0});
}

TEST_CASE("categorical: draws are one-hot and have the probabilities") {  // |z| < 5
  constexpr Index count = 20000;
  Tape tape(ad::Grad::off);
  const Var z = two(tape, count).rsample(Key(5)).value;
  std::array<Sample, 6> shares;
  for (Index i = 0; i < count; ++i)
    for (Index g = 0; g < 2; ++g) {
      double total = 0;
      for (Index k = 0; k < 3; ++k) {
        const double v = double(z.data()[6 * i + 3 * g + k]);
        CHECK_FALSE((v != 0 && v != 1));
        total += v;
        shares[static_cast<std::size_t>(3 * g + k)].add(v);
      }
      CHECK_FALSE(total != 1);
    }
  for (std::size_t k = 0; k < 3; ++k) {
    CHECK(std::abs(shares[k].z(probabilities()[k])) < 5);
    CHECK(std::abs(shares[3 + k].z(1.0 / 3)) < 5);
  }
}

TEST_CASE("relaxed: draws lie on the simplex, their largest number has the probabilities at any temperature, and they tend to one-hot") {
  constexpr Index count = 20000;
  for (const double temperature : {0.01, 0.5, 1.0, 5.0}) {
    CAPTURE(temperature);
    Tape tape(ad::Grad::off);
    const Var y = RelaxedOneHot(two(tape, count), static_cast<Real>(temperature), false).rsample(Key(6)).value;
    Sample largest, first;
    for (Index i = 0; i < count; ++i) {
      const Real* const row = y.data() + 6 * i;
      CHECK_FALSE(std::abs(double(row[0] + row[1] + row[2]) - 1) > 1e-5);
      largest.add(std::max({row[0], row[1], row[2]}));
      first.add(row[0] >= row[1] && row[0] >= row[2]);
    }
    CHECK(std::abs(first.z(probabilities()[0])) < 5);  // |z| < 5
    if (temperature == 0.01) CHECK(largest.mean > 0.99);
    if (temperature == 5.0) CHECK(largest.mean < 0.5);
  }
}

TEST_CASE("relaxed: for two classes y is sigmoid((l + logistic noise) / temperature), so E[y] is known by quadrature") {  // |z| < 5
  constexpr Index count = 40000;
  const double l = 1, temperature = 0.5;
  double expected = 0;
  constexpr int steps = 100000;
  for (int i = 0; i < steps; ++i) {
    const double u = (i + 0.5) / steps;
    expected += 1 / (1 + std::exp(-(l + std::log(u / (1 - u))) / temperature)) / steps;
  }
  Tape tape(ad::Grad::off);
  std::vector<Real> logits;
  for (Index i = 0; i < count; ++i) logits.insert(logits.end(), {static_cast<Real>(l), Real(0)});
  const OneHotCategorical q = OneHotCategorical::of_logits(tape.constant({count, 2}, logits), 2);
  const Var y = RelaxedOneHot(q, static_cast<Real>(temperature), false).rsample(Key(8)).value;
  Sample mean;
  for (Index i = 0; i < count; ++i) mean.add(double(y.data()[2 * i]));
  CHECK(std::abs(mean.z(expected)) < 5);
}

TEST_CASE("straight-through: the value is one-hot, the gradient that of the relaxed draw") {
  const auto gradient = [](bool straight_through) {
    ad::ParameterStore store(Key(1));
    ad::Parameter& logits = ad::Parameters(store).add("logits", {4, 6}, ad::init::normal(0, 1));
    Tape tape;
    const OneHotCategorical q = OneHotCategorical::of_logits(tape.parameter(logits), 3);
    const Var z = RelaxedOneHot(q, Real(0.7), straight_through).rsample(Key(3)).value;
    if (straight_through)
      for (const Real v : z.value()) CHECK((v == 0 || v == 1));
    const std::vector<Real> weights{1, -2, 3, 0.5, 0.25, -1};
    store.zero_grad();
    tape.backward(ad::sum(z * tape.constant({6}, weights)));
    return std::vector<Real>(logits.gradient().begin(), logits.gradient().end());
  };
  const std::vector<Real> through = gradient(true), relaxed = gradient(false);
  CHECK(through == relaxed);
  CHECK(std::ranges::any_of(relaxed, [](Real g) { return g != 0; }));
}

TEST_CASE("the temperature falls exponentially to its minimum") {
  const TemperatureSchedule t{.start = 1, .rate = 1e-3, .minimum = 0.5};
  CHECK(t.at({}) == 1);
  CHECK(t.at({.step = 100, .epoch = 0}) == doctest::Approx(std::exp(-0.1)));
  CHECK(t.at({.step = 694, .epoch = 0}) == doctest::Approx(0.5).epsilon(0.01));
  CHECK(t.at({.step = 100'000, .epoch = 0}) == 0.5);
}

TEST_CASE("one-hot codes: the exact log p(x) by enumeration is what the importance weights estimate") {  // |z| < 5
  // Two variables of three classes: p(x) = 1/9 sum_z p(x | z).
  constexpr Index count = 6, samples = 4000;
  const LikelihoodCase& one = likelihood_cases()[1];
  const Built built = build_small(find_model("categorical_vae"), one.settings, data_spec(one.values), R"({"latent_dim": 6})");
  const std::vector<Real> x = synthetic(one.values, count);
  Tape tape(ad::Grad::off);
  const Context c{tape, false, Key(5)};
  std::vector<Real> codes, repeated;
  for (Index i = 0; i < 3; ++i)
    for (Index j = 0; j < 3; ++j)
      for (Index k = 0; k < 6; ++k) codes.push_back(k == i || k == 3 + j ? Real(1) : Real(0));
  const Var mean = built.model->decode(c, tape.constant({9, 6}, codes), {});
  const Var log_w = built.model->log_weights(c, minibatch(tape, x, count), samples);
  for (Index b = 0; b < count; ++b) {
    std::vector<double> log_p;
    for (Index z = 0; z < 9; ++z) {
      double total = 0;
      for (Index d = 0; d < kDimension; ++d) {
        const double e = (double(x[static_cast<std::size_t>(b * kDimension + d)]) - double(mean.data()[z * kDimension + d])) / 0.5;
        total += -0.5 * e * e - std::log(0.5) - 0.91893853320467274;
      }
      log_p.push_back(total);
    }
    const double exact = log_mean_exp(std::span<const double>(log_p));
    Sample ratio;  // w / p(x), whose mean is 1
    for (Index k = 0; k < samples; ++k) ratio.add(std::exp(double(log_w.data()[b * samples + k]) - exact));
    CHECK(std::abs(ratio.z(1)) < 5);
  }
}

TEST_CASE("what categorical codes cannot be combined with is refused with a sentence") {
  const LikelihoodCase& one = likelihood_cases()[1];
  const auto refused = [&](const char* name, const std::string& extra) {
    return message_of([&] { build_small(find_model(name), one.settings, data_spec(one.values), extra); });
  };
  const std::string posterior = R"("posterior": {"name": "categorical", "classes": 3})", prior = R"("prior": "categorical")";
  CHECK(refused("vae", "{" + posterior + ", " + prior + "}") == "");
  CHECK(refused("conditional_vae", "{" + posterior + ", " + prior + "}") == "");
  CHECK(refused("vae", "{" + posterior + "}").starts_with("model.prior: standard_normal is a law of real numbers"));
  CHECK(refused("vae", "{" + prior + "}").starts_with("model.prior: categorical is a prior of one-hot codes"));
  CHECK(refused("hvae", "{" + prior + "}").starts_with("model.prior: categorical is a prior of one-hot codes"));
  CHECK(refused("vae", "{" + posterior + ", " + prior + R"(, "latent_dim": 4})").starts_with("model.latent_dim: 4 is no multiple of the 3 classes"));
  CHECK(refused("vae", "{" + posterior + ", " + prior + R"(, "objective": "iwae"})").starts_with("model.objective: iwae weighs draws by their densities"));
  CHECK(refused("vae", "{" + posterior + ", " + prior + R"(, "estimator": "stl"})").starts_with("model.estimator: stl needs log q(z | x)"));
  CHECK(refused("vae", "{" + posterior + ", " + prior + R"(, "free_bits": 1})").starts_with("model.free_bits: they need the KL of each dimension"));
}
