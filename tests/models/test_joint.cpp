// Codes of real numbers and classes.
#include <doctest/doctest.h>

#include <cmath>

#include "autodiff/reduce.hpp"
#include "models/distributions/categorical.hpp"
#include "models/distributions/joined.hpp"
#include "models/distributions/normal.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;

TEST_CASE("joined laws: densities and KLs add up, draws of each part are its own") {
  Tape tape(ad::Grad::off);
  const std::vector<Real> mean{Real(0.4), Real(-1)}, log_variance{Real(0.2), Real(-0.5)}, logits{0, Real(0.5), -1};
  const DiagonalNormal normal(tape.constant({1, 2}, mean), tape.constant({1, 2}, log_variance));
  const OneHotCategorical classes = OneHotCategorical::of_logits(tape.constant({1, 3}, logits), 3),
                          uniform = OneHotCategorical(tape.constant({1, 1, 3}, -std::log(Real(3))));
  const StandardNormal standard(tape, 1, 2);
  const std::array<Joined::Part, 2> of_q{{{&normal, 2}, {&classes, 3}}}, of_p{{{&standard, 2}, {&uniform, 3}}};
  const Joined q(tape, of_q), p(tape, of_p);
  CHECK(double(kl(q, p).item()) ==
        doctest::Approx(double(kl(normal, standard).item()) + 0.1458047247).epsilon(1e-6));  // of the classes: by hand
  const Draw z = q.rsample(Key(3));
  CHECK(z.value.shape() == Shape{1, 5});
  double ones = 0;
  for (const Real v : z.value.value().subspan(2)) ones += double(v);
  CHECK(ones == 1);
  Sample estimate;  // |z| < 5
  for (std::uint64_t i = 0; i < 4000; ++i) {
    const Var one = q.rsample(Key(5).fold(i)).value;
    estimate.add(double(q.log_prob(one).item()) - double(p.log_prob(one).item()));
  }
  CHECK(std::abs(estimate.z(double(kl(q, p).item()))) < 5);
}

TEST_CASE("joint_vae with no capacity is a beta-VAE with beta = gamma; with one, the distances are of the batch's means") {
  constexpr Index count = 12;
  const DataSpec data = data_spec(LikelihoodCase::Values::binary);
  const std::vector<Real> x = synthetic(LikelihoodCase::Values::binary, count);
  const std::string shape =
      R"("latent_dim": 7, "encoder": {"name": "mlp", "hidden": [5]}, "decoder": {"name": "mlp", "hidden": [5]})";
  const auto loss = [&](const Built& built, std::int64_t step) {
    Tape tape;
    return double(built.model->objective({tape, true, Key(5), {.step = step}}, minibatch(tape, x, count)).loss.item());
  };
  const std::string joint = R"("posterior": {"name": "joint", "discrete": [3, 2]}, "prior": "joint")";
  const Built plain = build("vae", "{" + shape + ", " + joint + R"(, "beta": 30})", data);
  const Built none =
      build("joint_vae", "{" + shape + R"(, "discrete": [3, 2], "max_capacity": 0, "max_discrete_capacity": 0})", data);
  CHECK(loss(none, 100) == doctest::Approx(loss(plain, 100)).epsilon(1e-6));

  // Far below both capacities each distance falls by what the KL gains.
  const Built held = build("joint_vae", "{" + shape + R"(, "discrete": [3, 2], "max_capacity": 100, "max_discrete_capacity": 100,
                                        "capacity_steps": 10})",
                           data);
  Tape tape;
  const Objective o = held.model->objective({tape, true, Key(5), {.step = 10}}, minibatch(tape, x, count));
  double real = 0, classes = 0, reconstruction = 0;
  for (const Term& term : o.report()) {
    const double value = double(term.value.item());
    if (std::string(term.name) == "kl_real") real = value;
    if (std::string(term.name) == "kl_classes") classes = value;
    if (std::string(term.name) == "reconstruction") reconstruction = value;
    if (std::string(term.name) == "discrete_capacity")
      CHECK(value == doctest::Approx(std::log(6.0)).epsilon(1e-6));  // what two variables can hold
  }
  CHECK(double(o.loss.item()) == doctest::Approx(-reconstruction + 30 * (100 - real + std::log(6.0) - classes)).epsilon(1e-5));
}

TEST_CASE("what a joint code cannot be combined with is refused with a sentence") {
  const DataSpec data = data_spec(LikelihoodCase::Values::binary);
  const auto refused = [&](const char* model, const std::string& settings) {
    return message_of([&] { build(model, settings, data); });
  };
  CHECK(refused("vae", R"({"objective": "joint_capacity"})")
            .starts_with("model.objective: joint_capacity needs a code of real numbers and classes"));
  CHECK(refused("vae", R"({"posterior": "joint"})").find("choose prior joint") != std::string::npos);
  CHECK(refused("joint_vae", R"({"latent_dim": 10})").starts_with("model.latent_dim: 10 leaves no real number"));
}
