#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <numbers>

#include "autodiff/elementwise.hpp"
#include "autodiff/gradcheck.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "config/reader.hpp"
#include "models/likelihoods/likelihood.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;

namespace {

constexpr bool kFloat = sizeof(Real) == 4;
constexpr double kTolerance = kFloat ? 3e-5 : 1e-12;  // sums of some tens of terms of size 1 to 10
constexpr Index kRows = 7, kSize = 5;

/// A likelihood and the store of its scale.
struct Subject {
  ParameterStore store{Key(1)};
  LikelihoodConfig config;
  std::unique_ptr<Likelihood> likelihood;

  explicit Subject(const std::string& settings, Index size = kSize) {
    const auto value = nlohmann::json::parse(settings);
    read_config(nlohmann::json{{"likelihood", value}}, "test", [&](Fields& f) { config.visit(f); });
    const std::string name = value.is_object() ? value.value("name", "") : value.get<std::string>();
    const Index levels = name == "discretized_logistic_mixture" ? 16 : value.is_object() ? value.value("bins", Index(256)) : 256;
    const DataSpec data{.width = size, .counts = true, .levels = levels};
    likelihood = config.build({size, data, ad::Parameters(store) / "likelihood"});
  }
  Likelihood* operator->() const { return likelihood.get(); }
  Real& value(const char* name) { return store.find(std::string("likelihood/") + name)->value()[0]; }
};

std::vector<Real> normal_numbers(Index count, std::uint64_t seed, Real deviation = 1) {
  std::vector<Real> v(static_cast<std::size_t>(count));
  ad::fill_normal(Key(seed), v, 0, deviation);
  return v;
}

double sigmoid(double a) { return 1 / (1 + std::exp(-a)); }

/// log p(x | h) of one example by a slow formula in double.
using RowFormula = std::function<double(const Real* h, const Real* x)>;

/// log p(x | h) of the likelihood, h and x being of one shape.
Var log_prob(const Subject& s, Tape& tape, bool training, const std::vector<Real>& h, const std::vector<Real>& x) {
  const Shape shape{kRows, kSize};
  return s->log_prob(Context{tape, training, Key(1)}, tape.constant(shape, h), tape.constant(shape, x));
}

void check_rows(Subject& s, const std::vector<Real>& x, const RowFormula& formula, bool training = false) {
  Tape tape;
  const std::vector<Real> h = normal_numbers(kRows * kSize, 21, Real(1.5));
  const Var log_p = log_prob(s, tape, training, h, x);
  REQUIRE(log_p.shape() == Shape{kRows});
  for (Index i = 0; i < kRows; ++i) {
    const double truth = formula(h.data() + i * kSize, x.data() + i * kSize);
    CHECK(std::abs(double(log_p.data()[i]) - truth) < kTolerance * std::max(10.0, std::abs(truth)));
  }
}

/// log p of every bin for one location and raw scale, through the likelihood and as a difference of two sigmoids in double.
struct Bins {
  std::vector<double> log_p, direct;
};
Bins bins_of(Index bins, double location, double raw_scale) {
  Subject s(R"({"name": "discretized_logistic", "bins": )" + std::to_string(bins) + "}", 1);
  Tape tape;
  std::vector<Real> h, x;
  for (Index i = 0; i < bins; ++i) {
    h.insert(h.end(), {static_cast<Real>(location), static_cast<Real>(raw_scale)});
    x.push_back(static_cast<Real>(i) / static_cast<Real>(bins - 1));
  }
  const Var log_p = s->log_prob(Context{tape, false, Key(1)}, tape.constant({bins, 2}, h), tape.constant({bins, 1}, x));
  Bins result;
  const double mean = sigmoid(location), scale = std::exp(8 * sigmoid(raw_scale) - 7), half = 0.5 / double(bins - 1);
  for (Index i = 0; i < bins; ++i) {
    const double v = double(i) / double(bins - 1);
    const double above = i == bins - 1 ? 1 : sigmoid((v + half - mean) / scale);
    const double below = i == 0 ? 0 : sigmoid((v - half - mean) / scale);
    result.log_p.push_back(double(log_p.data()[i]));
    result.direct.push_back(std::log(above - below));
  }
  return result;
}

}  // namespace

TEST_CASE("Bernoulli: log p is x log p + (1 - x) log(1 - p), for grey values too") {
  Subject s(R"("bernoulli")");
  std::vector<Real> x(kRows * kSize);
  ad::fill_uniform(Key(22), x);
  std::fill(x.begin(), x.begin() + kSize, Real(1));
  std::fill(x.begin() + kSize, x.begin() + 2 * kSize, Real(0));
  check_rows(s, x, [](const Real* h, const Real* v) {
    double total = 0;
    for (Index j = 0; j < kSize; ++j) {
      const double p = sigmoid(double(h[j]));
      total += double(v[j]) * std::log(p) + (1 - double(v[j])) * std::log(1 - p);
    }
    return total;
  });
}

