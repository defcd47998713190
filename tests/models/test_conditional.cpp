#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autodiff/gradcheck.hpp"
#include "autodiff/reduce.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;
using Values = LikelihoodCase::Values;

namespace {

const std::string kSmall = R"("latent_dim": 2, "encoder": {"name": "mlp", "hidden": [7], "activation": "tanh"},
                             "decoder": {"name": "mlp", "hidden": [6], "activation": "tanh"})";

std::string settings(const std::string& by, const std::string& prior, const std::string& on = "labels") {
  return "{" + kSmall + R"(, "condition": {"on": ")" + on + R"(", "by": ")" + by + R"(", "embedding_dim": 4}, "prior": )" +
         prior + "}";
}

#ifdef VAEZOO_DOUBLE
DataSpec with_conditions(Index conditions) {
  DataSpec data = data_spec(Values::unit);
  data.conditions = conditions;
  return data;
}
#endif

constexpr const char* kPriors[] = {R"("standard_normal")", R"({"name": "conditional", "hidden": [3]})",
                                   R"({"name": "mixture", "components": 3})", R"({"name": "vampprior", "components": 3})"};

}  // namespace

#ifdef VAEZOO_DOUBLE
TEST_CASE("conditional VAE: the gradient is right for every way of being told, on labels and on real conditions") {
  constexpr Index count = 6;
  const std::vector<Real> x = synthetic(Values::unit, count), y = synthetic(Values::real, count, 2, 9);
  for (const char* by : {"concat", "embedding", "film"})
    for (const char* prior : kPriors)
      for (const char* on : {"labels", "conditions"}) {
        CAPTURE(by);
        CAPTURE(prior);
        const Built built = build("conditional_vae", settings(by, prior, on), with_conditions(2));
        const ad::GradcheckReport report = gradcheck_parameters(*built.store, [&](Tape& tape) {
          Minibatch batch = minibatch(tape, x, count);
          batch.conditions = tape.constant({count, 2}, y);
          return built.model->objective({tape, true, Key(6)}, batch).loss;
        });
        CHECK_MESSAGE(report.passed, report.text());
        CHECK(report.checked == built.store->count());
      }
}
#endif

TEST_CASE("conditional VAE: what is generated depends on the label, once its weights are not zero") {
  const std::vector<Real> x = synthetic(Values::unit, 6);
  for (const char* by : {"concat", "embedding", "film"}) {
    CAPTURE(by);
    const Built built = build("conditional_vae", settings(by, kPriors[0]), data_spec(Values::unit));
    ad::fill_normal(Key(4), built.store->values());
    Tape tape(ad::Grad::off);
    const Var z = tape.constant({2, 2}, Real(0.3));
    const std::vector<int> same{1, 1}, differ{1, 2};
    const Var a = built.model->decode({tape, false, Key(1)}, z, {.labels = same}),
              b = built.model->decode({tape, false, Key(1)}, z, {.labels = differ});
    for (Index j = 0; j < kDimension; ++j) {
      CHECK(a.data()[j] == a.data()[kDimension + j]);
      CHECK(b.data()[j] == a.data()[j]);
    }
    CHECK(std::abs(double(b.data()[kDimension] - b.data()[0])) > 1e-3);
  }
}

TEST_CASE("conditional VAE: the conditional prior is what the KL and the importance weights are taken against") {
  // With q(z | x, y) = p(z | y) the KL is 0 and log w = log p(x | z, y).
  constexpr Index count = 6;
  const Built built =
      build("conditional_vae", "{" + kSmall + R"(, "prior": {"name": "conditional", "hidden": []}})", data_spec(Values::unit));
  std::ranges::fill(built.values("encoder/head/weight"), Real(0));
  const std::vector<Real> head{Real(0.5), Real(-1), Real(0.2), Real(-0.3)};
  std::ranges::copy(head, built.values("encoder/head/bias").begin());
  std::ranges::fill(built.values("prior/0/weight"), Real(0));
  std::ranges::copy(head, built.values("prior/0/bias").begin());
  const std::vector<Real> x = synthetic(Values::unit, count);
  Tape tape(ad::Grad::off);
  const Context c{tape, false, Key(2)};
  const Minibatch batch = minibatch(tape, x, count);
  const ElboTerms e = built.model->elbo(c, batch, Code::sample);
  for (const Real k : e.kl.value()) CHECK(std::abs(double(k)) < 1e-6);
  const Var log_w = built.model->log_weights(c, batch, 1);
  for (Index i = 0; i < count; ++i)
    CHECK(double(log_w.data()[i]) == doctest::Approx(double(e.reconstruction.data()[i])).epsilon(1e-5));
}

TEST_CASE("conditional VAE: a pseudo-input of the VampPrior keeps the label of the example that it started from") {
  // One pseudo-input that is an example with its label: p(z) is q(z | x, y) of it, and log q - log p is 0 at every z.
  for (const char* by : {"concat", "embedding", "film"}) {
    CAPTURE(by);
    const Built built =
        build("conditional_vae", settings(by, R"({"name": "vampprior", "components": 1})"), data_spec(Values::unit));
    ad::fill_normal(Key(4), built.store->values());  // else a modulation starts as none
    const std::vector<Real> x = synthetic(Values::unit, 1);
    Tape tape(ad::Grad::off);
    const Context c{tape, false, Key(2)};
    const std::vector<int> label{2}, other{1};
    built.model->initialize(c, {.x = tape.constant({1, kDimension}, x), .labels = label});
    const auto rate = [&](const std::vector<int>& y) {
      return double(built.model->elbo(c, {.x = tape.constant({1, kDimension}, x), .labels = y}, Code::sample).kl.item());
    };
    CHECK(std::abs(rate(label)) < (sizeof(Real) == 4 ? 1e-5 : 1e-13));
    CHECK(std::abs(rate(other)) > 1e-3);
  }
}

