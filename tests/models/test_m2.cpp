// The semi-supervised VAE with a class that is summed out.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <map>
#include <numbers>

#include "autodiff/gradcheck.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;
using Values = LikelihoodCase::Values;

namespace {

constexpr Index kSize = 3, kTwo = 2;
constexpr double kSigma = 0.5;
constexpr std::array<double, kSize> kW{0.8, -0.4, 1.1};
constexpr std::array<std::array<double, kSize>, kTwo> kB{{{0.5, 0, -0.2}, {-0.1, 0.9, 0.3}}};

double dot(const std::array<double, kSize>& a, const std::array<double, kSize>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}
double posterior_variance() { return 1 / (1 + dot(kW, kW) / (kSigma * kSigma)); }  // of p(z | x, y)
/// Sigma^-1 a, Sigma = w w^T + sigma^2 I.
std::array<double, kSize> precision_times(const std::array<double, kSize>& a) {
  std::array<double, kSize> out{};
  const double s2 = kSigma * kSigma;
  for (std::size_t i = 0; i < a.size(); ++i) out[i] = (a[i] - kW[i] * dot(kW, a) * posterior_variance() / s2) / s2;
  return out;
}
/// log N(x; b_y, Sigma).
double log_density(std::array<double, kSize> x, std::size_t y) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] -= kB[y][i];
  const double log_determinant = 2 * kSize * std::log(kSigma) - std::log(posterior_variance());
  return -0.5 * (dot(x, precision_times(x)) + log_determinant + kSize * std::log(2 * std::numbers::pi));
}

/// p(x | y) = N(b_y, w w^T + sigma^2 I) and two classes of equal weight, with the exact q(z | x, y) and q(y | x).
Built exact_m2() {
  const DataSpec data{.height = 1, .width = kSize, .channels = 1, .classes = kTwo, .unit_interval = false};
  Built built = build("m2", R"({"latent_dim": 1, "encoder": {"hidden": []}, "decoder": {"hidden": []}, "classifier": {"hidden": []}, "alpha": 0,
                               "likelihood": {"name": "gaussian", "sigma": 0.5}})", data);
  const auto set = [&](const char* path, const std::vector<double>& values) {
    const std::span<Real> to = built.values(path);
    REQUIRE(to.size() == values.size());
    for (std::size_t i = 0; i < values.size(); ++i) to[i] = static_cast<Real>(values[i]);
  };
  std::vector<double> decoder, mean, logits, offsets;
  for (std::size_t i = 0; i < kSize; ++i) decoder.insert(decoder.end(), {kW[i], kB[0][i], kB[1][i]});  // of z, y = 0, y = 1
  const double v = posterior_variance(), s2 = kSigma * kSigma;
  for (const double w : kW) mean.push_back(v * w / s2);
  for (const auto& b : kB) mean.push_back(-v * dot(kW, b) / s2);
  mean.resize(2 * mean.size());  // the log variance depends on nothing
  for (const auto& b : kB) {
    const auto row = precision_times(b);
    logits.insert(logits.end(), row.begin(), row.end());
    offsets.push_back(-0.5 * dot(b, row));
  }
  set("decoder/output/weight", decoder);
  set("decoder/output/bias", {0, 0, 0});
  set("encoder/head/weight", mean);
  set("encoder/head/bias", {0, std::log(v)});
  set("classifier/head/weight", logits);
  set("classifier/head/bias", offsets);
  return built;
}

Minibatch with_labels(Tape& tape, std::span<const Real> x, std::span<const int> labels) {
  const Index count = std::ssize(labels);
  return {.x = tape.constant({count, std::ssize(x) / count}, x), .labels = labels};
}

}  // namespace

TEST_CASE("m2: where the posterior is exact every importance weight is p(x), and -U(x) is log p(x)") {
  const Built built = exact_m2();
  const std::array<double, kSize> point{0.3, 0.7, -0.1};
  const std::vector<Real> x(point.begin(), point.end());
  const double log_0 = log_density(point, 0), log_1 = log_density(point, 1);
  const double log_p = std::log(0.5 * (std::exp(log_0) + std::exp(log_1)));
  const std::vector<int> unknown{-1};
  Tape tape(ad::Grad::off);
  const Var log_w = built.model->log_weights({tape, false, Key(2)}, with_labels(tape, x, unknown), 200);
  for (const Real w : log_w.value()) CHECK(double(w) == doctest::Approx(log_p).epsilon(2e-5));
  Sample elbo, labelled;  // over the noise of z
  const std::vector<int> one{1};
  for (std::uint64_t draw = 0; draw < 4000; ++draw) {
    tape.reset();
    elbo.add(-double(built.model->objective({tape, false, Key(3).fold(draw)}, with_labels(tape, x, unknown)).loss.item()));
    labelled.add(-double(built.model->objective({tape, false, Key(4).fold(draw)}, with_labels(tape, x, one)).loss.item()));
  }
  CHECK(std::abs(elbo.z(log_p)) < 5);
  CHECK(std::abs(labelled.z(std::log(0.5) + log_1)) < 5);  // log p(x, y = 1)
  CHECK(elbo.standard_error() < 0.02);
}

