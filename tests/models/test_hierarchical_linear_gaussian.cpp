// Two stochastic layers whose log p(x) is known:  z2 ~ N(0, I), z1 = a z2 + b + s eps, x = W z1 + c + sigma eps.
// The columns of W are orthogonal, so each dimension of (z1, z2) has a posterior of its own.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "tests/models/models_support.hpp"

using namespace model_tests;

namespace {

const double kLog2Pi = std::log(2 * std::numbers::pi);

constexpr std::size_t kSize = 4, kLatent = 2;
constexpr double kSigma = 0.7;
constexpr std::array<std::array<double, kLatent>, kSize> kW{{{1, 0.5}, {1, -0.5}, {-0.5, 1}, {0.5, 1}}};
constexpr std::array<double, kLatent> kA{1.3, -0.6}, kB{0.4, -1}, kS{0.5, 0.9};
constexpr std::array<double, kSize> kC{0.2, -1, 0.5, 2};

double column_square(std::size_t k) {
  double s = 0;
  for (const auto& r : kW) s += r[k] * r[k];
  return s;
}

/// log p(x) by rotation: along each column of W the data are one-dimensional normals, and noise alone across them.
double log_density(const Real* x) {
  std::array<double, kSize> d{};
  double rest = 0, total = 0;
  for (std::size_t i = 0; i < kSize; ++i) {
    d[i] = double(x[i]) - kC[i];
    for (std::size_t k = 0; k < kLatent; ++k) d[i] -= kW[i][k] * kB[k];
    rest += d[i] * d[i];
  }
  for (std::size_t k = 0; k < kLatent; ++k) {
    double along = 0;
    for (std::size_t i = 0; i < kSize; ++i) along += d[i] * kW[i][k] / std::sqrt(column_square(k));
    const double variance = column_square(k) * (kA[k] * kA[k] + kS[k] * kS[k]) + kSigma * kSigma;
    total -= 0.5 * (kLog2Pi + std::log(variance) + along * along / variance);
    rest -= along * along;
  }
  return total - 0.5 * (double(kSize - kLatent) * (kLog2Pi + 2 * std::log(kSigma)) + rest / (kSigma * kSigma));
}

void set(const Built& built, const char* path, std::size_t i, double value) { built.values(path)[i] = static_cast<Real>(value); }

/// The hvae of this model with the exact posterior, its means moved by `shift` and its variances multiplied by `stretch`.
Built linear_gaussian(bool bottom_up, double shift = 0, double stretch = 1, const std::string& more = "") {
  const DataSpec data{.height = 1, .width = kSize, .channels = 1, .classes = 0, .unit_interval = false};
  const std::string linear = R"("encoder": {"hidden": []}, "decoder": {"hidden": []}, "between": {"hidden": []})";
  const std::string inference = bottom_up ? "bottom_up" : "top_down";
  Built built = build("hvae", R"({"latent_dims": [2, 2], "likelihood": {"name": "gaussian", "sigma": 0.7}, )" + linear +
                                  R"(, "inference": ")" + inference + "\"" + more + "}", data);
  std::ranges::fill(built.store->values(), Real(0));
  const std::size_t code = bottom_up ? kLatent : 2 * kLatent;
  for (std::size_t i = 0; i < kSize; ++i) {
    set(built, "decoder/output/bias", i, kC[i]);
    for (std::size_t k = 0; k < kLatent; ++k) set(built, "decoder/output/weight", i * code + k, kW[i][k]);
  }
  for (std::size_t k = 0; k < kLatent; ++k) {
    set(built, "p/z1/head/weight", k * kLatent + k, kA[k]);
    set(built, "p/z1/head/bias", k, kB[k]);
    set(built, "p/z1/head/bias", kLatent + k, 2 * std::log(kS[k]));
    // t = w (x - c) / |w|^2 is z1 with noise of variance tau2.
    const double tau2 = kSigma * kSigma / column_square(k), s2 = kS[k] * kS[k], a = kA[k];
    // mean = slope t + offset
    const auto from_x = [&](const char* layer, std::size_t width, double slope, double offset, double variance) {
      const std::string w = std::string("q/") + layer + "/head/weight", b = std::string("q/") + layer + "/head/bias";
      for (std::size_t i = 0; i < kSize; ++i) {
        const double t = kW[i][k] / column_square(k);
        set(built, w.c_str(), k * width + i, slope * t);
        offset -= slope * t * kC[i];
      }
      set(built, b.c_str(), k, offset + shift);
      set(built, b.c_str(), kLatent + k, std::log(variance * stretch));
    };
    if (bottom_up) {
      const double prior = a * a + s2, v1 = 1 / (1 / prior + 1 / tau2), v2 = 1 / (1 + a * a / s2);
      from_x("z1", kSize, v1 / tau2, v1 / prior * kB[k], v1);              // q(z1 | x)
      set(built, "q/z2/head/weight", k * kLatent + k, v2 * a / s2);        // q(z2 | z1)
      set(built, "q/z2/head/bias", k, -v2 * a / s2 * kB[k] + shift);
      set(built, "q/z2/head/bias", kLatent + k, std::log(v2 * stretch));
    } else {
      const double v2 = 1 / (1 + a * a / (s2 + tau2)), v1 = 1 / (1 / s2 + 1 / tau2);
      from_x("z2", kSize, v2 * a / (s2 + tau2), -v2 * a / (s2 + tau2) * kB[k], v2);                  // q(z2 | x)
      from_x("z1", kSize + kLatent, v1 / tau2, v1 / s2 * kB[k], v1);                                 // q(z1 | x, z2)
      set(built, "q/z1/head/weight", k * (kSize + kLatent) + kSize + k, v1 / s2 * a);
    }
  }
  return built;
}