TEST_CASE("conditional VAE: convolutions see the label as channels of every pixel") {
  const DataSpec image{.height = 9, .width = 6, .channels = 2, .classes = 3, .unit_interval = true};
  const Built built = build("conditional_vae", R"({"latent_dim": 2, "encoder": {"name": "conv", "channels": [4], "dense": []},
                                                  "decoder": {"name": "conv", "channels": [4], "dense": [8]}})", image);
  CHECK(built.store->find("encoder/conv/0/weight")->shape() == Shape{4, 5, 4, 4});  // 2 channels and 3 classes
  const std::vector<Real> x = synthetic(Values::unit, 5, image.size());
  Tape tape;
  const Objective o = built.model->objective({tape, true, Key(1)}, minibatch(tape, x, 5));
  CHECK(std::isfinite(double(o.loss.item())));
  tape.backward(o.loss);
  CHECK(built.store->first_nonfinite_gradient().empty());
}

TEST_CASE("conditional VAE: data without what it is to be told are refused in one sentence") {
  DataSpec bare = data_spec(Values::unit);
  bare.classes = 0;
  CHECK(message_of([&] { build("conditional_vae", "{}", bare); }) ==
        "model.condition.on: these data have no labels; choose a model without a condition");
  CHECK(message_of([&] { build("conditional_vae", settings("concat", kPriors[0], "conditions"), data_spec(Values::unit)); }) ==
        "model.condition.on: these data have no conditions; they have labels");
  const Built built = build("conditional_vae", "{" + kSmall + "}", data_spec(Values::unit));
  Tape tape(ad::Grad::off);
  const std::vector<int> labels{0, 7};
  CHECK(message_of([&] { built.model->decode({tape, false, Key(1)}, tape.constant({2, 2}, Real(0)), {.labels = labels}); })
            .find("label 7 of example 1 of the batch is not one of the 3 classes") != std::string::npos);
}

TEST_CASE("completion VAE: the baseline's gradient is its own loss's alone, and its guess is told as a constant") {
  constexpr Index count = 6;
  const DataSpec image{.height = 5, .width = 3, .channels = 2, .unit_interval = true};
  const std::vector<Real> x = synthetic(Values::unit, count, image.size());
  const std::string small =
      R"("latent_dim": 2, "encoder": {"hidden": [4]}, "prior_network": {"hidden": [4]}, "decoder": {"hidden": [4]}, "baseline": {"hidden": [4]})";
  for (const char* seen : {"1", "2", "3"}) {
    const Built built = build("completion_vae", "{\"seen\": " + std::string(seen) + ", " + small + "}", image);
    const auto gradient = [&](const char* term) {  // d(term) / d(baseline's first weights)
      Tape tape;
      built.store->zero_grad();
      const Objective o = built.model->objective({tape, true, Key(6)}, minibatch(tape, x, count));
      for (const Term& t : o.report())
        if (std::string(t.name) == term) tape.backward(t.value);
      if (std::string(term) == "loss") tape.backward(o.loss);
      const auto g = built.store->find("baseline/look/0/weight")->gradient();
      return std::vector<Real>(g.begin(), g.end());
    };
    CHECK(gradient("loss") == gradient("baseline_nll"));
    CHECK(std::ranges::all_of(gradient("reconstruction"), [](Real g) { return g == 0; }));
    CHECK(std::ranges::all_of(gradient("kl"), [](Real g) { return g == 0; }));
    CHECK(std::ranges::any_of(gradient("baseline_nll"), [](Real g) { return g != 0; }));
  }
}

TEST_CASE("completion VAE: what is seen stays as it is, and nothing of what is missing reaches the prior") {
  const DataSpec image{.height = 5, .width = 3, .channels = 2, .unit_interval = true};
  constexpr Index count = 2;
  const std::vector<Real> x = synthetic(Values::unit, count, image.size());
  // Rows of a quadrant: upper 2, lower 3; columns: left 1, right 2.
  const auto is_seen = [](Index row, Index column, int seen) {
    const bool left = column < 1, upper = row < 2;
    return (left && !upper) || (seen >= 2 && left) || (seen >= 3 && !upper);
  };
  for (const int seen : {1, 2, 3}) {
    const Built built = build("completion_vae", "{\"seen\": " + std::to_string(seen) + "}", image);
    std::vector<Real> changed = x;  // other pixels where nothing is seen
    for (Index b = 0; b < count; ++b)
      for (Index i = 0; i < image.size(); ++i)
        if (const Index pixel = i / 2; !is_seen(pixel / 3, pixel % 3, seen))
          changed[static_cast<std::size_t>(b * image.size() + i)] = Real(0.77);
    Tape tape(ad::Grad::off);
    const Context c{tape, false, Key(3)};
    const Minibatch given = minibatch(tape, x, count), other = minibatch(tape, changed, count);
    const Var z = built.model->sample_prior(c, count, given), z_other = built.model->sample_prior(c, count, other);
    CHECK(std::ranges::equal(z.value(), z_other.value()));
    const Var completed = built.model->decode(c, z, given), completed_other = built.model->decode(c, z, other);
    CHECK(std::ranges::equal(completed.value(), completed_other.value()));
    for (Index b = 0; b < count; ++b)
      for (Index i = 0; i < image.size(); ++i) {
        const Index at = b * image.size() + i, pixel = i / 2;
        if (is_seen(pixel / 3, pixel % 3, seen)) CHECK(completed.data()[at] == x[static_cast<std::size_t>(at)]);
      }
  }
}
