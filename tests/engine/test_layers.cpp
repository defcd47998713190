#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "autodiff/gradcheck.hpp"
#include "autodiff/layers.hpp"
#include "autodiff/map.hpp"
#include "autodiff/normalization.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/reduce.hpp"

using namespace ad;
using nlohmann::json;

namespace {

// Against PyTorch's float64. Normalising 6 rows or 19 columns of size 1 to 10 costs a float two or three of its seven digits.
constexpr double kTolerance = sizeof(Real) == 4 ? 2e-5 : 1e-11;

std::vector<Real> numbers(const json& list) { return list.get<std::vector<Real>>(); }

void check_equal(std::span<const Real> got, const json& want) {
  REQUIRE(got.size() == want.size());
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) worst = std::max(worst, std::abs(double(got[i]) - want[i].get<double>()));
  CHECK(worst < kTolerance);
}

/// A layer's gradients, to its parameters and to its input, against differences. `build` makes the layer in a store.
void check_gradients(const std::function<std::function<Var(const Context&, Var)>(const Parameters&)>& build, const Shape& shape,
                     bool training = true) {
  ParameterStore store{Key(4)};
  const auto layer = build(Parameters(store) / "layer");
  Parameter& x = store.add("x", shape, init::normal(Real(0.3), 1));
  for (Parameter& p : store.all())  // off the symmetric start of ones and zeros
    if (!p.is_buffer())
      for (std::size_t i = 0; i < p.value().size(); ++i) p.value()[i] += Real(0.3) * std::sin(Real(3 * i + 1));
  const GradcheckReport report =
      gradcheck_parameters(store, [&](Tape& tape) { return layer(Context{tape, training, Key(9)}, tape.parameter(x)); });
  CHECK_MESSAGE(report.passed, report.text());
}

template <class L, class... Arguments>
auto building(Arguments... arguments) {
  return [=](const Parameters& p) {
    auto layer = std::make_shared<L>(p, arguments...);
    return [layer](const Context& c, Var x) { return (*layer)(c, x); };
  };
}

const json& golden() {
  static const json numbers = json::parse(std::ifstream("tests/golden/training.json"));
  return numbers;
}

/// y = sum of y g as a loss, so that g is what arrives at y.
Var against(Var y, std::span<const Real> g) {
  Tape& t = y.tape();
  return sum(map("times", [](auto a, auto b) { return a * b; }, y, t.constant(y.shape(), g)));
}

}  // namespace

TEST_CASE("gradients of every layer match differences") {
  check_gradients(building<Linear>(7, 5), {4, 7});
  check_gradients(building<Linear>(7, 5, LinearOptions{.activation = Activation::tanh, .bias = false}), {2, 3, 7});
  check_gradients(building<Mlp>(std::vector<Index>{6, 9, 8, 3}, Activation::silu, Activation::softplus), {5, 6});
  check_gradients(building<BatchNorm>(19), {6, 19});
  check_gradients(building<BatchNorm>(3), {2, 4, 5, 3});
  check_gradients(building<BatchNorm>(19, BatchNorm::Options{.affine = false}), {6, 19});
  check_gradients(building<BatchNorm>(19), {6, 19}, false);
  check_gradients(building<LayerNorm>(19), {6, 19});
  check_gradients(building<LayerNorm>(16), {2, 3, 16});
  check_gradients(building<Dropout>(Real(0.4)), {6, 9});
  check_gradients(building<Activate>(Activation::gelu), {6, 9});
  check_gradients([](const Parameters& p) {
    auto net = std::make_shared<Sequential>(p);
    net->add<Linear>(5, 8).add<BatchNorm>(8).add<Activate>(Activation::tanh).add<Dropout>(Real(0.25));
    net->add<Residual>([](Sequential& body) { body.add<LayerNorm>(8).add<Linear>(8, 8, Activation::elu); }).add<Linear>(8, 2);
    return [net](const Context& c, Var x) { return (*net)(c, x); };
  }, {6, 5});
}

TEST_CASE("Embedding: rows by index, and the gradient of a row used twice is the sum") {
  ParameterStore store{Key(1)};
  const Embedding embedding(Parameters(store) / "codes", 4, 3);
  const std::vector<Index> indices{2, 0, 2};
  Tape tape;
  const Var y = embedding(Context{tape}, indices);
  CHECK(y.shape() == Shape{3, 3});
  for (std::size_t j = 0; j < 3; ++j) CHECK(y.data()[j] == embedding.weight().value()[6 + j]);
  tape.backward(sum(y));
  const std::vector<Real> expected{1, 1, 1, 0, 0, 0, 2, 2, 2, 0, 0, 0};
  CHECK(std::ranges::equal(embedding.weight().gradient(), expected));
  CHECK_THROWS_AS(embedding(Context{tape}, std::vector<Index>{4}), ShapeError);
  CHECK_THROWS_AS(embedding(Context{tape}, std::vector<Index>{-1}), ShapeError);
}

