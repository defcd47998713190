// What has gone wrong in other collections of VAEs, as one test each of what must hold here.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "autodiff/random_ops.hpp"
#include "models/parts/variational_model.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;
using Values = LikelihoodCase::Values;

namespace {

constexpr Index kCount = 12;
constexpr double kTolerance = sizeof(Real) == 4 ? 2e-5 : 1e-11;

const LikelihoodCase& gaussian() { return likelihood_cases()[1]; }  // sigma 0.5

/// The objective's loss and terms as numbers.
struct Numbers {
  double loss;
  std::vector<std::pair<std::string, double>> terms;
  double term(const std::string& name) const {
    for (const auto& [key, value] : terms)
      if (key == name) return value;
    FAIL("no term " << name);
    return 0;
  }
};
Numbers objective_of(const Built& built, std::span<const Real> x, Index count, bool training = false, Position progress = {}) {
  Tape tape;
  const Objective o = built.model->objective({tape, training, Key(5), progress}, minibatch(tape, x, count));
  Numbers n{double(o.loss.item()), {}};
  for (const Term& t : o.report()) n.terms.emplace_back(t.name, double(t.value.item()));
  return n;
}

Built small(const char* name, const LikelihoodCase& one, const std::string& extra = "{}") {
  return build_small(find_model(name), one.settings, data_spec(one.values), extra);
}

/// The same x twice, one below the other.
std::vector<Real> twice(std::vector<Real> x) {
  const std::vector<Real> copy = x;
  x.insert(x.end(), copy.begin(), copy.end());
  return x;
}

/// Makes q(z | x), and q(z | y) where there is one, so narrow that every draw is its mean: what is left does not depend on the noise.
void remove_noise(const Built& built) {
  for (const std::string head : {"encoder/head", "encoder/top/head", "encoder/bottom/head", "label_encoder/1"}) {
    if (built.store->find(head + "/bias") == nullptr) continue;
    const std::span<Real> bias = built.values((head + "/bias").c_str()), weight = built.values((head + "/weight").c_str());
    for (std::size_t i = bias.size() / 2; i < bias.size(); ++i) bias[i] = -60;
    std::fill(weight.begin() + std::ssize(weight) / 2, weight.end(), Real(0));
  }
}

}  // namespace

TEST_CASE("beta_vae: beta = 1 equals vae bit for bit") {
  for (const LikelihoodCase& one : likelihood_cases()) {
    CAPTURE(one.settings);
    const std::vector<Real> x = synthetic(one.values, kCount);
    const char* warm_up = R"("kl_weight": {"name": "linear", "length": 100, "unit": "steps"}, )";
    for (const std::string more : {"", R"("free_bits": 0.1, )", warm_up}) {
      const Built vae = small("vae", one, kl_settings("vae", more + R"("latent_dim": 3)"));
      const Built beta = small("beta_vae", one, kl_settings("beta_vae", more + R"("beta": 1)"));
      CHECK(train(vae, x, kCount, 20) == train(beta, x, kCount, 20));
      CHECK(std::ranges::equal(vae.store->values(), beta.store->values()));
    }
  }
}

TEST_CASE("the loss is distortion plus beta times the KL, with no other weight") {
  const std::vector<Real> x = synthetic(Values::real, kCount);
  for (const double beta : {0.0, 0.25, 1.0, 4.0, 100.0}) {
    const Built built = small("beta_vae", gaussian(), R"({"objective": {"beta": )" + std::to_string(beta) + "}}");
    const Numbers n = objective_of(built, x, kCount);
    CHECK(n.loss == doctest::Approx(-n.term("reconstruction") + beta * n.term("kl")).epsilon(kTolerance));
    if (beta != 1) CHECK(n.term("beta") == doctest::Approx(beta));
  }
  // With a schedule the reported beta is the one in force.
  const std::string warm_up = R"({"objective": {"beta": 4, "kl_weight": {"name": "linear", "length": 100, "unit": "steps"}}})";
  const Built rising = small("beta_vae", gaussian(), warm_up);
  const Numbers n = objective_of(rising, x, kCount, true, {.step = 25, .epoch = 0});
  CHECK(n.term("beta") == doctest::Approx(1));
  CHECK(n.loss == doctest::Approx(-n.term("reconstruction") + n.term("kl")).epsilon(kTolerance));
}

