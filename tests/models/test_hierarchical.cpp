// What models with several stochastic layers must do: rates layer by layer, redrawn layers, free bits, bounds, maps of any size.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "autodiff/gradcheck.hpp"
#include "models/parts/hierarchical_model.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;
using Values = LikelihoodCase::Values;

namespace {

constexpr Index kCount = 7;
constexpr double kTolerance = sizeof(Real) == 4 ? 2e-4 : 1e-11;

const LikelihoodCase& gaussian() { return likelihood_cases()[1]; }  // sigma 0.5

const std::vector<const char*> kHierarchical{"hvae", "ladder_vae", "top_down_vae"};

std::string refusal(const std::string& model, const std::string& settings, const DataSpec& data = {.height = 28, .width = 28}) {
  return message_of([&] { build(model, settings, data); });
}

}  // namespace

TEST_CASE("hvae with one layer is the vae") {
  const Built vae = build_small(find_model("vae"), gaussian().settings, data_spec(Values::real));
  const Built hvae = build_small(find_model("hvae"), gaussian().settings, data_spec(Values::real), R"({"latent_dims": [3]})");
  for (const ad::Parameter& p : vae.store->all()) {
    const std::string path = p.path().starts_with("encoder/head") ? "q/z1" + p.path().substr(7) : p.path();
    std::ranges::copy(vae.values(p.path().c_str()), hvae.values(path.c_str()).begin());
  }
  const std::vector<Real> x = synthetic(Values::real, kCount);
  Tape tape;
  const Context c{tape, false, Key(5)};
  const Minibatch batch = minibatch(tape, x, kCount);
  const ElboTerms a = vae.model->elbo(c, batch, Code::mean), b = hvae.model->elbo(c, batch, Code::mean);
  CHECK(std::ranges::equal(a.reconstruction.value(), b.reconstruction.value()));
  CHECK(std::ranges::equal(a.kl_per_dimension.value(), b.kl_per_dimension.value()));
  CHECK(std::ranges::equal(vae.model->encode(c, batch).value(), hvae.model->encode(c, batch).value()));
}

TEST_CASE("resample_below keeps the upper layers bit for bit and draws the lower ones anew") {
  for (const char* name : kHierarchical) {
    CAPTURE(name);
    const Built built = build_small(find_model(name), gaussian().settings, data_spec(Values::real));
    const Model& model = *built.model;
    Tape tape(ad::Grad::off);
    const std::vector<Level> levels = model.levels();
    const Var z = model.encode({tape, false, Key(1)}, minibatch(tape, synthetic(Values::real, kCount), kCount));
    for (std::size_t keep = 0; keep <= levels.size(); ++keep) {
      const Var redrawn = model.resample_below({tape, false, Key(2)}, z, keep, {});
      REQUIRE(redrawn.shape() == z.shape());
      const Index border = keep == levels.size() ? model.latent_dim() : levels[keep].begin;
      for (Index i = 0; i < z.size(); ++i) CHECK((redrawn.data()[i] == z.data()[i]) == (i % model.latent_dim() >= border));
    }
  }
}

TEST_CASE("the layers' rates add up to the kl, and their names outlive the step") {
  for (const char* name : kHierarchical)
    for (const char* extra :
         {R"({"kl_weight": "constant"})", R"({"samples": 3})", R"({"free_bits": 0.1})", R"({"prior": "mixture"})"}) {
      CAPTURE(name);
      CAPTURE(extra);
      const Built built = build_small(find_model(name), gaussian().settings, data_spec(Values::real), extra);
      const std::vector<Real> x = synthetic(Values::real, kCount);
      Tape tape;
      std::vector<std::string> names;
      const Objective o = built.model->objective({tape, true, Key(1)}, minibatch(tape, x, kCount));
      double total = 0, rates = 0;
      for (const Term& t : o.report()) {
        names.emplace_back(t.name);
        if (names.back() == "kl") total = double(t.value.item());
        if (names.back().starts_with("kl_")) rates += double(t.value.item());
      }
      CHECK(rates == doctest::Approx(total).epsilon(1e-5));
      for (const Level& level : built.model->levels()) CHECK(std::ranges::count(names, "kl_" + level.name) == 1);
    }
}

