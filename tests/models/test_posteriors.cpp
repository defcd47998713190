#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <string>
#include <vector>

#include "autodiff/gradcheck.hpp"
#include "config/reader.hpp"
#include "models/distributions/normal.hpp"
#include "models/distributions/real_laws.hpp"
#include "models/posteriors/posterior.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;
using Values = LikelihoodCase::Values;

namespace {

const std::vector<std::string> kNames{"normal", "full_covariance", "laplace", "student_t", "planar", "radial", "sylvester", "iaf"};
/// Those that are a diagonal normal sent through a function, whose h begins with the normal's.
const std::vector<std::string> kFlows{"normal", "planar", "radial", "sylvester", "sylvester householder", "sylvester triangular", "iaf"};

/// A posterior of z with `dimensions` numbers, made of its settings.
struct Subject {
  ParameterStore store{Key(4)};
  std::unique_ptr<Posterior> q;

  Subject(const std::string& name, Index dimensions, const std::string& more = "") {
    PosteriorConfig config;
    const std::string text = "{\"posterior\": {\"name\": \"" + name.substr(0, name.find(' ')) + "\"" + (more.empty() ? "" : ", " + more) + "}}";
    read_config(nlohmann::json::parse(text), "test", [&](Fields& f) { config.visit(f); });
    q = config.build({dimensions, LogVarianceBounds{}, ad::Parameters(store) / "posterior"});
  }
};

std::vector<Real> numbers(Index count, std::uint64_t seed, Real deviation = 1) {
  std::vector<Real> v(static_cast<std::size_t>(count));
  ad::fill_normal(Key(seed), v, 0, deviation);
  return v;
}

double determinant(std::vector<std::vector<double>> m) {  // by elimination
  double result = 1;
  for (std::size_t k = 0; k < m.size(); ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k; i < m.size(); ++i)
      if (std::abs(m[i][k]) > std::abs(m[pivot][k])) pivot = i;
    if (pivot != k) {
      std::swap(m[pivot], m[k]);
      result = -result;
    }
    result *= m[k][k];
    for (std::size_t i = k + 1; i < m.size(); ++i)
      for (std::size_t j = m.size(); j-- > k;) m[i][j] -= m[i][k] / m[k][k] * m[k][j];
  }
  return result;
}

std::string more_of(const std::string& name) {
  if (name == "sylvester") return R"("length": 2, "matrix": {"name": "orthogonal", "columns": 2})";
  if (name == "sylvester householder") return R"("length": 2, "matrix": {"name": "householder", "reflections": 3})";
  if (name == "sylvester triangular") return R"("length": 3, "matrix": "triangular")";
  return name == "planar" || name == "radial" ? R"("length": 3)" : name == "iaf" ? R"("length": 3, "hidden": [5, 4], "context": 2)" : "";
}

}  // namespace

TEST_CASE("a planar flow has its known value") {  // computed apart, in double: z = (.5, -1, .25), u = (-1, .5, .3), w = (1, 2, -1), b = .1
  Subject s("planar", 3, R"("length": 1)");
  REQUIRE(s.q->inputs() == 6 + 7);
  const std::vector<Real> h{Real(0.5), -1, Real(0.25), -60, -60, -60, -1, Real(0.5), Real(0.3), 1, 2, -1, Real(0.1)};
  Tape tape;
  const Distribution& q = (*s.q)({tape, true, Key(1)}, tape.constant({1, 13}, h));
  const std::vector<double> expected{1.451404828, -1.419334397, -0.0512044933};
  for (std::size_t i = 0; i < 3; ++i) CHECK(double(q.center().data()[i]) == doctest::Approx(expected[i]).epsilon(1e-6));
  const Draw z = q.rsample(Key(2));
  const DiagonalNormal base(tape.constant({1, 3}, std::span(h).first(3)), tape.constant({1, 3}, std::span(h).subspan(3, 3)));
  const double log_det = double(log_prob(base, base.rsample(Key(2))).item()) - double(log_prob(q, z).item());
  CHECK(log_det == doctest::Approx(-0.06310269015).epsilon(sizeof(Real) == 4 ? 1e-3 : 1e-8));  // the difference of two numbers near 90
}

