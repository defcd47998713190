#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "autodiff/gradcheck.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/safetensors.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;
using Values = LikelihoodCase::Values;

namespace {

/// A file of this test's own that goes with it.
struct TemporaryFile {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("vaezoo_models_" + std::to_string(getpid()) + ".safetensors");
  ~TemporaryFile() { std::filesystem::remove(path); }
};

/// Runs f on every registered model with every likelihood.
template <class F>
void for_all(F f) {
  for (const ModelEntry& entry : model_registry())
    for (const LikelihoodCase& one : likelihood_cases()) {
      CAPTURE(std::string(entry.name));
      CAPTURE(one.settings);
      f(entry, one);
    }
}

std::vector<Real> elbo_of(const Built& built, std::span<const Real> x, Index count, Key key = Key(5)) {
  Tape tape(ad::Grad::off);
  const ElboTerms e = built.model->elbo({tape, false, key}, minibatch(tape, x, count), Code::sample);
  std::vector<Real> all(e.reconstruction.value().begin(), e.reconstruction.value().end());
  all.insert(all.end(), e.kl.value().begin(), e.kl.value().end());
  return all;
}

bool all_finite(Var v) {
  return std::all_of(v.value().begin(), v.value().end(), [](Real a) { return std::isfinite(a); });
}

#ifdef VAEZOO_DOUBLE
/// The gradient of the objective to every weight, with the noise held fixed, to 1e-6.
void check_gradient(const ModelEntry& entry, const LikelihoodCase& one, const std::string& extra, Position progress,
                    bool training = true) {
  CAPTURE(extra);
  constexpr Index count = 8;
  const Built built = build_small(entry, one.settings, data_spec(one.values), extra);
  freeze_detached(built);
  if (std::string(entry.name) == "piwae")
    freeze(built, "encoder/");  // has an objective of its own; see test_importance_bounds.cpp
  const std::vector<Real> x = synthetic(one.values, count);
  const auto objective = [&](Tape& tape) { return built.model->objective({tape, training, Key(6), progress}, minibatch(tape, x, count)); };
  Tape counting;
  const std::size_t losses = objective(counting).losses().size();
  std::vector<const ad::Parameter*> frozen;
  for (const ad::Parameter& p : built.store->all())
    if (!p.trainable()) frozen.push_back(&p);
  Index checked = 0;
  for (std::size_t i = 0; i < losses; ++i) {  // each loss with respect to the parameters that it trains
    const ad::Groups groups = objective(counting).losses()[i].groups;
    for (ad::Parameter& p : built.store->all())
      p.set_trainable(!std::ranges::count(frozen, &p) && !(p.group() & groups).empty());
    const ad::GradcheckReport report =
        gradcheck_parameters(*built.store, [&](Tape& tape) { return objective(tape).losses()[i].value; });
    CHECK_MESSAGE(report.passed, report.text());
    checked += report.checked;
  }
  for (ad::Parameter& p : built.store->all()) p.set_trainable(!std::ranges::count(frozen, &p));
  CHECK(checked == trainable_count(*built.store));
}
#endif

}  // namespace

TEST_CASE("every entry of the registry says what it is and has a name of its own") {
  std::set<std::string> names;
  for (const ModelEntry& entry : model_registry()) {
    CHECK(names.insert(entry.name).second);
    CHECK(&find_model(entry.name) == &entry);
    CHECK(std::string(entry.summary).size() > 10);
    CHECK(std::string(entry.paper).size() > 10);
  }
}

TEST_CASE("an unknown model is answered with the nearest name and the list") {
  const auto answer = [](const char* name) { return message_of([&] { find_model(name); }); };
  CHECK(answer("bet_vae").starts_with("there is no model \"bet_vae\"; did you mean \"beta_vae\"? The models are "));
  CHECK(answer("veae").find("did you mean \"vae\"?") != std::string::npos);
  CHECK(answer("transformer").starts_with("there is no model \"transformer\". The models are autoencoder, rae_l2"));
}