TEST_CASE("a code's mean can be decoded, and what comes out is finite") {
  for (const char* name : kHierarchical)
    for (const LikelihoodCase& one : likelihood_cases()) {
      const Built built = build_small(find_model(name), one.settings, data_spec(one.values));
      Tape tape;
      const Context c{tape, false, Key(1)};
      const std::vector<Real> x_in = synthetic(one.values, kCount);
      const Minibatch batch = minibatch(tape, x_in, kCount);
      const Var x = built.model->decode(c, built.model->encode(c, batch), batch);
      CHECK(x.shape() == Shape{kCount, kDimension});
      for (const Real v : x.value()) CHECK(std::isfinite(v));
    }
}

TEST_CASE("the importance-weighted objective is the bound of its log weights") {
  for (const char* name : kHierarchical) {
    CAPTURE(name);
    const Built built = build_small(find_model(name), gaussian().settings, data_spec(Values::real),
                                    R"({"samples": 5, "kl_weight": "constant"})");
    const std::vector<Real> x = synthetic(Values::real, kCount);
    Tape tape;
    const Context c{tape, false, Key(1)};
    const Minibatch batch = minibatch(tape, x, kCount);
    const Var log_w = built.model->log_weights(c, batch, 5);
    double bound = 0;
    for (Index i = 0; i < kCount; ++i) bound += log_mean_exp(log_w.data() + 5 * i, 5) / kCount;
    CHECK(double(built.model->objective(c, batch).loss.item()) == doctest::Approx(-bound).epsilon(kTolerance));
  }
}

TEST_CASE("below the free bits the KL has no gradient and costs them exactly") {
  for (const char* name : kHierarchical) {
    CAPTURE(name);
    const std::vector<Real> x = synthetic(Values::real, kCount);
    const auto gradient = [&](const std::string& extra, double costs) {
      const Built built = build_small(find_model(name), gaussian().settings, data_spec(Values::real), extra);
      Tape tape;
      const Objective o = built.model->objective({tape, true, Key(1)}, minibatch(tape, x, kCount));
      built.store->zero_grad();
      tape.backward(o.loss);
      CHECK(double(o.loss.item()) == doctest::Approx(-double(o.terms[0].value.item()) + costs).epsilon(1e-5));
      return std::vector<Real>(built.store->gradients().begin(), built.store->gradients().end());
    };
    const std::string no_kl = R"({"kl_weight": {"name": "linear", "start": 0}})";  // its weight is 0 at step 0
    const double dimensions = std::string(name) == "top_down_vae" ? 3 : 5;
    const auto free = gradient(R"({"free_bits": 1000, "kl_weight": "constant"})", dimensions * 1000), none = gradient(no_kl, 0);
    for (std::size_t i = 0; i < free.size(); ++i)
      CHECK(double(free[i]) == doctest::Approx(double(none[i])).epsilon(1e-6).scale(1e-6));
  }
}

TEST_CASE("free bits of a map are counted by channel, over its pixels") {
  constexpr double free_bits = 1000;
  const Built built = build_small(find_model("top_down_vae"), gaussian().settings, data_spec(Values::real),
                                  R"({"scales": [1, 0], "latent_channels": [2, 3], "free_bits": 1000})");
  CHECK(built.model->latent_dim() == 6 * 2 + 3);  // images of 2 x 3
  Tape tape;
  const Objective o = built.model->objective({tape, true, Key(1)}, minibatch(tape, synthetic(Values::real, kCount), kCount));
  CHECK(double(o.loss.item()) == doctest::Approx(-double(o.terms[0].value.item()) + 5 * free_bits).epsilon(1e-5));
}