TEST_CASE("m2: the objective of a batch is the mean of L + alpha CE with a label and of U without; elbo looks at no label") {
  const Built built = build_small(find_model("m2"), R"("bernoulli")", data_spec(Values::binary), R"({"alpha": 2.5})");
  const std::vector<Real> x = synthetic(Values::binary, 1);
  Tape tape(ad::Grad::off);
  const auto objective = [&](int label) {
    tape.reset();
    const std::vector<int> labels{label};
    const Objective o = built.model->objective({tape, true, Key(3)}, with_labels(tape, x, labels));
    std::map<std::string, double> terms{{"loss", double(o.loss.item())}};
    for (const Term& t : o.report()) terms[t.name] = double(t.value.item());
    return terms;
  };
  // U from the L(x, y) and q(y | x) of the labelled ones: the noise of a batch of one is the same.
  double expected = 0, total = 0;
  for (int y = 0; y < kClasses; ++y) {
    auto terms = objective(y);
    const double q = std::exp(-terms["classifier_loss"]), loss = terms["kl"] - terms["reconstruction"];
    CHECK(terms["loss"] == doctest::Approx(loss + 2.5 * terms["classifier_loss"]).epsilon(1e-5));
    expected += q * (loss + std::log(q));
    total += q;
  }
  CHECK(total == doctest::Approx(1).epsilon(1e-5));
  auto unlabelled = objective(-1);
  CHECK(unlabelled["loss"] == doctest::Approx(expected).epsilon(1e-5));
  CHECK(unlabelled["classifier_loss"] == 0);
  const std::vector<int> none{-1}, some{2};
  tape.reset();
  const ElboTerms a = built.model->elbo({tape, false, Key(3)}, with_labels(tape, x, none), Code::sample);
  const ElboTerms b = built.model->elbo({tape, false, Key(3)}, with_labels(tape, x, some), Code::sample);
  CHECK(a.reconstruction.data()[0] - a.kl.data()[0] == b.reconstruction.data()[0] - b.kl.data()[0]);
  CHECK(double(a.kl.data()[0] - a.reconstruction.data()[0]) == doctest::Approx(expected).epsilon(1e-5));
}

TEST_CASE("m2: accuracy counts the labelled examples, and a code takes the label or else the likeliest class") {
  const Built built = exact_m2();
  const std::vector<Real> x{Real(0.5), 0, Real(-0.2), Real(-0.1), Real(0.9), Real(0.3), Real(0.5), 0, Real(-0.2)};  // b_0, b_1, b_0
  const std::vector<int> labels{0, 0, -1}, none{-1, -1, -1}, likeliest{0, 1, 0};
  Tape tape(ad::Grad::off);
  const Objective o = built.model->objective({tape, false, Key(3)}, with_labels(tape, x, labels));
  for (const Term& t : o.report())
    if (std::string(t.name) == "accuracy") CHECK(t.value.item() == Real(0.5));
  const Var known = built.model->encode({tape, false, Key(3)}, with_labels(tape, x, labels));
  const Var guessed = built.model->encode({tape, false, Key(3)}, with_labels(tape, x, none));
  const Var by_class = built.model->encode({tape, false, Key(3)}, with_labels(tape, x, likeliest));
  CHECK(std::ranges::equal(guessed.value(), by_class.value()));
  CHECK(known.data()[1] != guessed.data()[1]);
  CHECK(known.data()[2] == guessed.data()[2]);
}

#ifdef VAEZOO_DOUBLE
TEST_CASE("m2: gradients of a batch in which labels are missing") {
  const Built built = build_small(find_model("m2"), R"("bernoulli")", data_spec(Values::binary), R"({"alpha": 2.5})");
  const std::vector<Real> x = synthetic(Values::binary, 4);
  const std::vector<int> labels{-1, 2, -1, 0};
  const ad::GradcheckReport report = gradcheck_parameters(
      *built.store, [&](Tape& tape) { return built.model->objective({tape, true, Key(6)}, with_labels(tape, x, labels)).loss; });
  CHECK_MESSAGE(report.passed, report.text());
}
#endif

TEST_CASE("m2 needs labels, and a conditional VAE all of them") {
  DataSpec data = data_spec(Values::binary);
  data.unlabelled = 5;
  CHECK_NOTHROW(build("m2", "{}", data));
  CHECK(message_of([&] { build("conditional_vae", "{}", data); }).find("5 training examples have no label") != std::string::npos);
  data.classes = 0;
  CHECK(message_of([&] { build("m2", "{}", data); }).find("m2 needs data with labels") != std::string::npos);
}