TEST_CASE("Bernoulli: logits of +-100 give -100 or 0, with finite slopes") {
  Subject s(R"("bernoulli")", 1);
  Tape tape;
  const std::vector<Real> logits{100, 100, -100, -100}, x{1, 0, 1, 0};
  const Var h = tape.variable({4, 1}, logits);
  const Var log_p = s->log_prob(Context{tape, true, Key(1)}, h, tape.constant({4, 1}, x));
  const double expected[] = {0, -100, -100, 0}, slope[] = {0, -1, 1, 0};
  tape.backward(sum(log_p));
  for (Index i = 0; i < 4; ++i) {
    CHECK(double(log_p.data()[i]) == doctest::Approx(expected[i]).epsilon(1e-6));
    CHECK(double(h.gradient()[static_cast<std::size_t>(i)]) == doctest::Approx(slope[i]).epsilon(1e-6));
  }
}

TEST_CASE("Gaussian and Laplace: log p agrees with the density written with its scale") {
  const std::vector<Real> x = normal_numbers(kRows * kSize, 23);
  const auto gaussian = [](double scale, auto mean) {
    return [=](const Real* h, const Real* v) {
      double total = 0;
      for (Index j = 0; j < kSize; ++j)
        total -= std::log(scale * std::sqrt(2 * std::numbers::pi)) + std::pow((double(v[j]) - mean(double(h[j]))) / scale, 2) / 2;
      return total;
    };
  };
  const auto laplace = [](double scale, auto mean) {
    return [=](const Real* h, const Real* v) {
      double total = 0;
      for (Index j = 0; j < kSize; ++j) total += -std::log(2 * scale) - std::abs(double(v[j]) - mean(double(h[j]))) / scale;
      return total;
    };
  };
  const auto same = [](double a) { return a; };
  Subject fixed(R"({"name": "gaussian", "sigma": 0.7})");
  Subject squashed(R"({"name": "gaussian", "sigma": 2.5, "mean": "sigmoid"})");
  check_rows(fixed, x, gaussian(0.7, same));
  check_rows(fixed, x, gaussian(0.7, same), true);
  check_rows(squashed, x, gaussian(2.5, sigmoid));
  Subject robust(R"({"name": "laplace", "sigma": 0.7})"), bent(R"({"name": "laplace", "sigma": 2.5, "mean": "tanh"})");
  check_rows(robust, x, laplace(0.7, same));
  check_rows(bent, x, laplace(2.5, [](double a) { return std::tanh(a); }));
  for (const bool training : {false, true}) {  // the weight of the learned scale is its logarithm
    Subject learned(R"({"name": "gaussian", "scale": "learned", "sigma": 0.7})");
    Subject other(R"({"name": "laplace", "scale": "learned"})");
    check_rows(learned, x, gaussian(0.7, same), training);
    learned.value("log_scale") = static_cast<Real>(std::log(1.3));
    check_rows(learned, x, gaussian(1.3, same), training);
    other.value("log_scale") = static_cast<Real>(std::log(1.3));
    check_rows(other, x, laplace(1.3, same), training);
  }
}

TEST_CASE("optimal scale: in training it is the maximum-likelihood value of the batch") {
  const std::vector<Real> h = normal_numbers(kRows * kSize, 24), x = normal_numbers(kRows * kSize, 25);
  for (const char* name : {"gaussian", "laplace"}) {
    const bool laplace = std::string(name) == "laplace";
    double error = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double d = std::abs(double(x[i]) - double(h[i]));
      error += (laplace ? d : d * d) / double(x.size());
    }
    const double best = laplace ? error : std::sqrt(error);
    const auto total = [&](const std::string& more) {
      Subject s(std::string(R"({"name": ")") + name + "\", " + more + "}");
      Tape tape;
      return double(sum(log_prob(s, tape, true, h, x)).item());
    };
    const double optimal = total(R"("scale": "optimal")"), count = double(kRows * kSize);
    // At the optimum the data term is D/2 (Gaussian) or D (Laplace) whatever the error.
    const double cost = laplace ? 1 + std::log(2 * best) : 0.5 + std::log(best * std::sqrt(2 * std::numbers::pi));
    CHECK(optimal == doctest::Approx(-count * cost).epsilon(1e-5));
    CHECK(optimal == doctest::Approx(total("\"sigma\": " + std::to_string(best))).epsilon(1e-5));
    CHECK(optimal > total("\"sigma\": " + std::to_string(best * 1.1)));
    CHECK(optimal > total("\"sigma\": " + std::to_string(best / 1.1)));
  }
}

TEST_CASE("optimal sigma: the gradient is that of D/2 log MSE") {  // Rybkin et al. 2021, eq. 7
  const std::vector<Real> h = normal_numbers(kRows * kSize, 24), x = normal_numbers(kRows * kSize, 25);
  Subject s(R"({"name": "gaussian", "scale": "optimal"})");
  Tape tape;
  const Shape shape{kRows, kSize};
  const Var ours = tape.variable(shape, h), theirs = tape.variable(shape, h), data = tape.constant(shape, x);
  tape.backward(-mean(s->log_prob(Context{tape, true, Key(1)}, ours, data)));
  const std::vector<Real> gradient(ours.gradient().begin(), ours.gradient().end());
  tape.backward(Real(0.5 * double(kSize)) * log(mean(square(theirs - data))));
  for (std::size_t i = 0; i < gradient.size(); ++i)
    CHECK(std::abs(double(gradient[i]) - double(theirs.gradient()[i])) < kTolerance);
}

