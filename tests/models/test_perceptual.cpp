// Likeness of images: MS-SSIM and its objective, the discriminator's features, and noise on the input.
#include <doctest/doctest.h>

#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/parts/ssim.hpp"
#include "models/parts/latent_model.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;

namespace {

Var image(Tape& tape, double k) {
  const Var x = tape.node("image", {1, 24 * 24}, {});
  for (Index i = 0; i < 24; ++i)
    for (Index j = 0; j < 24; ++j)
      x.data()[i * 24 + j] = static_cast<Real>(.5 + .5 * std::sin(.37 * double(i) + .23 * double(j) * (1 + .1 * k) + k));
  return x;
}

double reported(const Objective& o, const std::string& name) {
  for (const Term& term : o.report())
    if (name == term.name) return double(term.value.item());
  return NAN;
}

}  // namespace

TEST_CASE("MS-SSIM of two waves is what a PyTorch version of the formula gives in double, and 1 of equal images") {
  const ImageShape shape{24, 24, 1};
  CHECK(most_ssim_scales(shape) == 2);
  CHECK(most_ssim_scales({28, 28, 1}) == 2);
  CHECK(most_ssim_scales({256, 256, 3}) == 5);
  CHECK(most_ssim_scales({8, 8, 1}) == 0);
  Tape tape;
  const Var a = image(tape, 0), b = image(tape, .3);
  CHECK(double(multi_scale_ssim(a, b, shape, 1).item()) == doctest::Approx(0.8554915070659134).epsilon(1e-5));
  CHECK(double(multi_scale_ssim(a, b, shape, 2).item()) == doctest::Approx(0.9179199448315581).epsilon(1e-5));
  for (const Index scales : {1, 2})
    CHECK(double(multi_scale_ssim(a, a, shape, scales).item()) == doctest::Approx(1).epsilon(1e-6));
}

TEST_CASE("objective ms_ssim: the loss from its parts; what it cannot compare is refused") {
  const DataSpec images{.height = 12, .width = 12, .channels = 1, .unit_interval = true};
  const Built m = build("vae", R"({"objective": {"name": "ms_ssim", "weight": 50}, "beta": 2})", images);
  Tape tape;
  const std::vector<Real> x = synthetic(LikelihoodCase::Values::unit, 4, 144);
  const Objective o = m.model->objective({tape, true, Key(2)}, {.x = tape.constant({4, 144}, x)});
  CHECK(double(o.loss.item()) == doctest::Approx(50 * (1 - reported(o, "ms_ssim")) + 2 * reported(o, "kl")).epsilon(1e-5));
  const auto refused = [](const std::string& model, const std::string& settings, const DataSpec& data) {
    return message_of([&] { build(model, settings, data); });
  };
  CHECK(refused("vae", R"({"objective": "ms_ssim"})", {.height = 8, .width = 8})
            .find("compares images of 11 x 11 pixels and more") != std::string::npos);
  CHECK(
      refused("vae", R"({"objective": {"name": "ms_ssim", "scales": 3}})", {.height = 28, .width = 28}).find("have room for 2") !=
      std::string::npos);
  CHECK(refused("hvae", R"({"objective": "ms_ssim"})", {.height = 28, .width = 28}).find("a model of one code") !=
        std::string::npos);
}

TEST_CASE("vae_gan: each loss trains its own part, and the feature error is that of the discriminator's features") {
  const DataSpec data = data_spec(LikelihoodCase::Values::binary);
  const std::vector<Real> x = synthetic(LikelihoodCase::Values::binary, 6);
  const Built m = build_small(find_model("vae_gan"), R"({"name": "bernoulli"})", data,
                              R"({"discriminator": {"name": "mlp", "hidden": [5], "activation": "tanh"}, "margin": 10})");
  const auto moved = [&](std::size_t which) {
    m.store->zero_grad();
    Tape tape;
    const Objective o = m.model->objective({tape, true, Key(3)}, minibatch(tape, x, 6));
    REQUIRE(o.losses().size() == 3);
    tape.backward(o.losses()[which].value, o.losses()[which].groups);
    std::string groups;
    for (ad::Parameter& p : m.store->all()) {
      const std::string group = p.path().substr(0, p.path().find('/'));
      if (std::ranges::any_of(p.gradient(), [](Real g) { return g != 0; }) && groups.find(group) == std::string::npos)
        groups += group + " ";
    }
    return groups;
  };
  CHECK(moved(0) == "encoder ");
  CHECK(moved(1) == "decoder ");
  CHECK(moved(2) == "discriminator ");
}

TEST_CASE("vae_gan: its reconstructions come nearer to the data, in pixels that its loss never sees") {
  constexpr Index count = 64;
  const std::vector<Real> x = synthetic(LikelihoodCase::Values::binary, count);
  const Built m = build_small(find_model("vae_gan"), R"({"name": "bernoulli"})", data_spec(LikelihoodCase::Values::binary),
                              R"({"discriminator": {"name": "mlp", "hidden": [16], "activation": "tanh"}, "beta": 0.01})");
  const auto error = [&] {
    Tape tape(ad::Grad::off);
    const Context c{tape, false, Key(5)};
    const Minibatch batch = minibatch(tape, x, count);
    const Var again = m.model->decode(c, m.model->encode(c, batch), batch);
    double total = 0;
    for (std::size_t i = 0; i < x.size(); ++i) total += std::pow(double(again.value()[i]) - double(x[i]), 2) / double(x.size());
    return total;
  };
  const double before = error();
  train(m, x, count, 600);
  MESSAGE("squared error before and after: ", before, ", ", error());
  CHECK(error() < 0.7 * before);
}

TEST_CASE("corruption: training hides a share of x from the encoder, evaluation none") {
  constexpr Index count = 4000;
  Tape tape;
  const Var x = tape.constant({count, 5}, Real(.7));
  const auto apply = [&](const char* name, bool training) {
    CorruptionConfig corruption;
    corruption.name = name;
    return corruption({tape, training, Key(4)}, x);
  };
  for (const char* name : {"gaussian", "masking", "salt_and_pepper"})
    CHECK(std::ranges::equal(apply(name, false).value(), x.value()));
  Sample noise, square, zero, one;  // |z| < 5
  const Var gaussian = apply("gaussian", true), masked = apply("masking", true), salted = apply("salt_and_pepper", true);
  for (Index i = 0; i < x.size(); ++i) {
    const double e = double(gaussian.data()[i]) - double(Real(.7));
    noise.add(e), square.add(e * e);
    zero.add(masked.data()[i] == 0);
    one.add(salted.data()[i] == 1);
  }
  CHECK(std::abs(noise.z(0)) < 5);
  CHECK(std::abs(square.z(.01)) < 5);
  CHECK(std::abs(zero.z(.3)) < 5);
  CHECK(std::abs(one.z(.15)) < 5);

  const std::vector<Real> data = synthetic(LikelihoodCase::Values::binary, 6);
  for (const char* model : {"vae", "autoencoder"}) {
    const Built plain = build_small(find_model(model), R"({"name": "bernoulli"})", data_spec(LikelihoodCase::Values::binary)),
                noisy = build_small(find_model(model), R"({"name": "bernoulli"})", data_spec(LikelihoodCase::Values::binary),
                                    R"({"corruption": "masking"})");
    const auto loss = [&](const Built& m, bool training) {
      tape.reset();
      return m.model->objective({tape, training, Key(3)}, minibatch(tape, data, 6)).loss.item();
    };
    CHECK(loss(plain, false) == loss(noisy, false));
    CHECK(loss(plain, true) != loss(noisy, true));
  }
}