TEST_CASE("beta_vae: the capacity objective is distortion plus gamma |KL - C|, C rising to its maximum") {
  const std::vector<Real> x = synthetic(Values::real, kCount);
  const Built built = small("beta_vae", gaussian(),
                            R"({"objective": {"name": "capacity", "gamma": 7, "max_capacity": 20, "capacity_steps": 1000}})");
  for (const std::int64_t step : {0, 250, 1000, 5000}) {
    const Numbers n = objective_of(built, x, kCount, true, {.step = step, .epoch = 0});
    const double capacity = 20 * std::min(1.0, double(step) / 1000);
    CHECK(n.term("capacity") == doctest::Approx(capacity));
    CHECK(n.loss == doctest::Approx(-n.term("reconstruction") + 7 * std::abs(n.term("kl") - capacity)).epsilon(kTolerance));
  }
}

TEST_CASE("the KL weight is the same in training and in evaluation") {
  const std::vector<Real> x = synthetic(Values::real, kCount);
  for (const ModelEntry& entry : model_registry()) {
    const Built built = build_small(entry, gaussian().settings, data_spec(Values::real));
    const auto* variational = dynamic_cast<const VariationalModel*>(built.model.get());
    if (variational != nullptr && variational->relaxed()) continue;  // its draws are not the same
    for (const std::int64_t step : {0, 10, 1'000'000}) {
      const Position progress{.step = step, .epoch = double(step) / 10};
      CHECK(objective_of(built, x, kCount, true, progress).loss == objective_of(built, x, kCount, false, progress).loss);
    }
  }
}

TEST_CASE("the reported kl is positive and is the KL of the ELBO, reconstruction is a log-likelihood") {
  for (const std::string fields : {"", R"("free_bits": 3)", R"("kl_weight": {"name": "linear", "length": 10, "unit": "steps"})"})
    for (const LikelihoodCase& one : likelihood_cases()) {
      CAPTURE(fields);
      CAPTURE(one.settings);
      const std::vector<Real> x = synthetic(one.values, kCount);
      for (const char* name : {"vae", "beta_vae"}) {
        const Built built = small(name, one, kl_settings(name, fields));
        const Numbers n = objective_of(built, x, kCount);
        Tape tape;
        const ElboTerms e = built.model->elbo({tape, false, Key(5)}, minibatch(tape, x, kCount), Code::sample);
        double kl = 0, reconstruction = 0;
        for (Index i = 0; i < kCount; ++i) {
          CHECK(e.kl.data()[i] > 0);
          kl += double(e.kl.data()[i]) / kCount;
          reconstruction += double(e.reconstruction.data()[i]) / kCount;
        }
        CHECK(n.term("kl") > 0);
        CHECK(n.term("kl") == doctest::Approx(kl).epsilon(kTolerance));
        CHECK(n.term("reconstruction") == doctest::Approx(reconstruction).epsilon(kTolerance));
      }
    }
}

TEST_CASE("free bits: a dimension below them costs them exactly, one above costs its KL") {
  const std::vector<Real> x = synthetic(Values::real, kCount);
  for (const double free_bits : {0.01, 0.05, 0.5, 5.0}) {
    const Built built = small("vae", gaussian(), R"({"free_bits": )" + std::to_string(free_bits) + "}");
    Tape tape;
    const ElboTerms e = built.model->elbo({tape, false, Key(5)}, minibatch(tape, x, kCount), Code::sample);
    double counted = 0;
    for (Index j = 0; j < 3; ++j) {
      double mean = 0;
      for (Index i = 0; i < kCount; ++i) mean += double(e.kl_per_dimension.data()[3 * i + j]) / kCount;
      counted += std::max(mean, free_bits);
    }
    const Numbers n = objective_of(built, x, kCount);
    CHECK(n.loss == doctest::Approx(-n.term("reconstruction") + counted).epsilon(kTolerance));
  }
}