TEST_CASE("product() is the normalised product of two normals, with its limits") {
  const auto merge = [](double ma, double va, double mb, double vb) {
    Tape tape;
    const auto number = [&](double v) { return tape.constant({1, 1}, static_cast<Real>(v)); };
    const DiagonalNormal n = product({number(ma), number(std::log(va))}, {number(mb), number(std::log(vb))});
    return std::pair(double(n.mean.item()), std::exp(double(n.log_variance.item())));
  };
  const double digits = sizeof(Real) == 4 ? 1e-5 : 1e-12;
  for (const double ma : {-2.0, 0.3})
    for (const double va : {0.01, 1.0, 7.0})
      for (const double mb : {-0.5, 4.0})
        for (const double vb : {0.2, 1.0, 30.0}) {
          const auto [mean, variance] = merge(ma, va, mb, vb);
          CHECK(variance == doctest::Approx(1 / (1 / va + 1 / vb)).epsilon(digits));
          CHECK(mean == doctest::Approx((ma / va + mb / vb) / (1 / va + 1 / vb)).epsilon(digits));
          CHECK(merge(mb, vb, ma, va).first == doctest::Approx(mean).epsilon(digits));  // symmetric
        }
  CHECK(merge(1, 2, 5, 2).first == doctest::Approx(3).epsilon(digits));              // equal precision: the middle
  CHECK(merge(1, 1, 5, 1e30).first == doctest::Approx(1).epsilon(digits));           // nothing said by the other
  CHECK(merge(1, 1e30, 5, 1).first == doctest::Approx(5).epsilon(digits));
  CHECK(merge(1, 1e-20, 5, 1).second == doctest::Approx(1e-20).epsilon(digits));     // certain
}

TEST_CASE("a VampPrior sits on the top layer where that is inferred from x, and is refused where it is not") {
  const char* vamp = R"("prior": {"name": "vampprior", "components": 4})";
  for (const char* name : {"hvae", "ladder_vae"}) {
    CAPTURE(name);
    const std::string inference = std::string(name) == "hvae" ? R"("inference": "top_down", )" : "";
    const Built built = build_small(find_model(name), gaussian().settings, data_spec(Values::real), "{" + inference + vamp + "}");
    const std::vector<Real> x = synthetic(Values::real, kCount);
    {
      Tape tape(ad::Grad::off);
      CHECK(built.model->initial_examples() == 4);
      built.model->initialize({tape, false, Key(1)}, minibatch(tape, x, kCount));
    }
    const std::vector<double> loss = train(built, x, kCount, 50);
    CHECK(loss.back() < loss.front());
  }
  const std::string refused = [&] {
    try {
      build_small(find_model("hvae"), gaussian().settings, data_spec(Values::real),
                  R"({"inference": "bottom_up", )" + std::string(vamp) + "}");
    } catch (const ConfigError& e) {
      return std::string(e.what());
    }
    return std::string();
  }();
  CHECK_MESSAGE(refused.find("vampprior") != std::string::npos, refused);
}

TEST_CASE("top_down_vae: maps of images of any size, the code as wide as they are together") {
  const auto levels_of = [](Index height, Index width, Index channels) {
    const DataSpec data{.height = height, .width = width, .channels = channels, .levels = 256};
    const Built built = build("top_down_vae", R"({"scales": [2, 2, 0], "channels": [4], "blocks": [1, 2, 1],
                                                  "latent_channels": [1, 2, 3], "likelihood": "discretized_logistic"})", data);
    std::vector<std::string> names;
    Index end = 0;
    for (const Level& level : built.model->levels()) {
      CHECK(level.begin == end);
      end = level.end;
      names.push_back(level.name);
    }
    CHECK(end == built.model->latent_dim());
    Tape tape;
    const Context c{tape, false, Key(1)};
    const Var z = built.model->sample_prior(c, 2, {});
    CHECK(z.shape() == Shape{2, end});
    CHECK(built.model->decode(c, z, {}).shape() == Shape{2, data.size()});
    const Var x = tape.constant({2, data.size()}, Real(0.25));
    CHECK(built.model->encode(c, {.x = x}).shape() == z.shape());
    return names;
  };
  using Names = std::vector<std::string>;
  CHECK(levels_of(28, 28, 1) == Names{"z1_14x14", "z2_7x7", "z3_7x7", "z4"});
  CHECK(levels_of(28, 20, 1) == Names{"z1_14x10", "z2_7x5", "z3_7x5", "z4"});
  CHECK(levels_of(5, 3, 3) == Names{"z1_3x2", "z2_2x1", "z3_2x1", "z4"});
  CHECK(levels_of(1, 6, 1) == Names{"z1", "z2", "z3", "z4"});
}

