#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "autodiff/averaging.hpp"
#include "autodiff/optimizers.hpp"
#include "autodiff/check.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/tape.hpp"

using namespace ad;
using nlohmann::json;

namespace {

// The golden numbers are PyTorch's in float64. Five steps in float keep about six digits of them; in double nearly all.
constexpr double kTolerance = sizeof(Real) == 4 ? 2e-6 : 1e-13;

const json& golden() {
  static const json numbers = json::parse(std::ifstream("tests/golden/training.json"));
  return numbers;
}

Initializer values(const std::vector<double>& v) {
  return [v](Key, const Shape&, std::span<Real> out) { std::ranges::copy(v, out.begin()); };
}

/// Makes g the gradient of the parameter, as a backward pass would.
void set_gradient(Parameter& p, const std::vector<double>& g) {
  std::vector<Real> seed(g.begin(), g.end());
  Tape tape;
  const Var x = tape.parameter(p), loss = tape.node("dot", {}, {x});
  tape.on_backward(loss, [x, loss, from = seed.data()] {
    const GradSlot slot = loss.tape().grad(x);
    for (Index i = 0; i < x.size(); ++i) slot.data[i] = slot.add ? slot.data[i] + from[i] : from[i];
  });
  tape.backward(loss);
}

std::unique_ptr<Optimizer> make(const json& c, ParameterStore& store) {
  const json& o = c["options"];
  const std::string kind = c["kind"];
  const double decay = o.value("weight_decay", kind == "AdamW" ? 0.01 : 0.0), momentum = o.value("momentum", 0.0);
  if (kind == "SGD")
    return std::make_unique<Sgd>(store, SgdOptions{momentum, o.value("dampening", 0.0), decay, o.value("nesterov", false)});
  if (kind == "Adamax") return std::make_unique<Adamax>(store, AdamaxOptions{.weight_decay = decay});
  if (kind == "RMSprop")
    return std::make_unique<Rmsprop>(store,
                                     RmspropOptions{o.value("alpha", 0.99), 1e-8, decay, momentum, o.value("centered", false)});
  AdamOptions options = kind == "AdamW" ? adamw(decay) : AdamOptions{.weight_decay = decay};
  if (o.contains("betas")) options.beta1 = o["betas"][0], options.beta2 = o["betas"][1];
  options.epsilon = o.value("eps", 1e-8);
  options.amsgrad = o.value("amsgrad", false);
  return std::make_unique<Adam>(store, options);
}

std::vector<double> quadratic_gradient(const json& c, std::span<const Real> p) {
  std::vector<double> g(p.size());
  for (std::size_t i = 0; i < g.size(); ++i) g[i] = c["scale"][i].get<double>() * (double(p[i]) - c["target"][i].get<double>());
  return g;
}

struct TwoNets {
  ParameterStore store{Key(1)};
  Parameter& a = store.add("net/a", {3}, init::ones());
  Parameter& b = store.add("net/b", {40}, init::ones());
  Parameter& c = store.add("critic/c", {5}, init::ones());
};

}  // namespace

TEST_CASE("every optimiser takes PyTorch's five steps") {
  for (const json& c : golden()["optimizers"]) {
    CAPTURE(c["kind"].get<std::string>());
    CAPTURE(c["options"].dump());
    ParameterStore store{Key(1)};
    Parameter& p = store.add("p", {37}, values(c["start"]));
    const auto optimizer = make(c, store);
    for (const json& after : c["after"]) {
      store.zero_grad();
      set_gradient(p, quadratic_gradient(c, p.value()));
      optimizer->step(c["rate"]);
      double worst = 0;
      for (std::size_t i = 0; i < 37; ++i) worst = std::max(worst, std::abs(double(p.value()[i]) - after[i].get<double>()));
      CHECK(worst < kTolerance);
    }
  }
}

TEST_CASE("an optimiser that continues from saved state takes the same steps, bit for bit") {
  for (const json& c : golden()["optimizers"]) {
    CAPTURE(c["kind"].get<std::string>());
    ParameterStore one{Key(1)}, two{Key(1)};
    Parameter &p = one.add("p", {37}, values(c["start"])), &q = two.add("p", {37}, init::zeros());
    const auto first = make(c, one), second = make(c, two);
    for (int step = 0; step < 5; ++step) {
      if (step == 3) {
        std::ranges::copy(one.values(), two.values().begin());
        const auto saved = first->state(), states = second->state();
        REQUIRE(saved.size() == states.size());
        for (std::size_t i = 0; i < saved.size(); ++i) {
          CHECK(saved[i].name == states[i].name);
          std::ranges::copy(saved[i].values, states[i].values.begin());
        }
        second->set_steps(first->steps());
      }
      for (const auto& [store, parameter, optimizer] : {std::tuple(&one, &p, first.get()), std::tuple(&two, &q, second.get())}) {
        store->zero_grad();
        set_gradient(*parameter, quadratic_gradient(c, parameter->value()));
        if (step >= 3 || optimizer == first.get()) optimizer->step(0.01);
      }
    }
    CHECK(std::ranges::equal(p.value(), q.value()));
  }
}

TEST_CASE("an optimiser with prefixes trains nothing else") {
  TwoNets nets;
  Adam critic(nets.store, {}, {"critic/"});
  set_gradient(nets.a, {1, 1, 1});
  set_gradient(nets.c, {1, 1, 1, 1, 1});
  critic.step(0.1);
  CHECK(nets.a.value()[0] == Real(1));
  CHECK(nets.c.value()[0] == doctest::Approx(0.9));
  CHECK(critic.last_gradient_norm() == doctest::Approx(std::sqrt(5.0)));
}