TEST_CASE("optimal scale: evaluation uses the average over training and leaves it as it is") {
  for (const char* name : {"gaussian", "laplace"}) {
    const bool laplace = std::string(name) == "laplace";
    Subject s(std::string(R"({"name": ")") + name + R"(", "scale": "optimal"})");
    Tape tape;
    double average = 0;
    for (int step = 0; step < 20; ++step) {  // within the first hundred batches it is their plain mean
      const std::vector<Real> h = normal_numbers(kRows * kSize, 100 + static_cast<std::uint64_t>(step));
      const std::vector<Real> x = normal_numbers(kRows * kSize, 26);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double d = std::abs(double(x[i]) - double(h[i]));
        average += (laplace ? d : d * d) / double(x.size()) / 20;
      }
      log_prob(s, tape, true, h, x);
      CHECK(double(s.value("updates")) == step);
      tape.commit();
      CHECK(double(s.value("updates")) == step + 1);
    }
    const double scale = laplace ? average : std::sqrt(average);
    const std::vector<Real> x = normal_numbers(kRows * kSize, 27);
    const auto density = [=](const Real* h, const Real* v) {
      double total = 0;
      for (Index j = 0; j < kSize; ++j) {
        const double d = (double(v[j]) - double(h[j])) / scale;
        total -= laplace ? std::log(2 * scale) + std::abs(d) : std::log(scale * std::sqrt(2 * std::numbers::pi)) + d * d / 2;
      }
      return total;
    };
    check_rows(s, x, density);
    check_rows(s, x, density);
    CHECK(double(s.value("updates")) == 20);
    CHECK(double(s.value("mean_error")) == doctest::Approx(average).epsilon(1e-5));
  }
}

