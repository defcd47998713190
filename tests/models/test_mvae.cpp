// The multimodal VAE of image and label, either of which may be missing.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "autodiff/gradcheck.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;
using Values = LikelihoodCase::Values;

namespace {

constexpr Index kCount = 9;
constexpr double kTolerance = sizeof(Real) == 4 ? 3e-5 : 1e-11;

Built small(const std::string& extra = "{}") {
  const LikelihoodCase& one = likelihood_cases()[1];  // Gaussian, sigma 0.5
  return build_small(find_model("mvae"), one.settings, data_spec(one.values), extra);
}

/// Rows 0, 3, 6 have only the label, rows 1, 4, 7 only x, the others both. Hidden numbers are `hidden`, which nothing may look at.
struct Partly {
  std::vector<Real> x = synthetic(Values::real, kCount);
  std::vector<int> labels;
  std::vector<std::uint8_t> observed;

  explicit Partly(bool all = false, Real hidden = 0) {
    for (Index i = 0; i < kCount; ++i) {
      labels.push_back(!all && i % 3 == 1 ? -1 : static_cast<int>(i / 3));
      observed.push_back(all || i % 3 != 0);
      if (observed.back() == 0) std::fill_n(x.begin() + i * kDimension, kDimension, hidden);
    }
  }
  Minibatch on(Tape& tape) const { return {.x = tape.constant({kCount, kDimension}, x), .labels = labels, .observed = observed}; }
};

double term(const Objective& o, const std::string& name) {
  for (const Term& t : o.report())
    if (name == t.name) return double(t.value.item());
  FAIL("no term " << name);
  return 0;
}

std::vector<Real> gradient(const Built& built, const Minibatch& batch, Tape& tape) {
  built.store->zero_grad();
  tape.backward(built.model->objective({tape, true, Key(4)}, batch).loss);
  std::vector<Real> g;
  for (ad::Parameter& p : built.store->all()) g.insert(g.end(), p.gradient().begin(), p.gradient().end());
  return g;
}

}  // namespace

TEST_CASE("mvae: the loss is the sum of the bounds of what each example has, with weight 1 of the label") {
  const Built built = small(R"({"label_weight": 1})");
  for (const bool all : {true, false}) {
    Tape tape;
    const Objective o = built.model->objective({tape, true, Key(4)}, Partly(all).on(tape));
    const double both = all ? 9 : 3, x = all ? 9 : 6, y = all ? 9 : 6;
    const double expected = both * term(o, "joint_elbo") + x * (term(o, "reconstruction") - term(o, "kl")) + y * term(o, "label_elbo");
    CHECK(double(o.loss.item()) == doctest::Approx(-expected / kCount).epsilon(kTolerance));
  }
}

TEST_CASE("mvae: what was not observed has no influence, on the loss or on a gradient") {
  const Built built = small();
  const auto result = [&](Real hidden) {
    const Partly partly(false, hidden);
    Tape tape;
    return gradient(built, partly.on(tape), tape);
  };
  CHECK(result(0) == result(1000));

  // Without any x no weight of the encoder or decoder learns, without any label none of the label's networks.
  const auto reached = [&](bool with_x, bool with_y) {
    Partly partly(true);
    if (!with_x) partly.observed.assign(kCount, 0);
    if (!with_y) partly.labels.assign(kCount, -1);
    Tape tape;
    gradient(built, partly.on(tape), tape);
    std::array<bool, 2> found{};
    for (ad::Parameter& p : built.store->all())
      for (const Real g : p.gradient()) found[p.path().starts_with("label_")] |= g != 0;
    return found;
  };
  CHECK(reached(true, false) == std::array{true, false});
  CHECK(reached(false, true) == std::array{false, true});
  CHECK(reached(true, true) == std::array{true, true});
}