TEST_CASE("a radial flow has its known value") {  // computed apart, in double: z = (.5, -1, .25), z0 = (0, .5, -.5), alpha = .7, beta hat = -.4
  Subject s("radial", 3, R"("length": 1)");
  REQUIRE(s.q->inputs() == 6 + 5);
  const std::vector<Real> h{Real(0.5), -1, Real(0.25), -60, -60, -60, 0, Real(0.5), Real(-0.5), static_cast<Real>(std::log(std::expm1(0.7))), Real(-0.4)};
  Tape tape;
  const Distribution& q = (*s.q)({tape, true, Key(1)}, tape.constant({1, 11}, h));
  const std::vector<double> expected{.4618398474, -.8855195423, .1927597711};
  for (std::size_t i = 0; i < 3; ++i) CHECK(double(q.center().data()[i]) == doctest::Approx(expected[i]).epsilon(1e-6));
  const Draw z = q.rsample(Key(2));
  const DiagonalNormal base(tape.constant({1, 3}, std::span(h).first(3)), tape.constant({1, 3}, std::span(h).subspan(3, 3)));
  const double log_det = double(log_prob(base, base.rsample(Key(2))).item()) - double(log_prob(q, z).item());
  CHECK(log_det == doctest::Approx(-.1808268977).epsilon(sizeof(Real) == 4 ? 1e-3 : 1e-8));
}

TEST_CASE("log q of a draw is that of the base less the log determinant of the Jacobian, by finite differences") {
  constexpr Index n = 4;
  for (const std::string& name : kFlows) {
    CAPTURE(name);
    Subject s(name, n, more_of(name));
    std::vector<Real> h = numbers(s.q->inputs(), 11);
    const Key key(3);
    const auto draw = [&] {
      Tape tape(ad::Grad::off);
      const Draw z = (*s.q)({tape, true, Key(1)}, tape.constant({1, s.q->inputs()}, h)).rsample(key);
      return std::vector<double>(z.value.value().begin(), z.value.value().end());
    };
    Tape tape;
    const Distribution& q = (*s.q)({tape, true, Key(1)}, tape.constant({1, s.q->inputs()}, h));
    const double log_q = double(log_prob(q, q.rsample(key)).item());
    const DiagonalNormal base(tape.constant({1, n}, std::span(h).first(n)), tape.constant({1, n}, std::span(h).subspan(n, n)));
    const double log_base = double(log_prob(base, base.rsample(key)).item());
    // The draw moves with the mean of the base as the flow's output with its input.
    const double step = sizeof(Real) == 4 ? 2e-3 : 1e-5;
    std::vector<std::vector<double>> jacobian(n, std::vector<double>(n));
    for (std::size_t j = 0; j < n; ++j) {
      const Real mean = h[j];
      h[j] = mean + static_cast<Real>(step);
      const std::vector<double> above = draw();
      h[j] = mean - static_cast<Real>(step);
      const std::vector<double> below = draw();
      h[j] = mean;
      for (std::size_t i = 0; i < n; ++i) jacobian[i][j] = (above[i] - below[i]) / (2 * step);
    }
    const double tolerance = sizeof(Real) == 4 ? 1e-2 : 1e-7;  // float: differences of 0.004 in numbers near 10
    CHECK(log_base - log_q == doctest::Approx(std::log(std::abs(determinant(jacobian)))).epsilon(tolerance));
  }
}

TEST_CASE("every posterior is normalised: the mean of p(z) / q(z) over z ~ q is 1") {  // |z| < 5
  constexpr Index n = 2, rows = 200'000;
  for (const std::string& name : kNames) {
    CAPTURE(name);
    Subject s(name, n, more_of(name));
    std::vector<Real> one = numbers(s.q->inputs(), 5, Real(0.5)), h;
    one[n] = one[n + 1] = Real(0.7);  // wide, so that q covers p
    for (Index i = 0; i < rows; ++i) h.insert(h.end(), one.begin(), one.end());
    Tape tape(ad::Grad::off);
    const Distribution& q = (*s.q)({tape, false, Key(1)}, tape.constant({rows, s.q->inputs()}, h));
    const Draw z = q.rsample(Key(9));
    const Var log_q = log_prob(q, z);
    Sample ratio;
    for (Index i = 0; i < rows; ++i) {  // p = N(0, 0.3 I)
      const double a = double(z.value.data()[2 * i]), b = double(z.value.data()[2 * i + 1]);
      ratio.add(std::exp(-(a * a + b * b) / 0.6) / (0.3 * 2 * std::numbers::pi) / std::exp(double(log_q.data()[i])));
    }
    CHECK(std::abs(ratio.z(1)) < 5);
    CHECK(ratio.standard_error() < 0.05);
  }
}