/// x from the model.
std::vector<Real> model_data(const Built& built, Index count) {
  Tape tape(ad::Grad::off);
  const Context c{tape, false, Key(41)};
  const Var x = built.model->sample_x(c, built.model->sample_prior(c, count, {}), {});
  return {x.value().begin(), x.value().end()};
}

}  // namespace

TEST_CASE("two linear-Gaussian layers: with the exact posterior every log weight is log p(x)") {
  constexpr Index count = 100, samples = 10;
  for (const bool bottom_up : {true, false}) {
    CAPTURE(bottom_up);
    const Built built = linear_gaussian(bottom_up);
    const std::vector<Real> x = model_data(built, count);
    Tape tape(ad::Grad::off);
    const Var log_w = built.model->log_weights({tape, false, Key(1)}, minibatch(tape, x, count), samples);
    for (Index i = 0; i < count; ++i) {
      const double truth = log_density(x.data() + i * std::ssize(kC));
      const double tolerance = sizeof(Real) == 4 ? 1e-4 : 1e-11;  // a weight adds log densities of some tens of nats
      for (Index k = 0; k < samples; ++k) CHECK(std::abs(double(log_w.data()[i * samples + k]) - truth) < tolerance);
    }
  }
}

TEST_CASE("two linear-Gaussian layers: the ELBO with the exact posterior has log p(x) as its mean") {  // |z| < 5
  // Bottom up, KL(q(z1 | x) || p(z1 | z2)) in the place of log q - log p would miss this: z2 was drawn given z1.
  constexpr Index count = 20'000;
  for (const bool bottom_up : {true, false}) {
    CAPTURE(bottom_up);
    const Built built = linear_gaussian(bottom_up);
    const std::vector<Real> x = model_data(built, count);
    Tape tape(ad::Grad::off);
    const Minibatch batch = minibatch(tape, x, count);
    const ElboTerms e = built.model->elbo({tape, false, Key(1)}, batch, Code::sample);
    Sample difference;
    double log_p = 0;
    for (Index i = 0; i < count; ++i) {
      const double truth = log_density(x.data() + i * std::ssize(kC));
      difference.add(double(e.reconstruction.data()[i]) - double(e.kl.data()[i]) - truth);
      log_p += truth / count;
    }
    CHECK(std::abs(difference.z(0)) < 5);
    const Objective o = built.model->objective({tape, true, Key(2)}, batch);
    CHECK(std::abs(-double(o.loss.item()) - log_p) < 5 * difference.standard_error());
  }
}

