#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "autodiff/gradcheck.hpp"
#include "autodiff/random_ops.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;
using Values = LikelihoodCase::Values;

namespace {

constexpr double kTolerance = sizeof(Real) == 4 ? 3e-5 : 1e-11;
constexpr Index kCount = 7;
const LikelihoodCase& gaussian() { return likelihood_cases()[1]; }  // sigma 0.5

Built small(const char* name, const std::string& extra = "{}") {
  return build_small(find_model(name), gaussian().settings, data_spec(Values::real), extra);
}

/// log w of every draw that the objective with this key makes, [B, samples].
std::vector<double> log_weights(const Built& built, std::span<const Real> x, Index count, Index samples, Key key) {
  Tape tape(ad::Grad::off);
  const Var w = built.model->log_weights({tape, false, key}, minibatch(tape, x, count), samples);
  return {w.value().begin(), w.value().end()};
}

double term(const Objective& o, const std::string& name) {
  for (const Term& t : o.report())
    if (name == t.name) return double(t.value.item());
  FAIL("no term " << name);
  return 0;
}

double term_of(const Built& built, std::span<const Real> x, Index count, Key key, const std::string& name) {
  Tape tape;
  const Objective o = built.model->objective({tape, true, key}, minibatch(tape, x, count));
  return name == "loss" ? double(o.loss.item()) : term(o, name);
}

/// The gradient of the loss to the weights below a path ("encoder", "decoder"; "": to all).
std::vector<double> gradient(const Built& built, std::span<const Real> x, Index count, Key key, const std::string& below,
                             const Position& progress = {}) {
  Tape tape;
  const Objective o = built.model->objective({tape, true, key, progress}, minibatch(tape, x, count));
  built.store->zero_grad();
  tape.backward(o.loss);
  std::vector<double> g;
  for (ad::Parameter& p : built.store->all())
    if (!p.is_buffer() && p.path().starts_with(below)) g.insert(g.end(), p.gradient().begin(), p.gradient().end());
  REQUIRE_FALSE(g.empty());
  return g;
}

void check_close(const std::vector<double>& a, const std::vector<double>& b, double tolerance = kTolerance) {
  REQUIRE(a.size() == b.size());
  double size = 0, worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    size = std::max(size, std::abs(b[i]));
    worst = std::isfinite(a[i]) ? std::max(worst, std::abs(a[i] - b[i])) : 1e300;
  }
  CHECK(size > 0);
  CHECK(worst <= tolerance * size);
}

// ---- one dimension, where everything is known: x = w z + b + sigma eps, so x ~ N(b, w^2 + sigma^2)

constexpr double kW = 0.9, kB = 0.3, kSigma = 0.6;

double log_density(double x) {
  const double variance = kW * kW + kSigma * kSigma;
  return -0.5 * ((x - kB) * (x - kB) / variance + std::log(2 * std::numbers::pi * variance));
}

/// Any Gaussian model of this package, at these parameters, with the exact posterior but for a shifted mean and a stretched variance.
Built linear(const char* name, const std::string& more, double shift = 0, double stretch = 1) {
  const DataSpec data{.height = 1, .width = 1, .channels = 1, .classes = kClasses, .unit_interval = false};
  Built built = build(
      name,
      R"({"latent_dim": 1, "encoder": {"hidden": []}, "decoder": {"hidden": []}, "likelihood": {"name": "gaussian", "sigma": 0.6})" +
          (more.empty() ? "" : ", " + more) + "}",
      data);
  const double variance = 1 / (1 + kW * kW / (kSigma * kSigma)), slope = variance * kW / (kSigma * kSigma);
  built.values("decoder/output/weight")[0] = Real(kW);
  built.values("decoder/output/bias")[0] = Real(kB);
  const auto weight = built.values("encoder/head/weight"), bias = built.values("encoder/head/bias");
  weight[0] = static_cast<Real>(slope);
  weight[1] = 0;
  bias[0] = static_cast<Real>(shift - slope * kB);
  bias[1] = static_cast<Real>(std::log(variance * stretch));
  return built;
}