TEST_CASE("every model builds from its defaults for images, and for real vectors once its likelihood suits them") {
  const DataSpec image{.height = 8, .width = 8, .channels = 1, .classes = kClasses, .unit_interval = true,
                       .modalities = {{.name = "top", .begin = 0, .height = 4, .width = 8}, {.name = "bottom", .begin = 32, .height = 4, .width = 8}}};
  for (const ModelEntry& entry : model_registry()) {
    CAPTURE(std::string(entry.name));
    const Built built = build(entry.name, "{}", image);
    CHECK(built.store->count() > 0);
    CHECK(built.model->latent_dim() > 0);
    CHECK_FALSE(built.model->describe().empty());

    const DataSpec real = data_spec(Values::real);
    const std::string refused = message_of([&] { build(entry.name, "{}", real); });
    CHECK(refused.find("bernoulli") != std::string::npos);
    CHECK(refused.find("choose gaussian or laplace") != std::string::npos);
    CHECK_THROWS_AS(build(entry.name, R"({"likelihood": "discretized_logistic"})", real), ConfigError);
    CHECK_NOTHROW(build(entry.name, R"({"likelihood": "gaussian"})", real));
  }
}

TEST_CASE("every model answers with the shapes of its contract, and everything is finite") {
  constexpr Index count = 10, samples = 4;
  for_all([&](const ModelEntry& entry, const LikelihoodCase& one) {
    const Built built = build_small(entry, one.settings, data_spec(one.values));
    const Model& model = *built.model;
    const std::vector<Real> x = synthetic(one.values, count);
    Tape tape;
    const Context c{tape, false, Key(5)};
    const Minibatch batch = minibatch(tape, x, count);
    const Index z_dim = model.latent_dim();

    const Objective objective = model.objective(c, batch);
    CHECK(objective.loss.size() == 1);
    CHECK(all_finite(objective.loss));
    CHECK(objective.term_count > 0);
    for (const Term& term : objective.report()) CHECK((term.value.size() == 1 && all_finite(term.value)));

    for (const Code code : {Code::sample, Code::mean}) {
      const ElboTerms e = model.elbo(c, batch, code);
      CHECK(e.reconstruction.shape() == Shape{count});
      CHECK(e.kl.shape() == Shape{count});
      CHECK(all_finite(e.reconstruction));
      if (!e.kl_per_dimension) continue;  // the prior does not fall into dimensions
      CHECK(e.kl_per_dimension.shape() == Shape{count, z_dim});
      const Var total = sum(e.kl_per_dimension, 1);
      for (Index i = 0; i < count; ++i) CHECK(double(total.data()[i]) == doctest::Approx(double(e.kl.data()[i])).epsilon(1e-5));
    }
    if (model.has_density()) {
      const Var log_w = model.log_weights(c, batch, samples);
      CHECK(log_w.shape() == Shape{count, samples});
      CHECK(all_finite(log_w));
    } else {
      CHECK(message_of([&] { model.log_weights(c, batch, samples); }).find("has no density") != std::string::npos);
    }
    CHECK(model.encode(c, batch).shape() == Shape{count, z_dim});
    const Minibatch given = minibatch(tape, std::span(x).first(static_cast<std::size_t>(samples * kDimension)), samples);
    const Var z = model.sample_prior(c, samples, given), sample = model.decode(c, z, given);
    CHECK(z.shape() == Shape{samples, z_dim});
    CHECK(sample.shape() == Shape{samples, kDimension});
    CHECK(all_finite(sample));
    const Var x_drawn = model.sample_x(c, z, given);
    CHECK(x_drawn.shape() == Shape{samples, kDimension});
    CHECK(all_finite(x_drawn));
    if (one.values == Values::binary || one.values == Values::grid)
      for (const Real v : sample.value()) CHECK((v >= 0 && v <= 1));
    if (model.conditioning() == Conditioning::x) return;  // its likelihood is of a part of x: no code length of the data
    CHECK(model.discrete() == (one.values == Values::binary || one.values == Values::grid));
    CHECK(model.binary() == (one.values == Values::binary));
    CHECK_FALSE(model.describe().empty());
  });
}