TEST_CASE("optimal scale: a perfect reconstruction gives a finite, large density, the same in training and in evaluation") {
  for (const char* name : {"gaussian", "laplace"}) {
    Subject s(std::string(R"({"name": ")") + name + R"(", "scale": "optimal"})");
    Tape tape;
    const std::vector<Real> x = normal_numbers(kRows * kSize, 28);
    const Var h = tape.variable({kRows, kSize}, x), data = tape.constant({kRows, kSize}, x);
    const Var training = s->log_prob(Context{tape, true, Key(1)}, h, data);
    tape.commit();
    const Var evaluation = s->log_prob(Context{tape, false, Key(1)}, h, data);
    tape.backward(sum(training));
    for (const Real g : h.gradient()) CHECK(g == 0);
    const double scale = 1e-6, constant = std::string(name) == "laplace" ? 2 : std::sqrt(2 * std::numbers::pi);
    for (Index i = 0; i < kRows; ++i) {
      CHECK(double(training.data()[i]) == doctest::Approx(-double(kSize) * std::log(scale * constant)).epsilon(1e-5));
      CHECK(double(training.data()[i]) == doctest::Approx(double(evaluation.data()[i])).epsilon(1e-5));
    }
  }
}

TEST_CASE("discretised logistic: the probabilities of its bins sum to one") {
  for (const Index bins : {2, 16, 256})
    for (const double location : {-30.0, -3.0, 0.0, 0.4, 3.0, 30.0})
      for (const double raw_scale : {-20.0, -2.0, 0.0, 2.0, 20.0}) {
        CAPTURE(bins);
        CAPTURE(location);
        CAPTURE(raw_scale);
        double total = 0;
        for (const double log_p : bins_of(bins, location, raw_scale).log_p) {
          CHECK(std::isfinite(log_p));
          CHECK(log_p <= 0);
          total += std::exp(log_p);
        }
        // In float a border is rounded to 6e-8 and divided by a scale of e^-7 at least: off by 7e-5, times two borders.
        CHECK(std::abs(total - 1) < (kFloat ? 1.5e-4 : 1e-9));
      }
}

TEST_CASE("discretised logistic: log p agrees with the difference of two sigmoids where that is accurate") {
  for (const Index bins : {2, 16, 256})
    for (const double location : {-2.0, 0.3, 1.5})
      for (const double raw_scale : {0.0, 1.0, 3.0}) {
        const Bins b = bins_of(bins, location, raw_scale);
        for (std::size_t i = 0; i < b.log_p.size(); ++i)
          if (b.direct[i] > -14)  // further out the difference cancels: e^-14 has ten digits left
            CHECK(std::abs(b.log_p[i] - b.direct[i]) < (kFloat ? 1e-4 : 1e-9) * std::max(1.0, std::abs(b.direct[i])));
      }
}

TEST_CASE("discretised logistic: a bin far from the location has the log of the tail, not minus infinity") {
  // Location 0 (logit -40), scale e^-7 (raw -40): bin 255 lies 1094 scales away; its tail is e^(-(1 - 1/510) e^7) of probability.
  const Bins b = bins_of(256, -40, -40);
  CHECK(b.log_p.back() == doctest::Approx(-(1 - 1.0 / 510) * std::exp(7.0)).epsilon(1e-5));
  CHECK(b.log_p.front() > std::log(0.5));
}

TEST_CASE("samples have the moments of their distribution") {  // |z| < 5
  constexpr Index draws = 100'000;
  const auto moments = [](const std::string& settings, std::vector<Real> row) {
    Subject s(settings, 1);
    Tape tape;
    std::vector<Real> h;
    for (Index i = 0; i < draws; ++i) h.insert(h.end(), row.begin(), row.end());
    const Var at = tape.constant({draws, std::ssize(row)}, h), x = s->sample(Context{tape, false, Key(31)}, at);
    REQUIRE(x.shape() == Shape{draws, 1});
    CHECK(double(s->mean(at).data()[0]) == doctest::Approx(double(s->mean(at).data()[draws - 1])));
    Sample mean, square, absolute;
    const double m = double(s->mean(at).data()[0]);
    for (Index i = 0; i < draws; ++i) {
      const double d = double(x.data()[i]) - m;
      mean.add(d);
      square.add(d * d);
      absolute.add(std::abs(d));
    }
    return std::array{mean, square, absolute};
  };
  const auto bernoulli = moments(R"("bernoulli")", {Real(-0.8)});
  CHECK(std::abs(bernoulli[0].z(0)) < 5);
  CHECK(std::abs(bernoulli[1].z(sigmoid(-0.8) * (1 - sigmoid(-0.8)))) < 5);

  const auto gaussian = moments(R"({"name": "gaussian", "sigma": 0.7})", {Real(1.4)});
  CHECK(std::abs(gaussian[0].z(0)) < 5);
  CHECK(std::abs(gaussian[1].z(0.49)) < 5);
  CHECK(std::abs(gaussian[2].z(0.7 * std::sqrt(2 / std::numbers::pi))) < 5);

  const auto laplace = moments(R"({"name": "laplace", "sigma": 0.7})", {Real(1.4)});
  CHECK(std::abs(laplace[0].z(0)) < 5);
  CHECK(std::abs(laplace[1].z(2 * 0.49)) < 5);
  CHECK(std::abs(laplace[2].z(0.7)) < 5);
}

TEST_CASE("discretised logistic: samples fall into the bins as often as log p says") {  // |z| < 5 for each of 8 bins
  constexpr Index draws = 100'000, bins = 8;
  Subject s(R"({"name": "discretized_logistic", "bins": 8})", 1);
  for (const double raw_scale : {-0.5, 1.0}) {
    Tape tape;
    std::vector<Real> h;
    for (Index i = 0; i < draws; ++i) h.insert(h.end(), {Real(0.6), static_cast<Real>(raw_scale)});
    const Var x = s->sample(Context{tape, false, Key(32)}, tape.constant({draws, 2}, h));
    std::array<double, bins> count{};
    for (const Real v : x.value()) {
      const double bin = double(v) * (bins - 1);
      REQUIRE(std::abs(bin - std::round(bin)) < 1e-5);
      REQUIRE((bin > -0.5 && bin < bins - 0.5));
      count[static_cast<std::size_t>(std::lround(bin))] += 1;
    }
    const Bins truth = bins_of(bins, 0.6, raw_scale);
    for (std::size_t i = 0; i < bins; ++i) {
      const double p = std::exp(truth.log_p[i]);
      CHECK(std::abs(count[i] - double(draws) * p) < 5 * std::sqrt(double(draws) * p * (1 - p)) + 1);
    }
  }
}

TEST_CASE("gradients of every likelihood match differences, to the decoder's output, the data and a learned scale") {
  for (const LikelihoodCase& one : likelihood_cases()) {
    CAPTURE(one.settings);
    Subject s(one.settings);
    ad::Parameter& h = s.store.add("h", {kRows, s->outputs()}, ad::init::normal(0, 1));
    const std::vector<Real> x = synthetic(one.values, kRows, kSize);
    const ad::GradcheckReport report = gradcheck_parameters(s.store, [&](Tape& tape) {
      return s->log_prob(Context{tape, true, Key(1)}, tape.parameter(h), tape.constant({kRows, kSize}, x));
    });
    CHECK_MESSAGE(report.passed, report.text());
  }
}

TEST_CASE("describe() states the likelihood with its scale in short numbers") {
  CHECK(Subject(R"("bernoulli")")->describe() == "Bernoulli on logits");
  CHECK(Subject(R"({"name": "gaussian", "sigma": 0.21})")->describe() == "Gaussian, sigma 0.21 (fixed)");
  CHECK(Subject(R"({"name": "laplace", "sigma": 0.1, "scale": "learned"})")->describe() == "Laplace, scale 0.1 (learned)");
  CHECK(Subject(R"({"name": "discretized_logistic", "bins": 16})")->describe() ==
        "discretised logistic with 16 bins, location and scale per dimension");
  Subject optimal(R"({"name": "gaussian", "scale": "optimal"})");
  optimal.value("mean_error") = Real(0.0441);
  CHECK(optimal->describe() == "Gaussian, sigma 0.21 (optimal)");
}

TEST_CASE("likelihoods say whether they are probabilities, and of which values") {
  for (const LikelihoodCase& one : likelihood_cases()) {
    CAPTURE(one.settings);
    Subject s(one.settings);
    CHECK(s->discrete() == (one.values == LikelihoodCase::Values::binary || one.values == LikelihoodCase::Values::grid));
    CHECK(s->binary() == (one.values == LikelihoodCase::Values::binary));
    const bool mixture = one.settings.find("mixture") != std::string::npos;
    const bool two = one.values == LikelihoodCase::Values::grid || one.settings.find("zero_inflated") != std::string::npos;
    CHECK(s->outputs() == (mixture ? 6 * kSize : two ? 2 * kSize : kSize));
  }
}

TEST_CASE("a scale that would be raised in silence is refused") {
  CHECK_THROWS_AS(Subject(R"({"name": "gaussian", "sigma": 0})"), ConfigError);
  CHECK_THROWS_AS(Subject(R"({"name": "gaussian", "sigma": 1e-7})"), ConfigError);
}

TEST_CASE("likelihoods: what does not fit the data is refused, and bins follow the data's levels") {
  const auto refused = [](const char* likelihood, const DataSpec& data) {
    return message_of([&] { build("vae", std::string(R"({"likelihood": )") + likelihood + "}", data); });
  };
  const DataSpec digits{.height = 8, .width = 8, .levels = 17, .name = "digits"};
  const DataSpec grey{.height = 8, .width = 8, .name = "grey"}, real{.width = 5, .unit_interval = false};
  CHECK(refused(R"({"name": "discretized_logistic", "bins": 4})", digits) ==
        "model.likelihood.bins: 4, but digits has 17 levels; leave bins out, and they follow the data");
  CHECK(refused(R"({"name": "discretized_logistic", "bins": 256})", grey) ==
        "model.likelihood: discretized_logistic needs values on equal steps, such as bytes / 255, but grey has real numbers, which "
        "have no probability; choose gaussian or laplace");
  CHECK(refused(R"("discretized_logistic")", real).find("needs data in [0, 1]") != std::string::npos);
  CHECK(refused(R"({"name": "discretized_logistic", "bins": 17})", digits) == "");
  CHECK(build("vae", R"({"likelihood": "discretized_logistic"})", digits).model->describe().find("with 17 bins") != std::string::npos);
  for (const ModelEntry& entry : model_registry()) {  // each asks
    CAPTURE(std::string(entry.name));
    const std::string sentence = message_of(
        [&] { build_small(entry, R"({"name": "discretized_logistic", "bins": 4})", data_spec(LikelihoodCase::Values::grid)); });
    CHECK(sentence.starts_with("model.likelihood.bins: 4, but this data set has 16 levels"));
  }
}

TEST_CASE("with a mask log p is that of the observed numbers alone, whatever stands in the others, and so is its gradient") {
  for (const LikelihoodCase& one : likelihood_cases()) {
    CAPTURE(one.settings);
    const nlohmann::json settings = nlohmann::json::parse(one.settings);
    Subject s(one.settings), single(one.settings, 1);
    const Index outputs = s->outputs() / kSize, rows = 3 * kRows;  // three rows of h for each of x
    std::vector<Real> h = normal_numbers(rows * s->outputs(), 3), x(kRows * kSize), mask(kRows * kSize);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<Real>(i % 16) / 15;
      mask[i] = i % 3 == 1 ? 0 : 1;
      if (mask[i] == 0) x[i] = 1e6;
    }
    Tape tape;
    const Context c{tape, false, Key(1)};
    ad::ParameterStore store{Key(1)};
    ad::Parameter& p = ad::Parameters(store).add("h", Shape{rows, s->outputs()}, ad::init::constant(0));
    std::ranges::copy(h, p.value().begin());
    const Var log_p = s->log_prob(c, tape.parameter(p), tape.constant({kRows, kSize}, x), tape.constant({kRows, kSize}, mask));
    REQUIRE(log_p.shape() == Shape{rows});
    for (Index r = 0; r < rows; ++r) {
      double sum = 0;
      for (Index d = 0; d < kSize; ++d) {
        const auto i = static_cast<std::size_t>(r / 3 * kSize + d);
        if (mask[i] == 0) continue;
        std::vector<Real> one_h;
        for (Index k = 0; k < outputs; ++k) one_h.push_back(h[static_cast<std::size_t>(r * s->outputs() + k * kSize + d)]);
        sum += double(single->log_prob(c, tape.constant({1, outputs}, one_h), tape.constant({1, 1}, std::span<const Real>(&x[i], 1))).item());
      }
      CHECK(std::abs(double(log_p.data()[r]) - sum) < 3 * kTolerance * std::max(10.0, std::abs(sum)));
    }
    tape.backward(sum(log_p));
    for (Index i = 0; i < rows * s->outputs(); ++i) {
      const Index r = i / s->outputs(), d = i % kSize;
      if (mask[static_cast<std::size_t>(r / 3 * kSize + d)] == 0) CHECK(p.gradient()[static_cast<std::size_t>(i)] == 0);
    }
  }
}