TEST_CASE("a prefix that no parameter has is an error") {
  TwoNets nets;
  CHECK_THROWS_WITH_AS(Adam(nets.store, {}, {"crtic/"}), "[Optimizer] no parameter has a path that begins with \"crtic/\"",
                       Error);
}

TEST_CASE("a parameter that is frozen after the optimiser was made stays as it is, and moves again when thawed") {
  TwoNets nets;
  Adam adam(nets.store);
  set_gradient(nets.a, {1, 1, 1});
  adam.step(0.1);
  const Real before = nets.a.value()[0];
  nets.a.set_trainable(false);
  nets.store.zero_grad();
  adam.step(0.1);
  CHECK(nets.a.value()[0] == before);
  nets.a.set_trainable(true);
  adam.step(0.1);
  CHECK(nets.a.value()[0] != before);
}

TEST_CASE("a step has the same bits at one thread and at four") {
  std::vector<Real> results[2];
  for (const int n : {1, 4}) {
    const int before = threads();
    set_threads(n);
    ParameterStore store{Key(3)};
    Parameter& p = store.add("p", {100'003}, init::normal(0, 1));
    Adam adam(store);
    std::vector<double> g(100'003);
    for (std::size_t i = 0; i < g.size(); ++i) g[i] = std::sin(double(i));
    set_gradient(p, g);
    adam.step(0.01);
    adam.clip_gradient_norm(3);
    auto& out = results[n == 4];
    out.assign(p.value().begin(), p.value().end());
    out.insert(out.end(), p.gradient().begin(), p.gradient().end());
    out.push_back(static_cast<Real>(adam.last_gradient_norm()));
    set_threads(before);
  }
  CHECK(results[0] == results[1]);
}

TEST_CASE("clipping by norm and by value is PyTorch's") {
  const json& g = golden()["clipping"];
  for (const json& c : g["cases"]) {
    ParameterStore store{Key(1)};
    Parameter& p = store.add("p", {20}, init::zeros());
    Sgd sgd(store);
    set_gradient(p, g["gradient"]);
    CHECK(sgd.clip_gradient_norm(c["limit"]) == doctest::Approx(c["norm"].get<double>()).epsilon(1e-6));
    for (std::size_t i = 0; i < 20; ++i) CHECK(p.gradient()[i] == doctest::Approx(c["by_norm"][i].get<double>()).epsilon(1e-6));
    store.zero_grad();
    set_gradient(p, g["gradient"]);
    sgd.clip_gradient_value(c["limit"]);
    for (std::size_t i = 0; i < 20; ++i) CHECK(p.gradient()[i] == doctest::Approx(c["by_value"][i].get<double>()).epsilon(1e-6));
  }
}

TEST_CASE("a gradient that is not finite shows in the norm of the step and is found by name") {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    TwoNets nets;
    Adam adam(nets.store);
    set_gradient(nets.a, {1, 2, 3});
    CHECK(nets.store.first_nonfinite_gradient() == "");
    set_gradient(nets.b, std::vector<double>(40, bad));
    CHECK_FALSE(std::isfinite(adam.gradient_norm()));
    CHECK(nets.store.first_nonfinite_gradient() == "net/b");
    adam.step(0.1);
    CHECK_FALSE(std::isfinite(adam.last_gradient_norm()));
    CHECK(nets.store.first_nonfinite_value() == "net/b");
  }
}

TEST_CASE("options that contradict each other are errors") {
  TwoNets nets;
  CHECK_THROWS_AS(Sgd(nets.store, {.nesterov = true}), Error);
  CHECK_THROWS_AS(Sgd(nets.store, {.momentum = 0.9, .dampening = 0.1, .nesterov = true}), Error);
  Sgd sgd(nets.store);
  CHECK_THROWS_AS(sgd.clip_gradient_norm(0), Error);
  CHECK_THROWS_AS(sgd.clip_gradient_value(std::nan("")), Error);
}

TEST_CASE("weight average: the closed form for constant weights and for one jump") {
  ParameterStore store{Key(1)};
  Parameter& p = store.add("p", {50}, init::ones());
  WeightAverage average(store, {.decay = 0.9, .warmup = false});
  average.update();
  CHECK(average.values()[0] == Real(1));
  std::ranges::fill(p.value(), Real(2));
  for (int t = 1; t <= 10; ++t) {
    average.update();
    CHECK(average.values()[49] == doctest::Approx(2 - std::pow(0.9, t)).epsilon(1e-6));  // the old weight is forgotten as 0.9^t
  }
}

TEST_CASE("weight average: with warm-up the first decays are 1/10, 2/11, 3/12") {
  ParameterStore store{Key(1)};
  Parameter& p = store.add("p", {1}, init::zeros());
  WeightAverage average(store, {.decay = 0.999});
  double expected = 0;
  for (int t = 1; t <= 3; ++t) {
    p.value()[0] = Real(t);
    average.update();
    const double d = t / (t + 9.0);
    expected = d * expected + (1 - d) * t;
    CHECK(average.values()[0] == doctest::Approx(expected).epsilon(1e-6));
  }
}

TEST_CASE("weight average: swapped in for evaluation and back, bit for bit") {
  ParameterStore store{Key(1)};
  Parameter& p = store.add("p", {33}, init::normal(0, 1));
  WeightAverage average(store, {.decay = 0.5});
  const std::vector<Real> old(p.value().begin(), p.value().end());
  std::ranges::fill(p.value(), Real(7));
  {
    const WeightAverage::Swapped swapped(average);
    CHECK(std::ranges::equal(p.value(), old));
    CHECK_THROWS_AS(average.update(), Error);
  }
  CHECK(std::ranges::all_of(p.value(), [](Real v) { return v == Real(7); }));
  CHECK_THROWS_AS(WeightAverage(store, {.decay = 1}), Error);
}