TEST_CASE("settings of several layers that do not fit each other are refused with a sentence") {
  const auto says = [](const std::string& text, const std::string& part) {
    CHECK_MESSAGE(text.find(part) != std::string::npos, text);
  };
  says(refusal("ladder_vae", R"({"latent_dims": [4, 2], "hidden": [8]})"), "has 1 widths for 2 stochastic layers");
  says(refusal("ladder_vae", R"({"latent_dims": [], "hidden": []})"), "needs at least one stochastic layer");
  says(refusal("hvae", R"({"free_bits": 1, "samples": 5})"), "has no KL to free");
  says(refusal("hvae", R"({"between": "conv"})"), "choose mlp or gated_mlp");
  says(refusal("top_down_vae", R"({"channels": [8, 8]})"), "has 2 entries for 3 resolutions");
  says(refusal("top_down_vae", R"({"blocks": [1, 1, 0]})"), "at least one stochastic layer at the smallest resolution");
  says(refusal("top_down_vae", R"({"blocks": [10]})"), "30 stochastic layers; at most 20");
  says(refusal("hvae", R"({"latent_dims": [9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9]})"), "21 stochastic layers; at most 20");
}

TEST_CASE("ladder_vae: networks in front of its layers and behind them, of convolutions too") {
  const DataSpec image{.height = 10, .width = 7, .channels = 2, .classes = 0, .unit_interval = true};
  const Built built =
      build("ladder_vae", R"({"latent_dims": [3, 2], "hidden": [6, 5], "encoder": {"name": "conv", "channels": [4], "dense": []},
                                              "decoder": {"name": "conv", "channels": [4], "dense": []}})",
            image);
  CHECK(built.store->find("up/z1/0/weight")->shape() == Shape{6, 5 * 3 * 4});  // 5 x 3 pixels of 4 channels
  CHECK(built.store->find("decoder/conv/0/weight") != nullptr);
  const std::vector<Real> x = synthetic(LikelihoodCase::Values::unit, 6, image.size());
  const std::vector<double> loss = train(built, x, 6, 60);
  CHECK(loss.back() < loss.front() - 1);
  Tape tape(ad::Grad::off);
  const Context c{tape, false, Key(1)};
  CHECK(built.model->decode(c, built.model->sample_prior(c, 3, {}), {}).shape() == Shape{3, image.size()});
}

#ifdef VAEZOO_DOUBLE
TEST_CASE("the gradients of hierarchical models match differences to 1e-6 in each form of their objective") {
  // of each tensor: all elements, or that many
  const auto check = [](const char* name, const std::string& extra, Position progress, Index most_elements = 0) {
    CAPTURE(name);
    CAPTURE(extra);
    const Built built = build_small(find_model(name), gaussian().settings, data_spec(Values::real), extra);
    const std::vector<Real> x = synthetic(Values::real, 8);
    const ad::GradcheckReport report = gradcheck_parameters(*built.store, [&](Tape& tape) {
      return built.model->objective({tape, true, Key(6), progress}, minibatch(tape, x, 8)).loss;
    }, {.most_elements = most_elements});
    CHECK_MESSAGE(report.passed, report.text());
    CHECK(report.checked > 100);
  };
  for (const char* name : kHierarchical) {
    check(name, R"({"kl_weight": "constant"})", {});
    check(name, R"({"kl_weight": {"name": "linear", "length": 10}})", {.step = 3, .epoch = 4});
    check(name, R"({"kl_weight": "constant", "free_bits": 0.02})", {});
    check(name, R"({"kl_weight": "constant", "samples": 3})", {});
    check(name, R"({"kl_weight": "constant", "prior": {"name": "mixture", "components": 3}})", {});
  }
  check("hvae", R"({"inference": "top_down", "latent_dims": [3, 2, 2]})", {});
  check("hvae", R"({"inference": "bottom_up", "latent_dims": [3, 2, 2]})", {});
  check("ladder_vae", R"({"kl_weight": "constant", "batch_norm": true})", {});
  check("top_down_vae", R"({"scales": [1, 2, 1], "channels": [3, 4, 5], "blocks": [1, 0, 1], "latent_channels": [1],
                            "activation": "gelu"})", {}, 2);
  check("top_down_vae", R"({"scales": [2, 0], "channels": [4], "samples": 2})", {}, 2);
}
#endif