TEST_CASE("the optimal scale of masked data is the root mean square of the observed errors") {
  Subject s(R"({"name": "gaussian", "scale": "optimal"})");
  std::vector<Real> h(kRows * kSize, 0), x = normal_numbers(kRows * kSize, 9, 2), mask(kRows * kSize, 1);
  double squares = 0, count = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (i % 4 == 0) mask[i] = 0, x[i] = 100;
    else squares += double(x[i]) * double(x[i]), ++count;
  }
  Tape tape;
  const Shape shape{kRows, kSize};
  const Var log_p = s->log_prob(Context{tape, true, Key(1)}, tape.constant(shape, h), tape.constant(shape, x), tape.constant(shape, mask));
  const double variance = squares / count;
  CHECK(double(sum(log_p).item()) == doctest::Approx(-0.5 * count * (1 + std::log(2 * std::numbers::pi * variance))).epsilon(kTolerance));
  tape.commit();
  CHECK(double(s.value("mean_error")) == doctest::Approx(variance).epsilon(kTolerance));
}

namespace {

/// log p(x | h) of one number, the decoder's numbers for it being h.
double log_p_of(const std::string& settings, std::vector<Real> h, double x) {
  Subject s(settings, 1);
  Tape tape(ad::Grad::off);
  const std::vector<Real> value{static_cast<Real>(x)};
  return double(s->log_prob(Context{tape, false, Key(1)}, tape.constant({1, std::ssize(h)}, h), tape.constant({1, 1}, value)).item());
}

/// The integral of f over [a, b] by Simpson's rule.
template <class F>
double integral(double a, double b, F f) {
  constexpr int n = 4000;
  double total = f(a) + f(b);
  for (int i = 1; i < n; ++i) total += (i % 2 == 1 ? 4 : 2) * f(a + (b - a) * i / n);
  return total * (b - a) / (3 * n);
}

/// Kolmogorov's distance of samples and distribution function, times sqrt(n): above 2.2 it is not chance (1 in 8000).
template <class F>
double kolmogorov(const std::string& settings, std::vector<Real> row, F cdf) {
  constexpr Index draws = 20'000;
  Subject s(settings, 1);
  Tape tape(ad::Grad::off);
  std::vector<Real> h;
  for (Index i = 0; i < draws; ++i) h.insert(h.end(), row.begin(), row.end());
  const Var x = s->sample(Context{tape, false, Key(77)}, tape.constant({draws, std::ssize(row)}, h));
  std::vector<Real> sorted(x.value().begin(), x.value().end());
  std::ranges::sort(sorted);
  double worst = 0;
  for (Index i = 0; i < draws; ++i) {
    const double f = cdf(double(sorted[static_cast<std::size_t>(i)]));
    worst = std::max({worst, std::abs(f - double(i) / draws), std::abs(f - double(i + 1) / draws)});
  }
  return worst * std::sqrt(double(draws));
}

}  // namespace