TEST_CASE("the loss is a mean over the batch: the same examples twice give the same loss") {
  for (const ModelEntry& entry : model_registry())
    for (const LikelihoodCase& one : likelihood_cases()) {
      CAPTURE(std::string(entry.name));
      CAPTURE(one.settings);
      const std::vector<Real> x = synthetic(one.values, kCount);
      for (const bool training : {false, true}) {
        const Built built = build_small(entry, one.settings, data_spec(one.values));
        if (!has_setting(entry, "latent_dim")) continue;  // its noise is elsewhere, or its codes are discrete
        const auto* const variational = dynamic_cast<const VariationalModel*>(built.model.get());
        // Its noise cannot be removed, or its rate is estimated from the draw, however narrow q is.
        if (variational != nullptr && variational->levels().size() == 1 && !variational->has_rate_per_dimension()) continue;
        if (built.model->has_density()) remove_noise(built);
        const Numbers once = objective_of(built, x, kCount, training), both = objective_of(built, twice(x), 2 * kCount, training);
        // Importance weights hold log q of the noise itself, however narrow q is; test_importance_bounds.cpp has their mean.
        const bool weighted = std::ranges::any_of(once.terms, [](const auto& term) { return term.first == "bound"; });
        // Terms of q(z) as a whole compare the examples of a batch with each other; test_aggregate_posterior.cpp has what they are.
        constexpr std::array kOfWhole{"mmd", "penalty", "mutual_information"};
        if (std::ranges::any_of(once.terms, [&](const auto& term) { return std::ranges::count(kOfWhole, term.first) > 0; })) continue;
        if (!weighted) CHECK(both.loss == doctest::Approx(once.loss).epsilon(kTolerance));
        for (std::size_t t = 0; t < once.terms.size(); ++t) {
          const std::string& term = once.terms[t].first;
          // Of shuffled codes, or of draws of the prior, which are others with every size of batch.
          if (term == "discriminator_loss" || term == "decoder_loss" || (weighted && term != "reconstruction")) continue;
          CHECK(both.terms[t].second == doctest::Approx(once.terms[t].second).epsilon(kTolerance));
        }
      }
    }
}

TEST_CASE("the log-likelihood is a sum over the data dimensions: each pixel twice gives it twice, and leaves the KL") {
  const std::string linear = R"({"encoder": {"hidden": []}, "decoder": {"hidden": []}})";
  for (const char* name :
       {"autoencoder", "vae", "beta_vae"}) {  // whose weights have this layout; all models share the likelihoods
    const ModelEntry& entry = find_model(name);
    for (const LikelihoodCase& one : likelihood_cases()) {
      CAPTURE(std::string(entry.name));
      CAPTURE(one.settings);
      const Built narrow = build_small(entry, one.settings, data_spec(one.values), linear);
      const Built wide = build_small(entry, one.settings, data_spec(one.values, 2 * kDimension), linear);
      const std::vector<Real> x = synthetic(one.values, kCount);
      std::vector<Real> x_twice;  // each row twice, side by side
      for (Index i = 0; i < kCount; ++i)
        for (int copy = 0; copy < 2; ++copy)
          x_twice.insert(x_twice.end(), x.begin() + i * kDimension, x.begin() + (i + 1) * kDimension);

      // The wide encoder looks at the first copy alone; the wide decoder writes every output twice (location and scale apart).
      const auto in = narrow.values("encoder/head/weight"), wide_in = wide.values("encoder/head/weight");
      for (std::size_t r = 0; r < wide_in.size() / (2 * kDimension); ++r)
        for (std::size_t j = 0; j < 2 * kDimension; ++j)
          wide_in[r * 2 * kDimension + j] = j < kDimension ? in[r * kDimension + j] : Real(0);
      std::ranges::copy(narrow.values("encoder/head/bias"), wide.values("encoder/head/bias").begin());
      const auto out = narrow.values("decoder/output/weight"), wide_out = wide.values("decoder/output/weight");
      const auto bias = narrow.values("decoder/output/bias"), wide_bias = wide.values("decoder/output/bias");
      for (std::size_t r = 0; r < wide_bias.size(); ++r) {
        const std::size_t from = r / (2 * kDimension) * kDimension + r % kDimension;
        wide_bias[r] = bias[from];
        for (std::size_t j = 0; j < 3; ++j) wide_out[r * 3 + j] = out[from * 3 + j];
      }
      const Numbers once = objective_of(narrow, x, kCount), both = objective_of(wide, x_twice, kCount);
      CHECK(both.term("reconstruction") == doctest::Approx(2 * once.term("reconstruction")).epsilon(kTolerance));
      if (narrow.model->has_density()) CHECK(both.term("kl") == doctest::Approx(once.term("kl")).epsilon(kTolerance));
    }
  }
}

