// Every objective with every model of q(z | x), p(z) and p(x | z): what it reports is what loops over the model's own draws give.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "autodiff/gradcheck.hpp"
#include "models/objectives/variational_objective.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;
using Values = LikelihoodCase::Values;

namespace {

constexpr double kTolerance = sizeof(Real) == 4 ? 3e-5 : 1e-11;
constexpr Index kCount = 7;

struct Family {
  const char* name;
  std::string settings;
};
const std::array<Family, 8> kFamilies{{{"vae", ""},
                                       {"vae", R"(, "prior": {"name": "mixture", "components": 3})"},
                                       {"vae", R"(, "posterior": {"name": "iaf", "length": 2, "hidden": [4], "context": 3})"},
                                       {"conditional_vae", R"(, "prior": "conditional")"},
                                       {"hvae", R"(, "inference": "bottom_up")"},
                                       {"hvae", R"(, "inference": "top_down")"},
                                       {"ladder_vae", ""},
                                       {"top_down_vae", ""}}};

Built built_with(const Family& family, const std::string& objective, const std::string& weight = R"("kl_weight": "constant")",
                 const std::string& more = "") {
  const LikelihoodCase& gaussian = likelihood_cases()[1];
  return build_small(find_model(family.name), gaussian.settings, data_spec(Values::real),
                     "{\"objective\": " + objective + ", " + weight + family.settings + more + "}");
}

double term(const Objective& o, const std::string& name) {
  for (const Term& t : o.report())
    if (name == t.name) return double(t.value.item());
  FAIL("no term " << name);
  return 0;
}

/// log p(x | z_k) - beta log q(z_k | x) / p(z_k) of the draws that an objective with this key makes, [B, K] in double.
std::vector<double> log_weights(const Built& built, std::span<const Real> x, Index samples, double beta) {
  Tape tape(ad::Grad::off);
  const ImportanceSamples draws =
      dynamic_cast<const VariationalModel&>(*built.model).weighted_draws({tape, false, Key(4)}, minibatch(tape, x, kCount), samples);
  std::vector<double> w;
  for (Index i = 0; i < kCount * samples; ++i) w.push_back(double(draws.log_p_x.data()[i]) - beta * double(draws.log_ratio.data()[i]));
  return w;
}

/// The mean over the batch of 1/M sum_m log 1/K sum_k w_mk.
double bound(const std::vector<double>& w, std::size_t groups, std::size_t samples) {
  double total = 0;
  for (std::size_t i = 0; i < kCount * groups; ++i)
    total += log_mean_exp(std::span<const double>(w).subspan(i * samples, samples)) / double(kCount * groups);
  return total;
}

}  // namespace

TEST_CASE("every objective on every variational model is what its formula makes of the model's draws") {
  const std::vector<Real> x = synthetic(Values::real, kCount);
  for (const Family& family : kFamilies)
    for (const double beta : {1.0, 0.4}) {
      CAPTURE(std::string(family.name));
      CAPTURE(family.settings);
      const std::string weight = R"("kl_weight": "constant", "beta": )" + std::to_string(beta);
      const auto check = [&](const std::string& objective, const std::string& of_weight, const auto& expected) {
        CAPTURE(objective);
        const Built built = built_with(family, objective, of_weight);
        Tape tape;
        const Objective o = built.model->objective({tape, false, Key(4), {.step = 50, .epoch = 0}}, minibatch(tape, x, kCount));
        CHECK(double(o.loss.item()) == doctest::Approx(expected(built, o)).epsilon(kTolerance));
      };
      check(R"("elbo")", weight, [&](const Built&, const Objective& o) { return -term(o, "reconstruction") + beta * term(o, "kl"); });
      check(R"({"name": "iwae", "samples": 5})", weight, [&](const Built& b, const Objective&) { return -bound(log_weights(b, x, 5, beta), 1, 5); });
      check(R"({"name": "miwae", "bounds": 3, "samples": 2})", weight,
            [&](const Built& b, const Objective&) { return -bound(log_weights(b, x, 6, beta), 3, 2); });
      check(R"({"name": "ciwae", "samples": 6, "beta": 0.3})", weight, [&](const Built& b, const Objective&) {
        const std::vector<double> w = log_weights(b, x, 6, beta);
        return -0.3 * bound(w, 6, 1) - 0.7 * bound(w, 1, 6);
      });
      if (beta == 1)
        check(R"({"name": "capacity", "gamma": 7, "max_capacity": 3, "capacity_steps": 100})", R"("kl_weight": "constant")",
              [&](const Built&, const Objective& o) { return -term(o, "reconstruction") + 7 * std::abs(term(o, "kl") - 1.5); });
    }
}