TEST_CASE("continuous Bernoulli: the normaliser, the mean and the density have their values") {  // computed with 25 digits
  struct Case {
    double a, log_constant, mean;
  };
  for (const Case& c : {Case{1e-4, .693147181, .500008333}, Case{.1, .693980028, .508331945}, Case{1, .771936833, .581976707}, Case{5, 1.622914010, .806783655},
                        Case{20, 2.995732278, .95}, Case{100, 4.605170186, .99}})
    for (const double sign : {1.0, -1.0}) {
      CAPTURE(c.a);
      const std::vector<Real> h{static_cast<Real>(sign * c.a)};
      CHECK(std::abs(log_p_of(R"("continuous_bernoulli")", h, 0) + std::log1p(std::exp(-c.a)) + (sign > 0 ? c.a : 0) - c.log_constant) < (kFloat ? 1e-5 : 2e-9));
      Subject s(R"("continuous_bernoulli")", 1);
      Tape tape;
      CHECK(double(s->mean(tape.constant({1, 1}, h)).item()) == doctest::Approx(sign > 0 ? c.mean : 1 - c.mean).epsilon(kFloat ? 2e-6 : 1e-8));
    }
  CHECK(log_p_of(R"("continuous_bernoulli")", {1}, 0.3) == doctest::Approx(-.241324855).epsilon(1e-5));
  CHECK(log_p_of(R"("continuous_bernoulli")", {5}, 0.3) == doctest::Approx(-1.883801338).epsilon(1e-6));
  for (const double a : {-8.0, -0.49, -0.51, 0.2, 3.0}) {
    const std::vector<Real> h{static_cast<Real>(a)};
    CHECK(integral(0, 1, [&](double x) { return std::exp(log_p_of(R"("continuous_bernoulli")", h, x)); }) == doctest::Approx(1).epsilon(1e-5));
    CHECK(kolmogorov(R"("continuous_bernoulli")", h, [a](double x) { return std::expm1(a * x) / std::expm1(a); }) < 2.2);
  }
  CHECK(kolmogorov(R"("continuous_bernoulli")", {Real(1e-5)}, [](double x) { return x; }) < 2.2);
}