std::vector<Real> linear_data(Index count) {
  std::vector<Real> x(static_cast<std::size_t>(count));
  ad::fill_normal(Key(51), x, Real(kB), static_cast<Real>(std::sqrt(kW * kW + kSigma * kSigma)));
  return x;
}

std::string with(const char* estimator, const std::string& more = "") {
  return "{\"estimator\": \"" + std::string(estimator) + "\"" + (more.empty() ? "" : ", " + more) + "}";
}

const std::string kSix = R"("samples": 6)", kThreeFours = R"("bounds": 3, "samples": 4)";
struct Case {
  const char* name;
  std::string settings;
};
const std::array<Case, 4> kCases{
    {{"iwae", kSix}, {"miwae", kThreeFours}, {"ciwae", R"("samples": 6, "beta": 0.3)"}, {"piwae", kThreeFours}}};

}  // namespace

TEST_CASE("linear-Gaussian: ELBO < IWAE_5 < IWAE_50 < log p(x), as the objectives report them") {  // z > 5 for each step
  constexpr Index count = 400;
  const std::vector<Real> x = linear_data(count);
  double truth = 0;
  for (const Real v : x) truth += log_density(double(v)) / count;
  const auto bound = [&](const char* name, const std::string& settings) {
    const Built built = linear(name, settings, 0.5, 2);
    Sample s;
    for (std::uint64_t key = 0; key < 40; ++key) s.add(term_of(built, x, count, Key(key), "loss"));
    return s;
  };
  const std::array<Sample, 5> loss{bound("vae", ""), bound("iwae", R"("samples": 1)"), bound("iwae", R"("samples": 5)"),
                                   bound("iwae", R"("samples": 50)"), bound("iwae", R"("samples": 500)")};
  CHECK(std::abs(loss[0].mean - loss[1].mean) < 5 * (loss[0].standard_error() + loss[1].standard_error()));
  for (std::size_t i = 1; i + 1 < loss.size(); ++i)
    CHECK(loss[i].mean > loss[i + 1].mean + 5 * (loss[i].standard_error() + loss[i + 1].standard_error()));
  CHECK(loss[4].z(-truth) > -5);
  CHECK(loss[4].mean < -truth + 0.005);
}

TEST_CASE("each bound is what loops over its draws make of their weights: groups of K, M of them") {
  const std::vector<Real> x = synthetic(Values::real, kCount);
  const Key key(4);
  for (const auto& sizes : {std::pair<Index, Index>{2, 7}, {7, 2}, {1, 5}, {5, 1}}) {
    const Index m = sizes.first, k = sizes.second;
    CAPTURE(m);
    CAPTURE(k);
    const std::string groups = R"({"bounds": )" + std::to_string(m) + R"(, "samples": )" + std::to_string(k) + "}";
    const Built miwae = small("miwae", groups), piwae = small("piwae", groups);
    const Built iwae = small("iwae", R"({"samples": )" + std::to_string(m * k) + "}");
    const Built ciwae = small("ciwae", R"({"beta": 0.3, "samples": )" + std::to_string(m * k) + "}");
    const std::vector<double> log_w = log_weights(miwae, x, kCount, m * k, key);
    double grouped = 0, all = 0, elbo = 0;
    for (Index b = 0; b < kCount; ++b) {
      std::vector<double> row;
      for (Index i = 0; i < m; ++i) {
        std::vector<double> group;
        for (Index j = 0; j < k; ++j) group.push_back(log_w[static_cast<std::size_t>((b * m + i) * k + j)]);
        grouped += log_mean_exp<double>(group) / double(m * kCount);
        row.insert(row.end(), group.begin(), group.end());
      }
      all += log_mean_exp<double>(row) / kCount;
      for (const double w : row) elbo += w / double(m * k * kCount);
    }
    CHECK(-term_of(miwae, x, kCount, key, "loss") == doctest::Approx(grouped).epsilon(kTolerance));
    CHECK(term_of(miwae, x, kCount, key, "bound") == doctest::Approx(grouped).epsilon(kTolerance));
    CHECK(-term_of(iwae, x, kCount, key, "loss") == doctest::Approx(all).epsilon(kTolerance));
    CHECK(-term_of(ciwae, x, kCount, key, "loss") == doctest::Approx(0.3 * elbo + 0.7 * all).epsilon(kTolerance));
    CHECK(term_of(ciwae, x, kCount, key, "iwae") == doctest::Approx(all).epsilon(kTolerance));
    CHECK(-term_of(piwae, x, kCount, key, "loss") == doctest::Approx(all).epsilon(kTolerance));
    CHECK(term_of(piwae, x, kCount, key, "encoder_bound") == doctest::Approx(grouped).epsilon(kTolerance));
    for (const Built* built : {&miwae, &iwae, &piwae})
      CHECK(term_of(*built, x, kCount, key, "reconstruction") - term_of(*built, x, kCount, key, "kl") ==
            doctest::Approx(elbo).epsilon(kTolerance));
  }
}