TEST_CASE("a full covariance: draws, density and KL are those of N(mean, L L^T), also against the KL's estimate") {  // |z| < 5
  Tape tape(ad::Grad::off);
  Subject s("full_covariance", 2);
  const std::vector<Real> h{Real(0.3), Real(-0.2), static_cast<Real>(std::log(0.8)), static_cast<Real>(std::log(0.5)), Real(0.6)};
  constexpr Index rows = 50'000;
  std::vector<Real> many;
  for (Index i = 0; i < rows; ++i) many.insert(many.end(), h.begin(), h.end());
  const Distribution& q = (*s.q)({tape, false, Key(1)}, tape.constant({rows, 5}, many));
  const Draw z = q.rsample(Key(2));
  const Var log_q = q.log_prob(z.value), log_p = StandardNormal(tape, rows, 2).log_prob(z.value);
  // Sigma = [[.64, .48], [.48, .61]]
  Sample cross, second, estimate;
  for (Index i = 0; i < rows; ++i) {
    const double a = double(z.value.data()[2 * i]) - 0.3, b = double(z.value.data()[2 * i + 1]) + 0.2;
    cross.add(a * b), second.add(b * b), estimate.add(double(log_q.data()[i]) - double(log_p.data()[i]));
    const double det = .64 * .61 - .48 * .48, form = (.61 * a * a - 2 * .48 * a * b + .64 * b * b) / det;
    if (i < 20) CHECK(double(log_q.data()[i]) == doctest::Approx(-std::log(2 * std::numbers::pi) - std::log(det) / 2 - form / 2).epsilon(1e-4));
  }
  CHECK(std::abs(cross.z(.48)) < 5);
  CHECK(std::abs(second.z(.61)) < 5);
  const double known = (.64 + .61 + .09 + .04 - 2 - std::log(.64 * .61 - .48 * .48)) / 2;
  CHECK(double(kl(q, StandardNormal(tape, rows, 2), z).data()[0]) == doctest::Approx(known).epsilon(1e-5));
  CHECK(std::abs(estimate.z(known)) < 5);
}

TEST_CASE("the KL of two Laplace laws is log q - log p in the mean, and 0 of equal ones") {  // |z| < 5
  constexpr Index rows = 50'000;
  Tape tape(ad::Grad::off);
  const auto all = [&](double v) { return tape.constant({rows, 1}, static_cast<Real>(v)); };
  const Laplace q(all(.7), all(-.4)), p(all(0), all(.2));
  const Var z = q.rsample(Key(3)).value, log_q = q.log_prob(z), log_p = p.log_prob(z);
  Sample estimate, absolute;
  for (Index i = 0; i < rows; ++i) {
    estimate.add(double(log_q.data()[i]) - double(log_p.data()[i]));
    absolute.add(std::abs(double(z.data()[i]) - .7));
  }
  CHECK(std::abs(estimate.z(double(kl(q, p).data()[0]))) < 5);
  CHECK(std::abs(absolute.z(std::exp(-.4))) < 5);  // E |z - m| is the scale
  CHECK(double(kl(q, q).data()[0]) == doctest::Approx(0).epsilon(1e-6));
}