TEST_CASE("every term that a model reports has a name of its own, a unit or none, and a meaning, in training and in evaluation") {
  constexpr Index count = 10;
  const LikelihoodCase& one = likelihood_cases()[1];
  const std::vector<Real> x = synthetic(one.values, count);
  Index with_terms_of_their_own = 0;
  for (const ModelEntry& entry : model_registry()) {
    CAPTURE(std::string(entry.name));
    std::vector<std::string> settings{"{}"};  // and those that may bring terms of their own
    if (has_setting(entry, "kl_weight")) settings.push_back(R"({"kl_weight": {"name": "linear", "length": 10}})");
    if (has_setting(entry, "objective"))
      settings.push_back(has_setting(entry, "kl_weight") ? R"({"objective": "capacity", "kl_weight": "constant"})" : R"({"objective": "capacity"})");
    if (has_setting(entry, "codebook")) settings.push_back(R"({"codebook": {"codes": 6, "learning": "loss"}})");
    if (has_setting(entry, "samples")) settings.push_back(R"({"samples": 2})");
    std::set<std::string> plain;
    for (const std::string& extra : settings) {
      CAPTURE(extra);
      const Built built = build_small(entry, one.settings, data_spec(one.values), extra);
      std::vector<std::set<std::string>> reported;
      for (const bool training : {true, false}) {
        Tape tape;
        const Objective o = built.model->objective({tape, training, Key(5)}, minibatch(tape, x, count));
        std::set<std::string> names;
        for (const Term& term : o.report()) {
          CAPTURE(std::string(term.name));
          CHECK(names.insert(term.name).second);
          CHECK(term.unit != nullptr);
          CHECK(std::string(term.meaning).size() > 10);
        }
        reported.push_back(names);
      }
      CHECK(reported[0] == reported[1]);
      if (plain.empty()) plain = reported[0];
      with_terms_of_their_own += reported[0] != plain;
    }
  }
  CHECK(with_terms_of_their_own >= 3);
}

TEST_CASE("of several losses each gives gradients to its own parameters, and all parameters have one") {
  constexpr Index count = 16;
  for_all([&](const ModelEntry& entry, const LikelihoodCase& one) {
    const Built built = build_small(entry, one.settings, data_spec(one.values));
    const std::vector<Real> x = synthetic(one.values, count);
    Tape tape;
    const Objective o = built.model->objective({tape, true, Key(5)}, minibatch(tape, x, count));
    ad::Groups trained;
    for (const Loss& loss : o.losses()) {
      CHECK((loss.groups & trained).empty());
      trained = trained | loss.groups;
      built.store->zero_grad();
      tape.backward(loss.value, loss.groups);
      for (ad::Parameter& p : built.store->all()) {
        if (p.is_buffer()) continue;
        CAPTURE(p.path());
        const bool reached = std::ranges::any_of(p.gradient(), [](Real g) { return g != 0; });
        if ((p.group() & loss.groups).empty()) CHECK_FALSE(reached);
      }
    }
    for (const ad::Parameter& p : built.store->all())
      if (!p.is_buffer()) CHECK_FALSE((p.group() & trained).empty());
  });
}

TEST_CASE("the loss falls on synthetic data in 200 steps") {
  constexpr Index count = 32;
  for_all([&](const ModelEntry& entry, const LikelihoodCase& one) {
    const Built built = build_small(entry, one.settings, data_spec(one.values));
    const std::vector<Real> x = synthetic(one.values, count);
    if (!built.model->loss_measures_progress()) return;  // test_perceptual.cpp has what such a model learns
    const std::vector<double> loss = train(built, x, count, 200);
    const auto mean_of = [&](auto begin) { return std::accumulate(begin, begin + 4, 0.0) / 4; };
    CHECK(mean_of(loss.end() - 4) < mean_of(loss.begin()) - 0.1);
  });
}

TEST_CASE("the same seed gives the same bits, another seed others") {
  constexpr Index count = 16;
  for_all([&](const ModelEntry& entry, const LikelihoodCase& one) {
    const std::vector<Real> x = synthetic(one.values, count);
    const auto trained = [&](std::uint64_t seed) {
      const Built built = build_small(entry, one.settings, data_spec(one.values), "{}", seed);
      train(built, x, count, 10);
      return std::pair(std::vector<Real>(built.store->values().begin(), built.store->values().end()), elbo_of(built, x, count));
    };
    const auto first = trained(1);
    CHECK(first == trained(1));
    CHECK(first.first != trained(2).first);
  });
}