TEST_CASE("the ends of each family are one another: MIWAE with one bound, CIWAE at 0 and 1, PIWAE with one bound") {
  const std::vector<Real> x = synthetic(Values::real, kCount);
  const Key key(4);
  for (const char* estimator : {"standard", "stl", "dreg"}) {
    CAPTURE(estimator);
    const auto same = [&](const char* a, const std::string& a_settings, const char* b, const std::string& b_settings) {
      const Built one = small(a, with(estimator, a_settings)), other = small(b, with(estimator, b_settings));
      CHECK(term_of(one, x, kCount, key, "loss") == doctest::Approx(term_of(other, x, kCount, key, "loss")).epsilon(kTolerance));
      for (const char* part : {"encoder", "decoder"})
        check_close(gradient(one, x, kCount, key, part), gradient(other, x, kCount, key, part));
    };
    same("miwae", R"("bounds": 1, "samples": 6)", "iwae", R"("samples": 6)");
    same("piwae", R"("bounds": 1, "samples": 6)", "iwae", R"("samples": 6)");
    same("ciwae", R"("beta": 0, "samples": 6)", "iwae", R"("samples": 6)");
    same("ciwae", R"("beta": 1, "samples": 6)", "miwae", R"("bounds": 6, "samples": 1)");
  }
  // For one draw dreg is stl, in every model.
  for (const auto& [name, more] : {std::pair<const char*, std::string>{"vae", ""}, {"beta_vae", R"("objective": {"beta": 3})"},
                                   {"beta_vae", R"("objective": {"name": "capacity"})"}, {"iwae", R"("samples": 1)"}})
    for (const char* part : {"encoder", "decoder"})
      check_close(gradient(small(name, with("dreg", more)), x, kCount, key, part),
                  gradient(small(name, with("stl", more)), x, kCount, key, part));
}

TEST_CASE("the estimator does not change the loss of an importance-weighted model, nor the decoder's gradient") {
  const std::vector<Real> x = synthetic(Values::real, kCount);
  for (const Case& one : kCases) {
    CAPTURE(one.name);
    const Built standard = small(one.name, with("standard", one.settings));
    for (const char* estimator : {"stl", "dreg"}) {
      const Built other = small(one.name, with(estimator, one.settings));
      CHECK(term_of(other, x, kCount, Key(4), "loss") == term_of(standard, x, kCount, Key(4), "loss"));
      check_close(gradient(other, x, kCount, Key(4), "decoder"), gradient(standard, x, kCount, Key(4), "decoder"));
    }
  }
}