TEST_CASE("the dimensions of an inverse autoregressive step depend on those before them, in one order and then the other") {
  constexpr Index n = 4;
  for (const Index length : {1, 2}) {
    Subject s("iaf", n, "\"length\": " + std::to_string(length) + R"(, "hidden": [8], "context": 2)");
    std::vector<Real> h = numbers(s.q->inputs(), 11);
    const auto center = [&] {
      Tape tape(ad::Grad::off);
      const Var z = (*s.q)({tape, true, Key(1)}, tape.constant({1, s.q->inputs()}, h)).center();
      return std::vector<Real>(z.value().begin(), z.value().end());
    };
    const std::vector<Real> before = center();
    for (std::size_t j = 0; j < n; ++j) {
      std::vector<Real> old = h;
      h[j] += 1;
      const std::vector<Real> after = center();
      h = old;
      for (std::size_t i = 0; i < n; ++i)
        if (length == 1) CHECK((after[i] != before[i]) == (i >= j));
        else CHECK(after[i] != before[i]);
    }
  }
}

TEST_CASE("with every posterior the mean of the log weights is the ELBO") {  // |z| < 5
  const std::vector<Real> x = synthetic(Values::real, 1);
  for (const std::string& name : kNames) {
    CAPTURE(name);
    const Built built = build_small(find_model("vae"), R"({"name": "gaussian", "sigma": 0.5})", data_spec(Values::real),
                                    "{\"posterior\": {\"name\": \"" + name + "\"" + (name == "sylvester" ? ", " + more_of(name) : "") + "}}");
    constexpr Index samples = 20'000;
    Tape tape(ad::Grad::off);
    const Context c{tape, false, Key(5)};
    const Var log_w = built.model->log_weights(c, minibatch(tape, x, 1), samples);
    std::vector<Real> many;
    for (Index i = 0; i < samples; ++i) many.insert(many.end(), x.begin(), x.end());
    const ElboTerms e = built.model->elbo({tape, false, Key(6)}, minibatch(tape, many, samples), Code::sample);
    Sample weights, elbo;
    for (Index i = 0; i < samples; ++i) {
      weights.add(double(log_w.data()[i]));
      elbo.add(double(e.reconstruction.data()[i]) - double(e.kl.data()[i]));
    }
    CHECK(std::abs(weights.mean - elbo.mean) <
          5 * std::hypot(weights.standard_error(), elbo.standard_error()));
  }
}

TEST_CASE("what needs the density of q everywhere, or each draw's gradient from the encoder, is refused by name") {
  const DataSpec data = data_spec(Values::binary);
  const auto refused = [&](const char* model, const std::string& settings) {
    return message_of([&] { build(model, settings, data); });
  };
  CHECK(refused("vae", R"({"posterior": "iaf", "estimator": "stl"})").starts_with("model.estimator: stl needs log q(z | x)"));
  CHECK(refused("vae", R"({"posterior": "planar", "free_bits": 0.1})").starts_with("model.free_bits: they need the KL of each dimension"));
  CHECK(refused("vae", R"({"posterior": "planar", "prior": "vampprior"})").starts_with("model.prior: vampprior needs a q(z | x)"));
  CHECK(refused("piwae", R"({"posterior": "iaf"})").starts_with("model.objective: piwae weighs what each draw sends to the encoder"));
  CHECK_NOTHROW(build("piwae", R"({"posterior": "planar", "prior": "standard_normal"})", data));
  CHECK_NOTHROW(build("conditional_vae", R"({"posterior": "iaf", "prior": "mixture"})", data));
}

#ifdef VAEZOO_DOUBLE
TEST_CASE("the gradient of a model with every posterior is its finite difference") {
  for (const std::string& name : kNames)
    for (const char* model : {"vae", "iwae"}) {
      CAPTURE(name);
      CAPTURE(model);
      constexpr Index count = 6;
      const Built built = build_small(find_model(model), R"({"name": "gaussian", "sigma": 0.5})", data_spec(Values::real),
                                      "{\"posterior\": {\"name\": \"" + name + "\"" + (more_of(name).empty() ? "" : ", " + more_of(name)) + "}}");
      const std::vector<Real> x = synthetic(Values::real, count);
      const ad::GradcheckReport report = gradcheck_parameters(*built.store, [&](Tape& tape) {
        return built.model->objective({tape, true, Key(6)}, minibatch(tape, x, count)).loss;
      });
      CHECK_MESSAGE(report.passed, report.text());
    }
}
#endif