TEST_CASE("Student's t and log-cosh: densities of integral one whose samples follow them") {
  const std::string cauchy = R"({"name": "student_t", "degrees": 1, "scale": "fixed", "sigma": 0.7})", secant = R"({"name": "log_cosh", "scale": "fixed", "sigma": 0.7})";
  CHECK(log_p_of(cauchy, {Real(0.4)}, 2) == doctest::Approx(-std::log(std::numbers::pi * 0.7 * (1 + std::pow(1.6 / 0.7, 2)))).epsilon(1e-5));
  CHECK(log_p_of(secant, {Real(0.4)}, 2) == doctest::Approx(-std::log(std::numbers::pi * 0.7 * std::cosh(1.6 / 0.7))).epsilon(1e-5));
  CHECK(std::isfinite(log_p_of(secant, {Real(0)}, 1e6)));
  for (const double degrees : {2.5, 4.0, 30.0}) {
    const std::string t = R"({"name": "student_t", "scale": "fixed", "sigma": 0.7, "degrees": )" + std::to_string(degrees) + "}";
    const auto density = [&](double x) { return std::exp(log_p_of(t, {Real(0.4)}, x)); };
    CHECK(integral(-200, 200, density) == doctest::Approx(1).epsilon(2e-3));
    const auto cdf = [&](double x) {  // by the substitution x = 0.4 + 0.7 tan(theta)
      return integral(-std::numbers::pi / 2 + 1e-9, std::atan((x - 0.4) / 0.7), [&](double a) {
        const double u = std::tan(a);
        return std::exp(std::lgamma((degrees + 1) / 2) - std::lgamma(degrees / 2)) / std::sqrt(std::numbers::pi * degrees) *
               std::pow(1 + u * u / degrees, -(degrees + 1) / 2) * (1 + u * u);
      });
    };
    if (degrees == 4) CHECK(kolmogorov(t, {Real(0.4)}, [&, table = [&] {
                              std::vector<double> f;
                              for (int i = 0; i <= 400; ++i) f.push_back(cdf(0.4 + 0.7 * std::tan(-1.55 + 3.1 * i / 400)));
                              return f;
                            }()](double x) {
                              const double at = std::clamp((std::atan((x - 0.4) / 0.7) + 1.55) / 3.1 * 400, 0.0, 399.999);
                              const auto i = static_cast<std::size_t>(at);
                              return table[i] + (at - double(i)) * (table[i + 1] - table[i]);
                            }) < 2.2);
  }
  CHECK(integral(-20, 20, [&](double x) { return std::exp(log_p_of(secant, {Real(0.4)}, x)); }) == doctest::Approx(1).epsilon(1e-5));
  CHECK(kolmogorov(secant, {Real(0.4)}, [](double x) { return 2 / std::numbers::pi * std::atan(std::exp((x - 0.4) / 0.7)); }) < 2.2);
}

TEST_CASE("counts: probabilities that add up to one, with the mean and variance that the samples have") {  // |z| < 5
  for (const double rate : {0.3, 4.0, 60.0}) {
    const std::vector<Real> h{static_cast<Real>(std::log(rate))};
    for (const std::string name : {"poisson", "negative_binomial"}) {
      CAPTURE(name);
      CAPTURE(rate);
      const std::string settings = R"({"name": ")" + name + (name == "poisson" ? R"("})" : R"(", "dispersion": 2.5})");
      double total = 0, mean = 0, square = 0;
      for (int k = 0; k < 1200; ++k) {
        const double p = std::exp(log_p_of(settings, h, k));
        total += p;
        mean += p * k;
        square += p * k * double(k);
      }
      const double variance = name == "poisson" ? rate : rate + rate * rate / 2.5;
      CHECK(total == doctest::Approx(1).epsilon(1e-4));
      CHECK(mean == doctest::Approx(rate).epsilon(1e-4));
      CHECK(square - mean * mean == doctest::Approx(variance).epsilon(2e-3));
      Subject s(settings, 1);
      Tape tape(ad::Grad::off);
      const Var at = tape.constant({50'000, 1}, h[0]), x = s->sample(Context{tape, false, Key(5)}, at);
      CHECK(double(s->mean(at).data()[0]) == doctest::Approx(rate).epsilon(1e-5));
      Sample first, second;
      for (const Real v : x.value()) {
        first.add(double(v));
        second.add(std::pow(double(v) - rate, 2));
      }
      CHECK(std::abs(first.z(rate)) < 5);
      CHECK(std::abs(second.z(variance)) < 5);
    }
  }
}

TEST_CASE("mixture of discretised logistics: one component twice is that component; the bins add up to one and are drawn as often") {
  const std::string two = R"({"name": "discretized_logistic_mixture", "components": 2})";
  const double single = log_p_of(R"({"name": "discretized_logistic", "bins": 16})", {Real(0.3), Real(0.1)}, 0.4);
  CHECK(log_p_of(two, {2, -1, Real(0.3), Real(0.3), Real(0.1), Real(0.1)}, 0.4) == doctest::Approx(single).epsilon(1e-5));
  const std::vector<Real> h{Real(0.5), Real(-0.5), Real(-2), Real(1.5), Real(0), Real(0.2)};
  std::array<double, 16> p{};
  double total = 0;
  for (std::size_t k = 0; k < 16; ++k) total += p[k] = std::exp(log_p_of(two, h, double(k) / 15));
  CHECK(total == doctest::Approx(1).epsilon(1e-4));
  constexpr Index draws = 50'000;
  Subject s(two, 1);
  Tape tape(ad::Grad::off);
  std::vector<Real> rows;
  for (Index i = 0; i < draws; ++i) rows.insert(rows.end(), h.begin(), h.end());
  std::array<double, 16> count{};
  for (const Real v : s->sample(Context{tape, false, Key(8)}, tape.constant({draws, 6}, rows)).value()) count[static_cast<std::size_t>(std::lround(15 * double(v)))] += 1;
  for (std::size_t k = 0; k < 16; ++k) CHECK(std::abs(count[k] - draws * p[k]) < 5 * std::sqrt(draws * p[k] * (1 - p[k])) + 1);
}