TEST_CASE("dreg has the standard estimator's expectation in every model, stl for bounds of one draw") {  // |z| < 5
  constexpr Index count = 2;
  const std::vector<Real> x = synthetic(Values::real, count);
  const auto compare = [&](const char* name, const std::string& settings, const char* estimator, const char* part = "encoder",
                           const Position& progress = {}) {
    constexpr std::uint64_t keys = 4000;
    CAPTURE(name);
    CAPTURE(settings);
    CAPTURE(estimator);
    const Built standard = small(name, with("standard", settings)), other = small(name, with(estimator, settings));
    std::vector<Sample> difference;
    for (std::uint64_t key = 0; key < keys; ++key) {  // the same draws: the difference has less noise than either
      const auto a = gradient(standard, x, count, Key(key), part, progress),
                 b = gradient(other, x, count, Key(key), part, progress);
      difference.resize(a.size());
      for (std::size_t i = 0; i < a.size(); ++i) difference[i].add(a[i] - b[i]);
    }
    double worst = 0;
    for (const Sample& d : difference) worst = std::max(worst, std::abs(d.z(0)));
    CHECK(worst < 5);
    CHECK(worst > 0);  // they are not the same estimator
  };
  for (const Case& one : kCases) compare(one.name, one.settings, "dreg");
  for (const char* name : {"vae", "beta_vae"}) compare(name, "", "stl");
  compare("iwae", R"("samples": 1)", "stl");
  compare("vae", R"("prior": {"name": "mixture", "components": 3})", "stl");
  for (const char* name : {"conditional_vae", "completion_vae"}) compare(name, "", "stl");
  // The rate weighed by beta, in every bound.
  for (const char* objective : {R"({"name": "iwae", "samples": 4})", R"({"name": "miwae", "bounds": 2, "samples": 3})",
                                R"({"name": "ciwae", "samples": 4, "beta": 0.3})", R"({"name": "piwae", "bounds": 2, "samples": 3})"})
    compare("vae", std::string(R"("beta": 0.4, "objective": )") + objective, "dreg");
  compare("conditional_vae", R"("objective": {"name": "iwae", "samples": 4})", "dreg");
  // Several layers: log q of one layer depends on what was drawn in another, and in a ladder q and p share weights.
  for (const char* name : {"hvae", "ladder_vae", "top_down_vae"}) {
    compare(name, R"("kl_weight": "constant")", "stl", "");
    compare(name, R"("kl_weight": "constant", "samples": 3)", "dreg", "");
  }
  compare("hvae", R"("kl_weight": "constant", "inference": "top_down", "samples": 3)", "dreg", "");
  compare("hvae", R"("kl_weight": {"name": "linear", "length": 10}, "samples": 3)", "dreg", "", {.step = 3, .epoch = 4});
  compare("hvae", R"("kl_weight": "constant", "beta": 0.4, "objective": {"name": "miwae", "bounds": 2, "samples": 3})", "dreg", "");
  compare("hvae", R"("kl_weight": "constant", "objective": {"name": "ciwae", "samples": 4, "beta": 0.3})", "dreg", "");
  compare("ladder_vae", R"("kl_weight": "constant", "batch_norm": true)", "stl", "");
}

TEST_CASE("where q is the posterior, stl and dreg have no noise: the encoder's gradient is zero for every draw") {
  const std::vector<Real> x = linear_data(50);
  const std::array<Case, 5> cases{
      {{"vae", ""}, {"iwae", kSix}, {"miwae", kThreeFours}, {"ciwae", R"("samples": 6, "beta": 0.3)"}, {"piwae", kThreeFours}}};
  for (const Case& one : cases) {
    CAPTURE(one.name);
    const auto largest = [&](const char* estimator, std::uint64_t key) {
      const Built built = linear(
          one.name, "\"estimator\": \"" + std::string(estimator) + "\"" + (one.settings.empty() ? "" : ", " + one.settings));
      double size = 0;
      for (const double g : gradient(built, x, 50, Key(key), "encoder")) size = std::max(size, std::abs(g));
      return size;
    };
    for (const std::uint64_t key : {1u, 2u, 3u}) {
      CHECK(largest("standard", key) > 1e-3);
      CHECK(largest("stl", key) < (sizeof(Real) == 4 ? 1e-6 : 1e-14));
      CHECK(largest("dreg", key) < (sizeof(Real) == 4 ? 1e-6 : 1e-14));
    }
  }
}