TEST_CASE("saved and loaded, a trained model gives the same bits of the ELBO") {
  constexpr Index count = 16;
  const std::string normalised = R"({"encoder": {"batch_norm": true}, "decoder": {"batch_norm": true, "dropout": 0.2}})";
  for_all([&](const ModelEntry& entry, const LikelihoodCase& one) {
    const std::vector<Real> x = synthetic(one.values, count);
    const Built built = build_small(entry, one.settings, data_spec(one.values), normalised);
    train(built, x, count, 10);
    const TemporaryFile file;
    ad::save_parameters(*built.store, file.path);
    const Built other = build_small(entry, one.settings, data_spec(one.values), normalised, 2);
    CHECK(elbo_of(other, x, count) != elbo_of(built, x, count));
    ad::load_parameters(*other.store, file.path);
    CHECK(elbo_of(other, x, count) == elbo_of(built, x, count));
    CHECK(other.model->describe() == built.model->describe());
  });
}

TEST_CASE("in expectation the log weights are the ELBO, and K of them bound higher") {  // |z| < 5, and z > 5 for the order
  constexpr Index count = 4000, samples = 8;
  for_all([&](const ModelEntry& entry, const LikelihoodCase& one) {
    const Built built = build_small(entry, one.settings, data_spec(one.values));
    if (!built.model->has_density()) return;
    const std::vector<Real> x = synthetic(one.values, count);
    train(built, std::span(x).first(32 * kDimension), 32, 20);
    Tape tape(ad::Grad::off);
    const Context c{tape, false, Key(5)};
    const Minibatch batch = minibatch(tape, x, count);
    const ElboTerms e = built.model->elbo(c, batch, Code::sample);
    const Var log_w = built.model->log_weights({tape, false, Key(6)}, batch, samples);
    Sample difference, gain;
    for (Index i = 0; i < count; ++i) {
      double mean = 0, largest = double(log_w.data()[i * samples]), total = 0;
      for (Index k = 0; k < samples; ++k) {
        mean += double(log_w.data()[i * samples + k]) / samples;
        largest = std::max(largest, double(log_w.data()[i * samples + k]));
      }
      for (Index k = 0; k < samples; ++k) total += std::exp(double(log_w.data()[i * samples + k]) - largest) / samples;
      difference.add(mean - (double(e.reconstruction.data()[i]) - double(e.kl.data()[i])));
      gain.add(largest + std::log(total) - mean);
    }
    if (!built.model->code_maps(c, batch).empty()) {  // q(z | x) is one point: every weight is the bound itself
      CHECK(std::abs(difference.mean) < 1e-4);
      CHECK(std::abs(gain.mean) < 1e-4);
      return;
    }
    CHECK(std::abs(difference.z(0)) < 5);
    CHECK(gain.z(0) > 5);
  });
}

TEST_CASE("batch norm and dropout act in training alone") {
  constexpr Index count = 16;
  const LikelihoodCase& one = likelihood_cases()[1];
  for (const ModelEntry& entry : model_registry()) {
    if (!has_setting(entry, "encoder")) continue;
    CAPTURE(std::string(entry.name));
    const std::vector<Real> x = synthetic(one.values, count);
    const std::string extra = R"({"encoder": {"hidden": [5], "batch_norm": true, "dropout": 0.5}})";
    const Built built = build_small(entry, one.settings, data_spec(one.values), extra);
    Tape tape;
    const Minibatch batch = minibatch(tape, x, count);
    const auto mean_code = [&](bool training, std::uint64_t key) {
      const Var z = built.model->encode({tape, training, Key(key)}, batch);
      return std::vector<Real>(z.value().begin(), z.value().end());
    };
    CHECK(mean_code(false, 1) == mean_code(false, 2));
    CHECK(mean_code(true, 1) != mean_code(true, 2));
    // One example alone gives in evaluation what it gives in the batch.
    const std::vector<Real> before = mean_code(false, 1);
    const Var alone = built.model->encode({tape, false, Key(1)}, minibatch(tape, std::span<const Real>(x).first(kDimension), 1));
    for (Index j = 0; j < alone.size(); ++j)
      CHECK(double(alone.data()[j]) == doctest::Approx(double(before[static_cast<std::size_t>(j)])).epsilon(1e-5));
  }
}