TEST_CASE("BatchNorm is PyTorch's in training, in its running statistics and in evaluation") {
  const json& g = golden()["batch_norm"];
  ParameterStore store{Key(1)};
  const BatchNorm layer(Parameters(store), 19);
  std::ranges::copy(numbers(g["weight"]), store.find("weight")->value().begin());
  std::ranges::copy(numbers(g["bias"]), store.find("bias")->value().begin());
  const std::vector<Real> x_values = numbers(g["x"]), y_bar = numbers(g["g"]);
  for (const bool training : {true, false}) {
    CAPTURE(training);
    const std::string prefix = training ? "" : "eval_";
    store.zero_grad();
    Tape tape;
    const Var x = tape.variable({6, 19}, x_values), y = layer(Context{tape, training}, x);
    tape.backward(against(y, y_bar));
    check_equal(y.value(), g[prefix + "y"]);
    check_equal(x.gradient(), g[prefix + "x_bar"]);
    check_equal(store.find("weight")->gradient(), g[prefix + "weight_bar"]);
    check_equal(store.find("bias")->gradient(), g[prefix + "bias_bar"]);
    if (training) CHECK(store.find("num_batches_tracked")->value()[0] == Real(0));
    tape.commit();
    check_equal(store.find("running_mean")->value(), g["running_mean"]);
    check_equal(store.find("running_var")->value(), g["running_var"]);
    CHECK(store.find("num_batches_tracked")->value()[0] == Real(1));
    // A second look at the batch gives the same numbers and leaves the running statistics alone.
    const ad::WithoutEffects again(tape);
    const Var same = layer(Context{tape, training}, x);
    tape.commit();
    CHECK(std::ranges::equal(same.value(), y.value()));
    check_equal(store.find("running_mean")->value(), g["running_mean"]);
    CHECK(store.find("num_batches_tracked")->value()[0] == Real(1));
  }
}

TEST_CASE("LayerNorm is PyTorch's") {
  const json& g = golden()["layer_norm"];
  ParameterStore store{Key(1)};
  const LayerNorm layer(Parameters(store), 19);
  std::ranges::copy(numbers(g["weight"]), store.find("weight")->value().begin());
  std::ranges::copy(numbers(g["bias"]), store.find("bias")->value().begin());
  const std::vector<Real> x_values = numbers(g["x"]), y_bar = numbers(g["g"]);
  Tape tape;
  const Var x = tape.variable({6, 19}, x_values), y = layer(Context{tape}, x);
  tape.backward(against(y, y_bar));
  check_equal(y.value(), g["y"]);
  check_equal(x.gradient(), g["x_bar"]);
  check_equal(store.find("weight")->gradient(), g["weight_bar"]);
  check_equal(store.find("bias")->gradient(), g["bias_bar"]);
}