TEST_CASE("with more draws the standard estimator's signal drowns in noise and dreg's does not") {
  // Signal to noise of the gradient to the posterior's mean: it falls as 1 / sqrt(K) for the standard estimator and grows as sqrt(K)
  // for dreg (Rainforth et al. 2018, theorem 1; Tucker et al. 2019, section 6): from K = 4 to 64 by a factor of 4 each.
  const std::vector<Real> x{Real(1.1)};
  const auto signal_to_noise = [&](const char* estimator, int samples) {
    const Built built =
        linear("iwae", "\"estimator\": \"" + std::string(estimator) + "\", \"samples\": " + std::to_string(samples), 0.4, 1.5);
    Sample g;
    for (std::uint64_t key = 0; key < 8000; ++key) {
      Tape tape;
      const Objective o = built.model->objective({tape, true, Key(key)}, minibatch(tape, x, 1));
      built.store->zero_grad();
      tape.backward(o.loss);
      g.add(double(built.store->find("encoder/head/bias")->gradient()[0]));
    }
    return std::abs(g.mean) / std::sqrt(g.variance());
  };
  const double standard_4 = signal_to_noise("standard", 4), standard_64 = signal_to_noise("standard", 64);
  const double dreg_4 = signal_to_noise("dreg", 4), dreg_64 = signal_to_noise("dreg", 64);
  MESSAGE("signal to noise, K = 4 and 64: standard " << standard_4 << ", " << standard_64 << "; dreg " << dreg_4 << ", "
                                                     << dreg_64);
  CHECK(standard_64 < standard_4 / 2);
  CHECK(dreg_64 > dreg_4 * 2);
}

TEST_CASE("PIWAE: the encoder's gradient is MIWAE's and the decoder's is IWAE's") {
  const std::vector<Real> x = synthetic(Values::real, kCount);
  // sigma 0.01: weights in a row differ by thousands of nats, so most underflow.
  for (const char* sigma : {"0.5", "0.01"})
    for (const char* estimator : {"standard", "stl", "dreg"})
      for (const char* prior : {R"("standard_normal")", R"({"name": "mixture", "components": 3})"}) {
        CAPTURE(sigma);
        CAPTURE(estimator);
        const std::string shared =
            R"("likelihood": {"name": "gaussian", "sigma": )" + std::string(sigma) + R"(}, "prior": )" + prior + ", ";
        const Built piwae = small("piwae", with(estimator, shared + R"("bounds": 3, "samples": 4)"));
        const Built miwae = small("miwae", with(estimator, shared + R"("bounds": 3, "samples": 4)"));
        const Built iwae = small("iwae", with(estimator, shared + R"("samples": 12)"));
        check_close(gradient(piwae, x, kCount, Key(4), "encoder"), gradient(miwae, x, kCount, Key(4), "encoder"));
        for (const char* part : {"decoder", "prior"})
          if (std::string(part) == "decoder" || prior[0] == '{')
            check_close(gradient(piwae, x, kCount, Key(4), part), gradient(iwae, x, kCount, Key(4), part));
      }
}

TEST_CASE("log weights of any size give finite bounds and gradients") {
  const std::vector<Real> x = synthetic(Values::real, kCount);
  for (const Case& one : kCases)
    for (const char* estimator : {"standard", "stl", "dreg"})
      for (const char* sigma : {"1e-4", "1e4"}) {
        CAPTURE(one.name);
        CAPTURE(estimator);
        const Built built =
            small(one.name, with(estimator, one.settings + R"(, "likelihood": {"name": "gaussian", "sigma": )" + sigma + "}"));
        CHECK(std::isfinite(term_of(built, x, kCount, Key(4), "loss")));
        for (const char* part : {"encoder", "decoder"})
          for (const double g : gradient(built, x, kCount, Key(4), part)) REQUIRE(std::isfinite(g));
      }
}

TEST_CASE("describe() of the importance-weighted models says how many draws there are and how they are used") {
  const auto says = [](const char* name, const std::string& extra, const std::string& text) {
    const std::string line = small(name, extra).model->describe();
    CHECK_MESSAGE(line.find(text) != std::string::npos, line);
  };
  says("iwae", R"({"samples": 50})", "-log mean of 50 importance weights; Gaussian, sigma 0.5 (fixed)");
  says("miwae", R"({"bounds": 8, "samples": 16})", "-mean of 8 log means of 16 importance weights");
  says("ciwae", R"({"beta": 0.25})", "-0.25 ELBO - 0.75 log mean of 5 importance weights");
  says("piwae", R"({"estimator": "dreg"})", "decoder: -log mean of 15 importance weights, encoder: -mean of 3 log means of 5");
  says("piwae", R"({"estimator": "dreg"})", "; gradient estimator dreg");
}