TEST_CASE("mvae: the joint bound is that of the product of experts, by quadrature") {  // |z| < 5
  // One latent dimension and linear networks, so that experts and p(y | z) are known from the weights [out, in].
  const Built built = small(R"({"latent_dim": 1, "label_hidden": []})");
  const std::vector<Real> x = synthetic(Values::real, 1);
  const int y = 1;
  const std::vector<int> label{y};
  const auto number = [&](const char* path, Index i) { return double(built.values(path)[static_cast<std::size_t>(i)]); };
  Tape tape(ad::Grad::off);
  const Context c{tape, false, Key(1)};
  const DiagonalNormal q_x = built.model->posterior(c, {.x = tape.constant({1, kDimension}, x)});
  const double mean_y = number("label_encoder/0/weight", y) + number("label_encoder/0/bias", 0),
               precision_y = std::exp(-(number("label_encoder/0/weight", kClasses + y) + number("label_encoder/0/bias", 1)));
  const double precision_x = std::exp(-double(q_x.log_variance.item()));
  const double precision = precision_x + precision_y, mean = (double(q_x.mean.item()) * precision_x + mean_y * precision_y) / precision;

  constexpr Index steps = 4001;
  std::vector<Real> grid(static_cast<std::size_t>(steps));
  for (Index i = 0; i < steps; ++i) grid[static_cast<std::size_t>(i)] = static_cast<Real>(mean + (double(i) / (steps - 1) - 0.5) * 20 / std::sqrt(precision));
  const Var decoded = built.model->decode(c, tape.constant({steps, 1}, grid), {});
  double expected = 0, total = 0;
  for (Index i = 0; i < steps; ++i) {
    const double z = double(grid[static_cast<std::size_t>(i)]);
    double log_p = -0.5 * z * z - 0.91893853320467274;
    for (Index d = 0; d < kDimension; ++d) {
      const double e = (double(x[static_cast<std::size_t>(d)]) - double(decoded.data()[i * kDimension + d])) / 0.5;
      log_p += -0.5 * e * e - std::log(0.5) - 0.91893853320467274;
    }
    std::array<double, kClasses> logits{};
    double largest = -1e300, sum = 0;
    for (Index k = 0; k < kClasses; ++k) {
      logits[static_cast<std::size_t>(k)] = z * number("label_decoder/0/weight", k) + number("label_decoder/0/bias", k);
      largest = std::max(largest, logits[static_cast<std::size_t>(k)]);
    }
    for (const double l : logits) sum += std::exp(l - largest);
    log_p += logits[y] - largest - std::log(sum);
    const double log_q = -0.5 * precision * (z - mean) * (z - mean) + 0.5 * std::log(precision) - 0.91893853320467274;
    const double width = 20 / std::sqrt(precision) / (steps - 1);
    expected += std::exp(log_q) * (log_p - log_q) * width;
    total += std::exp(log_q) * width;
  }
  CHECK(total == doctest::Approx(1).epsilon(1e-5));
  Sample joint;
  for (std::uint64_t key = 0; key < 4000; ++key) {
    Tape each(ad::Grad::off);
    joint.add(term(built.model->objective({each, false, Key(key)}, {.x = each.constant({1, kDimension}, x), .labels = label}), "joint_elbo"));
  }
  CHECK(std::abs(joint.z(expected)) < 5);
}

TEST_CASE("mvae: codes given a label are draws of the label's expert times the prior") {  // |z| < 5
  constexpr Index count = 20000;
  const Built built = small(R"({"latent_dim": 1, "label_hidden": []})");
  const auto number = [&](const char* path, Index i) { return double(built.values(path)[static_cast<std::size_t>(i)]); };
  for (const int y : {0, 2}) {
    const double mean_y = number("label_encoder/0/weight", y) + number("label_encoder/0/bias", 0),
                 precision_y = std::exp(-(number("label_encoder/0/weight", kClasses + y) + number("label_encoder/0/bias", 1)));
    const std::vector<int> labels(static_cast<std::size_t>(count), y);
    Tape tape(ad::Grad::off);
    const Var z = built.model->sample_prior({tape, false, Key(5)}, count, {.labels = labels});
    Sample first, second;
    const double mean = mean_y * precision_y / (1 + precision_y);
    for (Index i = 0; i < count; ++i) {
      const double d = double(z.data()[i]) - mean;
      first.add(d);
      second.add(d * d);
    }
    CHECK(std::abs(first.z(0)) < 5);
    CHECK(std::abs(second.z(1 / (1 + precision_y))) < 5);
  }
}

TEST_CASE("mvae: with more of one modality missing than a batch has, it still trains") {
  const Built built = small();
  for (const bool with_x : {true, false}) {
    Partly partly(true);
    if (with_x) partly.labels.assign(kCount, -1);
    if (!with_x) partly.observed.assign(kCount, 0);
    Tape tape;
    const Objective o = built.model->objective({tape, true, Key(4)}, partly.on(tape));
    CHECK(std::isfinite(double(o.loss.item())));
    for (const Term& t : o.report()) CHECK(std::isfinite(double(t.value.item())));
  }
}

#ifdef VAEZOO_DOUBLE
TEST_CASE("mvae: the gradient matches differences to 1e-6 where both, one or the other modality is missing") {
  const Built built = small();
  const Partly partly;
  const ad::GradcheckReport report = ad::gradcheck_parameters(
      *built.store, [&](Tape& tape) { return built.model->objective({tape, true, Key(6), {.step = 3, .epoch = 1}}, partly.on(tape)).loss; });
  CHECK_MESSAGE(report.passed, report.text());
}
#endif
