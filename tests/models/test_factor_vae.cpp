#include <doctest/doctest.h>

#include <cmath>

#include "autodiff/optimizers.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;
using Values = LikelihoodCase::Values;

namespace {

double term(const Objective& o, const std::string& name) {
  for (const Term& t : o.report())
    if (t.name == name) return double(t.value.item());
  FAIL("no term ", name);
  return 0;
}

}  // namespace

TEST_CASE("the discriminator's estimate comes to the total correlation of a code whose density is known") {
  // x ~ N(0, 0.8 R), R of correlation rho, and an encoder that gives N(x, 0.2): q(z) = N(0, S) with 1 on the diagonal and 0.8 rho off it.
  // Its total correlation is -log(1 - (0.8 rho)^2) / 2.
  constexpr double rho = 0.9;
  constexpr Index count = 512;
  const Built built = build("factor_vae",
                            R"({"latent_dim": 2, "encoder": {"hidden": []}, "decoder": {"hidden": []},
                                "likelihood": "gaussian", "discriminator": {"hidden": [64, 64]}})",
                            data_spec(Values::real, 2));
  const auto set = [&](const char* path, const std::vector<Real>& values) {
    std::ranges::copy(values, built.store->find(path)->value().begin());
  };
  const Real log_variance = static_cast<Real>(std::log(0.2));
  set("encoder/head/weight", {1, 0, 0, 1, 0, 0, 0, 0});
  set("encoder/head/bias", {0, 0, log_variance, log_variance});
  for (ad::Parameter& p : built.store->all())
    if (!p.path().starts_with("discriminator/")) p.set_trainable(false);

  ad::Adam adam(*built.store);
  Tape tape;
  double estimate = 0, last = 0;
  for (std::uint64_t step = 0; step < 1500; ++step) {
    tape.reset();
    built.store->zero_grad();
    std::vector<Real> x(2 * count), e(2 * count);
    ad::fill_normal(Key(8).fold(step), e);
    for (std::size_t i = 0; i < x.size(); i += 2) {
      x[i] = static_cast<Real>(std::sqrt(0.8)) * e[i];
      x[i + 1] = static_cast<Real>(std::sqrt(0.8) * (rho * double(e[i]) + std::sqrt(1 - rho * rho) * double(e[i + 1])));
    }
    const Objective o = built.model->objective({tape, true, Key(9).fold(step)}, minibatch(tape, x, count));
    tape.backward(o.losses()[1].value, o.losses()[1].groups);
    adam.step(step < 1000 ? 2e-3 : 2e-4);
    if (step < 1000) continue;
    estimate += term(o, "total_correlation") / 500;
    last = term(o, "discriminator_loss");
  }
  const double r = 0.8 * rho, truth = -0.5 * std::log(1 - r * r);
  CHECK(estimate == doctest::Approx(truth).epsilon(0.02 / truth));  // 0.365; 500 batches of 512 draws: an error of about 0.003
  CHECK(last < std::log(2.0));
}

TEST_CASE("factor_vae with gamma 0 is the vae, and its loss has gamma times the estimate") {
  const std::vector<Real> x = synthetic(Values::real, 16);
  const auto parts = [&](const std::string& name, const std::string& extra) {
    const Built built = build_small(find_model(name), R"({"name": "gaussian", "sigma": 0.5})", data_spec(Values::real), extra);
    Tape tape;
    const Objective o = built.model->objective({tape, true, Key(3)}, minibatch(tape, x, 16));
    return std::pair(double(o.loss.item()), name == "vae" ? 0 : term(o, "total_correlation"));
  };
  const auto vae = parts("vae", "{}"), none = parts("factor_vae", R"({"gamma": 0})"), some = parts("factor_vae", R"({"gamma": 7})");
  CHECK(none.first == doctest::Approx(vae.first).epsilon(1e-6));
  CHECK(some.second == none.second);
  CHECK(some.first == doctest::Approx(vae.first + 7 * some.second).epsilon(1e-5));
}