TEST_CASE(
    "two linear-Gaussian layers: with the exact posterior stl and dreg have no noise, the gradient to q is zero for every draw") {
  const std::vector<Real> x = model_data(linear_gaussian(true), 20);
  for (const bool bottom_up : {true, false})
    for (const char* samples : {"1", "4"}) {
      CAPTURE(bottom_up);
      CAPTURE(samples);
      const auto largest = [&](const char* estimator, std::uint64_t key) {
        const Built built =
            linear_gaussian(bottom_up, 0, 1, std::string(R"(, "estimator": ")") + estimator + R"(", "samples": )" + samples);
        Tape tape;
        tape.backward(built.model->objective({tape, true, Key(key)}, {tape.constant({20, kSize}, x)}).loss);
        double size = 0;
        for (ad::Parameter& p : built.store->all())
          if (p.path().starts_with("q/"))
            for (const Real g : p.gradient()) size = std::max(size, std::abs(double(g)));
        return size;
      };
      for (const std::uint64_t key : {1u, 2u}) {
        CHECK(largest("standard", key) > 1e-3);
        CHECK(largest("stl", key) < (sizeof(Real) == 4 ? 3e-6 : 1e-14));
        CHECK(largest("dreg", key) < (sizeof(Real) == 4 ? 3e-6 : 1e-14));
      }
    }
}

TEST_CASE("two linear-Gaussian layers: ELBO < IWAE_K < log p(x), and the mean weight is p(x)") {  // z > 5 for each step
  constexpr Index count = 4000, samples = 64;
  for (const bool bottom_up : {true, false}) {
    CAPTURE(bottom_up);
    const Built built = linear_gaussian(bottom_up, 0.4, 1.7);
    const std::vector<Real> x = model_data(built, count);
    Tape tape(ad::Grad::off);
    const Minibatch batch = minibatch(tape, x, count);
    const ElboTerms e = built.model->elbo({tape, false, Key(1)}, batch, Code::sample);
    const Var log_w = built.model->log_weights({tape, false, Key(2)}, batch, samples);
    Sample elbo_gap, gain, gap, normalised;
    for (Index i = 0; i < count; ++i) {
      const double truth = log_density(x.data() + i * std::ssize(kC)), bound = log_mean_exp(log_w.data() + i * samples, samples);
      const double elbo = double(e.reconstruction.data()[i]) - double(e.kl.data()[i]);
      elbo_gap.add(truth - elbo);
      gain.add(bound - elbo);
      gap.add(truth - bound);
      normalised.add(std::exp(bound - truth));
    }
    CHECK(elbo_gap.z(0) > 5);
    CHECK(gain.z(0) > 5);
    CHECK(gap.z(0) > 5);
    CHECK(std::abs(normalised.z(1)) < 5);
  }
}

TEST_CASE("ancestral samples and redrawn layers have the prior's moments") {  // |z| < 5
  constexpr Index count = 20'000;
  const Built built = linear_gaussian(true);
  Tape tape(ad::Grad::off);
  const Var z = built.model->sample_prior({tape, false, Key(3)}, count, {});
  const Var redrawn = built.model->resample_below({tape, false, Key(4)}, z, 1, {});
  for (const Var& code : {z, redrawn})
    for (std::size_t k = 0; k < kLatent; ++k) {
      Sample z1, residual, residual_square, z2;
      for (std::size_t i = 0; i < count; ++i) {
        const double lower = double(code.data()[i * 4 + k]), upper = double(code.data()[i * 4 + 2 + k]);
        const double r = lower - kA[k] * upper - kB[k];
        z1.add(lower);
        z2.add(upper);
        residual.add(r);
        residual_square.add(r * r);
      }
      CHECK(std::abs(z1.z(kB[k])) < 5);
      CHECK(std::abs(z2.z(0)) < 5);
      CHECK(std::abs(residual.z(0)) < 5);
      CHECK(std::abs(residual_square.z(kS[k] * kS[k])) < 5);
    }
}