TEST_CASE("negative binomial and zero-inflated: known values; no zeros of another origin gives the plain one") {
  struct Known {
    double x, mean, dispersion, plain, inflated, hardly;  // with logits .3 and -5 of the other zeros
  };
  const auto plain = [](double t) { return R"({"name": "negative_binomial", "dispersion": )" + std::to_string(t) + "}"; };
  const auto inflated = [](double t) { return R"({"name": "zero_inflated_negative_binomial", "dispersion": )" + std::to_string(t) + "}"; };
  for (const Known& k : {Known{0, 1, 1, -.693147181, -.239245929, -.686476627}, Known{3, 2, .5, -2.637300420, -3.491655664, -2.644015768}}) {
    const Real log_mean = static_cast<Real>(std::log(k.mean));
    CHECK(log_p_of(plain(k.dispersion), {log_mean}, k.x) == doctest::Approx(k.plain).epsilon(1e-5));
    CHECK(log_p_of(inflated(k.dispersion), {log_mean, Real(.3)}, k.x) == doctest::Approx(k.inflated).epsilon(1e-5));
    CHECK(log_p_of(inflated(k.dispersion), {log_mean, -5}, k.x) == doctest::Approx(k.hardly).epsilon(1e-5));
    CHECK(log_p_of(inflated(k.dispersion), {log_mean, -60}, k.x) == doctest::Approx(k.plain).epsilon(1e-5));
  }
  CHECK(log_p_of(plain(10), {static_cast<Real>(std::log(.001))}, 0) == doctest::Approx(-9.99950003e-4).epsilon(1e-4));
  CHECK(log_p_of(plain(2), {static_cast<Real>(std::log(50))}, 100) == doctest::Approx(-5.823143875).epsilon(1e-5));
  double total = 0, mean = 0;
  for (int x = 0; x < 400; ++x) {
    const double p = std::exp(log_p_of(inflated(1.5), {Real(1), Real(.4)}, x));
    total += p, mean += p * x;
  }
  CHECK(total == doctest::Approx(1).epsilon(1e-4));
  Subject s(inflated(1.5), 1);
  Tape tape(ad::Grad::off);
  const std::vector<Real> h{Real(1), Real(.4)};
  CHECK(double(s->mean(tape.constant({1, 2}, h)).item()) == doctest::Approx(mean).epsilon(1e-4));
  std::vector<Real> rows;
  for (int i = 0; i < 50'000; ++i) rows.insert(rows.end(), h.begin(), h.end());
  Sample drawn;  // |z| < 5
  for (const Real v : s->sample(Context{tape, false, Key(4)}, tape.constant({50'000, 2}, rows)).value()) drawn.add(double(v));
  CHECK(std::abs(drawn.z(mean)) < 5);
}

TEST_CASE("multinomial: the probabilities of all ways to place 4 counts on 3 columns add up to one; a mask leaves a column out") {
  const std::vector<Real> h{Real(.5), Real(-1), Real(.2)};
  Subject s(R"({"name": "multinomial"})", 3);
  Tape tape(ad::Grad::off);
  const Context c{tape, false, Key(4)};
  double total = 0, without = 0;
  for (int a = 0; a <= 4; ++a)
    for (int b = 0; a + b <= 4; ++b) {
      const std::vector<Real> x{static_cast<Real>(a), static_cast<Real>(b), static_cast<Real>(4 - a - b)};
      total += std::exp(double(s->log_prob(c, tape.constant({1, 3}, h), tape.constant({1, 3}, x)).item()));
      if (a > 0) continue;
      const std::vector<Real> mask{0, 1, 1};
      without += std::exp(double(s->log_prob(c, tape.constant({1, 3}, h), tape.constant({1, 3}, x), tape.constant({1, 3}, mask)).item()));
    }
  CHECK(total == doctest::Approx(1).epsilon(1e-5));
  CHECK(without == doctest::Approx(1).epsilon(1e-5));
  // By hand: 4! / (2! 1! 1!) p_1^2 p_2 p_3.
  const std::vector<Real> x{2, 1, 1};
  const Var share = s->mean(tape.constant({1, 3}, h));
  const double by_hand = std::log(12 * std::pow(double(share.data()[0]), 2) * double(share.data()[1]) * double(share.data()[2]));
  CHECK(double(s->log_prob(c, tape.constant({1, 3}, h), tape.constant({1, 3}, x)).item()) == doctest::Approx(by_hand).epsilon(1e-5));
  // One x for two rows of h.
  std::vector<Real> two = h;
  two.insert(two.end(), h.begin(), h.end());
  CHECK(double(s->log_prob(c, tape.constant({2, 3}, two), tape.constant({1, 3}, x)).data()[1]) == doctest::Approx(by_hand).epsilon(1e-5));
}

TEST_CASE("counts are refused where the data are none") {
  for (const std::string name : {"poisson", "negative_binomial"})
    CHECK(message_of([&] { build("vae", R"({"likelihood": ")" + name + R"("})", DataSpec{.width = 4, .unit_interval = false}); }).find("needs counts, whole numbers from 0 on") !=
          std::string::npos);
}