TEST_CASE("importance weights put the most weight on the best sample") {
  // With q(z | x) = p(z) the log weight of z is log p(x | z): the sample that explains x best weighs most.
  constexpr Index samples = 50;
  const Built built = small("vae", gaussian(), R"({"encoder": {"hidden": []}, "decoder": {"hidden": []}})");
  std::ranges::fill(built.values("encoder/head/weight"), Real(0));
  std::ranges::fill(built.values("encoder/head/bias"), Real(0));
  const std::vector<Real> x = synthetic(Values::real, kCount);
  Tape tape;
  const Key key(8);
  const Var log_w = built.model->log_weights({tape, false, key}, minibatch(tape, x, kCount), samples);
  const Var z = ad::normal(tape, {kCount * samples, 3}, key.fold("z"));  // the same draws
  const Var mean = built.model->decode({tape, false, key}, z, {});
  for (Index i = 0; i < kCount; ++i) {
    std::vector<double> error(samples), weight(samples);
    for (Index k = 0; k < samples; ++k) {
      for (Index j = 0; j < kDimension; ++j)
        error[static_cast<std::size_t>(k)] += std::pow(double(x[static_cast<std::size_t>(i * kDimension + j)]) -
                                                       double(mean.data()[(i * samples + k) * kDimension + j]), 2);
      weight[static_cast<std::size_t>(k)] = double(log_w.data()[i * samples + k]);
    }
    const auto best = std::ranges::min_element(error) - error.begin(), worst = std::ranges::max_element(error) - error.begin();
    CHECK(std::ranges::max_element(weight) - weight.begin() == best);
    CHECK(std::ranges::min_element(weight) - weight.begin() == worst);
    // sigma is 0.5: log w differs by 2 (error - error').
    const auto b = static_cast<std::size_t>(best), w = static_cast<std::size_t>(worst);
    CHECK(weight[b] - weight[w] == doctest::Approx(2 * (error[w] - error[b])).epsilon(1e-4));
  }
}

TEST_CASE("the autoencoder has no density and says so") {
  const Built built = small("autoencoder", gaussian());
  CHECK_FALSE(built.model->has_density());
  const std::vector<Real> x = synthetic(Values::real, kCount);
  Tape tape;
  const Context c{tape, false, Key(1)};
  CHECK_THROWS_WITH_AS(built.model->log_weights(c, minibatch(tape, x, kCount), 3),
                       "[autoencoder] has no density: importance sampling needs a prior and a posterior", ad::Error);
  const ElboTerms e = built.model->elbo(c, minibatch(tape, x, kCount), Code::sample);
  for (const Real v : e.kl.value()) CHECK(v == 0);
}

TEST_CASE("describe() names every weight of the objective") {
  const auto says = [](const char* name, const std::string& extra, const std::string& text) {
    const std::string line = small(name, gaussian(), extra).model->describe();
    CHECK_MESSAGE(line.find(text) != std::string::npos, line);
  };
  says("vae", "{}", "KL weight 1");
  says("vae", R"({"kl_weight": {"name": "cyclical"}})", "KL weight 1 (cyclical)");
  says("vae", R"({"free_bits": 0.5})", "free bits 0.5");
  says("beta_vae", R"({"objective": {"beta": 2.5}})", "KL weight 2.5");
  says("beta_vae", R"({"objective": {"name": "capacity", "gamma": 30, "max_capacity": 12}})",
       "30 |KL - C|, C up to 12 nats over 100000 steps");
  says("autoencoder", "{}", "Gaussian, sigma 0.5 (fixed)");
}