TEST_CASE("batch_norm of features far from zero keeps their variance") {
  // mean 1000, standard deviation 1: E x^2 - (E x)^2 would lose all digits in float
  std::vector<Real> x(2000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 1000 + (i % 4 < 2 ? Real(1) : Real(-1));
  Tape tape;
  const Normalized n = batch_norm(tape.constant({1000, 2}, x), {}, {}, 0);
  CHECK(n.moments.mean[0] == doctest::Approx(1000).epsilon(1e-6));
  CHECK(n.moments.variance[1] == doctest::Approx(1).epsilon(1e-3));
}

TEST_CASE("the normalisations have the same bits at one thread and at four") {
  std::vector<Real> results[2];
  for (const int n : {1, 4}) {
    const int before = threads();
    set_threads(n);
    ParameterStore store{Key(1)};
    const BatchNorm batch(Parameters(store) / "batch", 37);
    const LayerNorm layer(Parameters(store) / "layer", 37);
    Parameter& x = store.add("x", {3001, 37}, init::normal(1, 2));
    Tape tape;
    const Context context{tape, true, Key(2)};
    tape.backward(sum(activate(layer(context, batch(context, tape.parameter(x))), Activation::tanh)));
    for (Parameter& p : store.all()) {
      auto& out = results[n == 4];
      out.insert(out.end(), p.value().begin(), p.value().end());
      if (!p.is_buffer()) out.insert(out.end(), p.gradient().begin(), p.gradient().end());
    }
    set_threads(before);
  }
  CHECK(results[0] == results[1]);
}

TEST_CASE("weights start as PyTorch's Linear: uniform within 1 / sqrt(in), the bias too") {
  ParameterStore store{Key(1)};
  const Linear layer(Parameters(store) / "a", 400, 50);
  CHECK(layer.weight().path() == "a/weight");
  CHECK(layer.weight().shape() == Shape{50, 400});
  const auto within = [](std::span<const Real> v, Real bound) {
    return std::ranges::all_of(v, [=](Real w) { return std::abs(w) <= bound; });
  };
  CHECK(within(layer.weight().value(), Real(0.05)));
  CHECK_FALSE(within(layer.weight().value(), Real(0.0499)));
  CHECK(within(layer.bias()->value(), Real(0.05)));
  CHECK_FALSE(within(layer.bias()->value(), Real(0.03)));
}

TEST_CASE("Linear takes other starts, and none for the bias") {
  ParameterStore store{Key(1)};
  const Linear head(Parameters(store) / "head", 4, 3, {.initial_weight = init::zeros(), .initial_bias = init::constant(-2)});
  const Linear plain(Parameters(store) / "plain", 4, 3, {.bias = false});
  CHECK(head.weight().value()[0] == 0);
  CHECK(head.bias()->value()[2] == Real(-2));
  CHECK(plain.bias() == nullptr);
  CHECK(store.find("plain/bias") == nullptr);
}

TEST_CASE("Mlp and Sequential number their layers") {
  ParameterStore store{Key(1)};
  const Mlp mlp(Parameters(store) / "encoder", {784, 400, 20}, Activation::relu);
  Sequential net(Parameters(store) / "net");
  net.add<Linear>(3, 4).add<Activate>(Activation::relu).add<BatchNorm>(4);
  for (const char* path : {"encoder/0/weight", "encoder/1/bias", "net/0/weight", "net/2/running_mean", "net/2/weight"})
    CHECK(store.find(path) != nullptr);
  CHECK(store.find("encoder/2/weight") == nullptr);
  CHECK(net.size() == 3);
}

TEST_CASE("Mlp applies its activation between layers and the last one at the end") {
  ParameterStore store{Key(1)};
  const Mlp mlp(Parameters(store), {3, 5, 2}, Activation::tanh, Activation::sigmoid);
  Tape tape;
  const Context context{tape};
  const std::vector<Real> values{1, -2, Real(0.5), 3, 0, -1};
  const Var x = tape.constant({2, 3}, values);
  const Var h =
      activate(linear(x, tape.parameter(*store.find("0/weight")), tape.parameter(*store.find("0/bias"))), Activation::tanh);
  const Var y =
      activate(linear(h, tape.parameter(*store.find("1/weight")), tape.parameter(*store.find("1/bias"))), Activation::sigmoid);
  const Var z = mlp(context, x);
  for (std::size_t i = 0; i < 4; ++i) CHECK(z.value()[i] == doctest::Approx(y.value()[i]).epsilon(1e-6));
}

TEST_CASE("Dropout: off in evaluation, decided by key and path, keeps the expectation") {
  ParameterStore store{Key(1)};
  const Dropout a(Parameters(store) / "a", Real(0.3)), b(Parameters(store) / "b", Real(0.3));
  Tape tape;
  const Var x = tape.constant({100, 100}, Real(1));
  const auto values = [&](const Dropout& d, Key key) {
    const Var y = d(Context{tape, true, key}, x);
    return std::vector<Real>(y.value().begin(), y.value().end());
  };
  CHECK(std::ranges::equal(a(Context{tape, false, Key(1)}, x).value(), x.value()));
  CHECK(values(a, Key(1)) == values(a, Key(1)));
  CHECK(values(a, Key(1)) != values(a, Key(2)));
  CHECK(values(a, Key(1)) != values(b, Key(1)));
  double kept = 0;
  for (const Real v : values(a, Key(1))) {
    CHECK((v == 0 || v == doctest::Approx(1 / 0.7)));
    kept += v != 0;
  }
  CHECK(std::abs(kept - 7000) < 5 * std::sqrt(10000 * 0.3 * 0.7));  // five standard deviations of a binomial
}

TEST_CASE("layers say what is wrong, and where") {
  ParameterStore store{Key(1)};
  const Parameters p(store);
  CHECK_THROWS_WITH_AS(Linear(p / "a", 0, 3), "[Linear] a: in must be positive, got 0", ShapeError);
  CHECK_THROWS_AS(Mlp(p / "b", {3}, Activation::relu), ShapeError);
  CHECK_THROWS_AS(Dropout(p / "c", 1), ShapeError);
  CHECK_THROWS_AS(Embedding(p / "d", 0, 3), ShapeError);
  const BatchNorm norm(p / "norm", 3);
  const Residual residual(p / "residual", [](Sequential& body) { body.add<Linear>(3, 4); });
  Tape tape;
  const Context training{tape, true};
  CHECK_THROWS_WITH_AS(norm(training, tape.constant({2, 4}, 0)), "[BatchNorm] norm/running_mean has 3 features, x is [2, 4]",
                       ShapeError);
  CHECK_THROWS_WITH_AS(
      norm(training, tape.constant({1, 3}, 0)),
      "[batch_norm] needs at least two rows to have a variance, x is [1, 3]; in evaluation set Context::training to false",
      ShapeError);
  CHECK_THROWS_WITH_AS(residual(training, tape.constant({2, 3}, 0)),
                       "[Residual] the body must keep the shape [2, 3], it returns [2, 4]", ShapeError);
  CHECK(store.find("norm/num_batches_tracked")->value()[0] == 0);
}