TEST_CASE("with several levels every objective reports the rate of each, whose sum is the kl") {
  const std::vector<Real> x = synthetic(Values::real, kCount);
  for (const char* objective : {R"("elbo")", R"("capacity")", R"("iwae")", R"("miwae")", R"("ciwae")"}) {
    CAPTURE(objective);
    const Built built = built_with(kFamilies[5], objective);
    Tape tape;
    const Objective o = built.model->objective({tape, false, Key(4)}, minibatch(tape, x, kCount));
    CHECK(term(o, "kl") == doctest::Approx(term(o, "kl_z1") + term(o, "kl_z2")).epsilon(kTolerance));
  }
}

TEST_CASE("what an objective cannot do with a model is refused with a sentence") {
  const auto refused = [](const Family& family, const std::string& objective, const std::string& weight = R"("kl_weight": "constant")",
                          const std::string& more = "") { return message_of([&] { built_with(family, objective, weight, more); }); };
  for (const Family& family : {kFamilies[2], kFamilies[4], kFamilies[6]})
    CHECK(refused(family, R"("piwae")").starts_with("model.objective: piwae weighs what each draw sends to the encoder"));
  CHECK(refused(kFamilies[4], R"("piwae")", R"("kl_weight": "constant")", R"(, "estimator": "dreg")") == "");
  for (const char* objective : {R"("iwae")", R"("miwae")", R"("ciwae")", R"("piwae")"})
    CHECK(refused(kFamilies[0], objective, R"("free_bits": 0.1)").starts_with("model.free_bits: they belong to the ELBO"));
  for (const char* weight : {R"("free_bits": 0.1)", R"("beta": 2)", R"("kl_weight": "linear")"})
    CHECK(refused(kFamilies[0], R"("capacity")", weight).starts_with("model.objective: capacity has a weight of the KL of its own"));
  for (const char* more : {R"(, "prior": "mixture")", R"(, "estimator": "stl")"})
    for (const Family& family : {kFamilies[0], kFamilies[5]})
      CHECK(refused(family, R"("elbo")", R"("free_bits": 0.1)", more).starts_with("model.free_bits: they need the KL of each dimension"));
  CHECK(refused(kFamilies[5], R"("miwae")", R"("samples": 3)").find("stands for objective iwae, and the objective is miwae") != std::string::npos);
}

#ifdef VAEZOO_DOUBLE
TEST_CASE("the gradient of every objective on every variational model matches differences to 1e-6") {
  const std::vector<Real> x = synthetic(Values::real, kCount);
  for (const Family& family : kFamilies)
    for (const std::string objective : {R"("elbo")", R"({"name": "capacity", "gamma": 3})", R"({"name": "iwae", "samples": 3})",
                                        R"({"name": "miwae", "bounds": 2, "samples": 2})", R"({"name": "ciwae", "samples": 3})"}) {
      CAPTURE(std::string(family.name));
      CAPTURE(family.settings);
      CAPTURE(objective);
      const Built built = built_with(family, objective);
      const ad::GradcheckReport report = ad::gradcheck_parameters(*built.store, [&](Tape& tape) {
        return built.model->objective({tape, true, Key(6), {.step = 50, .epoch = 0}}, minibatch(tape, x, kCount)).loss;
      });
      CHECK_MESSAGE(report.passed, report.text());
    }
}
#endif