#ifdef VAEZOO_DOUBLE
TEST_CASE("the gradient of every model with every likelihood matches differences to 1e-6") {
  for_all([](const ModelEntry& entry, const LikelihoodCase& one) {
    check_gradient(entry, one, "{}", {});
    check_gradient(entry, one, R"({"encoder": {"batch_norm": true}, "decoder": {"batch_norm": true}})", {});
    check_gradient(entry, one, R"({"encoder": {"dropout": 0.3}, "decoder": {"dropout": 0.3}})", {});
  });
  for (const ModelEntry& entry : model_registry()) {  // evaluation mode: running statistics are constants
    CAPTURE(std::string(entry.name));
    const std::string extra = R"({"encoder": {"batch_norm": true}, "decoder": {"batch_norm": true}})";
    check_gradient(entry, likelihood_cases()[3], extra, {}, false);
  }
}

TEST_CASE("the gradients of the KL's weights, free bits and capacity match differences to 1e-6") {
  for (const LikelihoodCase& one : likelihood_cases()) {
    CAPTURE(one.settings);
    for (const std::string name : {"vae", "beta_vae"}) {
      const auto check = [&](const std::string& fields, const Position& progress) {
        check_gradient(find_model(name), one, kl_settings(name, fields), progress);
      };
      check(R"("kl_weight": {"name": "linear", "length": 10, "unit": "steps"})", {.step = 3, .epoch = 0.1});
      check(R"("free_bits": 0.02)", {});  // some dimensions above, some below
      check(R"("free_bits": 5)", {});     // all below: no gradient from the KL
    }
    const std::string capacity = R"({"objective": {"name": "capacity", "gamma": 10, "max_capacity": 4, "capacity_steps": 100}})";
    for (const std::int64_t step : {0, 50, 1000})  // the KL above, near and below its capacity
      check_gradient(find_model("beta_vae"), one, capacity, {.step = step, .epoch = 0});
  }
}
#endif

TEST_CASE("a mask of ones changes nothing; numbers that it leaves out count nowhere but in the encoder, which sees zeros") {
  constexpr Index count = 16;
  for_all([&](const ModelEntry& entry, const LikelihoodCase& one) {
    const Built built = build_small(entry, one.settings, data_spec(one.values));
    if (!built.model->takes_mask()) return;
    const std::vector<Real> x = synthetic(one.values, count);
    const auto losses = [&](Real other, Real left_out) {
      Tape tape(ad::Grad::off);
      std::vector<Real> mask(x.size(), 1), seen = x;
      for (std::size_t i = 0; i < x.size(); i += 2) mask[i] = left_out, seen[i] = left_out == 0 ? 0 : x[i];
      Minibatch batch = minibatch(tape, seen, count);
      if (other != 0) batch.mask = tape.constant(batch.x.shape(), mask);
      const Context c{tape, false, Key(5)};
      const ElboTerms e = built.model->elbo(c, batch, Code::sample);
      const Var weights = built.model->has_density() ? built.model->log_weights(c, batch, 3) : e.reconstruction;
      return std::array{double(sum(weights).item()), double(sum(e.reconstruction).item()), double(sum(e.kl).item()),
                        double(built.model->objective(c, batch).loss.item())};
    };
    const auto plain = losses(0, 1), ones = losses(1, 1), zeros = losses(0, 0), masked = losses(1, 0);
    for (std::size_t i = 0; i < plain.size(); ++i) CHECK(ones[i] == doctest::Approx(plain[i]).epsilon(1e-5));
    CHECK(masked[2] == doctest::Approx(zeros[2]).epsilon(1e-5));  // the rate knows the mask only through x
    for (const std::size_t i : {0, 1, 3}) CHECK(masked[i] != doctest::Approx(zeros[i]).epsilon(1e-5));
  });
}
