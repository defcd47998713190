#include <doctest/doctest.h>

#include <limits>

#include "autodiff/elementwise.hpp"
#include "autodiff/linalg.hpp"
#include "autodiff/parameters.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace {

using ad::Parameter;
using ad::ParameterStore;
using ad::Real;
using ad::Shape;
using ad::Tape;
using ad::Var;

Var number(Tape& tape, Real value) { return tape.variable({}, std::vector<Real>{value}); }
std::vector<double> list(std::span<const Real> v) { return {v.begin(), v.end()}; }

}  // namespace

TEST_CASE("a Var from before a reset, or never assigned, says so when it is used") {
  Tape tape;
  const Var x = number(tape, 2);
  tape.reset();
  CHECK_THROWS_WITH_AS(x.item(),
                       "[Var] this Var is from before tape.reset(); values do not live across steps, copy what is needed",
                       ad::ShapeError);
  CHECK_THROWS_AS(exp(x), ad::ShapeError);
  CHECK_THROWS_WITH_AS(Var().shape(), "[Var] this Var is empty: it was never assigned the result of an op", ad::ShapeError);
  CHECK_THROWS_AS(exp(Var()), ad::ShapeError);
}

TEST_CASE("a Var of another tape is refused") {
  Tape one, two;
  CHECK_THROWS_WITH_AS(number(one, 1) + number(two, 1), "[add] input 1 is on another tape", ad::ShapeError);
}

TEST_CASE("a shared sub-expression and a diamond add up") {
  Tape tape;
  const Var x = number(tape, 3);
  const Var s = square(x);
  const Var left = s * Real(2), right = s * s;  // y = 2 x^2 + x^4
  tape.backward(left + right);
  CHECK(x.gradient()[0] == 4 * 3 + 4 * 27);
}

TEST_CASE("an input used many times gets every contribution") {
  Tape tape;
  const Var x = number(tape, 2);
  tape.backward(x * x * x + x - x / x);
  CHECK(double(x.gradient()[0]) == doctest::Approx(13));
}

TEST_CASE("the gradients of nodes start anew at each backward, also of another loss") {
  Tape tape;
  const Var x = number(tape, 3), y = square(x), z = y * Real(5);
  tape.backward(y);
  CHECK(x.gradient()[0] == 6);
  tape.backward(y);
  CHECK(x.gradient()[0] == 6);
  tape.backward(z);
  CHECK(x.gradient()[0] == 30);
}

TEST_CASE("only the gradients of variables and parameters are kept, and whoever asks for another is told") {
  Tape tape;
  const Var x = number(tape, 3), y = square(x);
  tape.backward(y * Real(5));
  CHECK(x.gradient()[0] == 30);
  CHECK_THROWS_WITH_AS(
      y.gradient(), "[gradient] of the result of 'square' is not kept; make the tensor whose gradient you want a tape.variable",
      ad::Error);
}

TEST_CASE("an unused branch costs nothing and has a gradient of zeros") {
  Tape tape;
  const Var x = number(tape, 3), unused = tape.variable({2}, std::vector<Real>{1, 2});
  exp(unused);
  tape.backward(square(x));
  CHECK(list(unused.gradient()) == std::vector<double>{0, 0});
}

TEST_CASE("views share memory and add their adjoints up") {
  Tape tape;
  const Var x = tape.variable({2, 3}, std::vector<Real>{1, 2, 3, 4, 5, 6});
  const Var flat = reshape(x, {-1}), again = reshape(flat, {3, 2});
  CHECK(flat.data() == x.data());
  tape.backward(sum(square(flat)) + sum(again) + sum(x));
  CHECK(list(x.gradient()) == std::vector<double>{4, 6, 8, 10, 12, 14});
}

TEST_CASE("a stopped gradient stops and a constant has none") {
  Tape tape;
  const Var x = number(tape, 3), c = tape.constant({}, Real(2));
  tape.backward(x * stop_gradient(x) * c);
  CHECK(x.gradient()[0] == 6);
  CHECK(c.gradient().empty());
  CHECK(!stop_gradient(x).live());
}

TEST_CASE("backward refuses what has no gradient") {
  Tape tape, plain(ad::Grad::off);
  CHECK_THROWS_WITH_AS(tape.backward(tape.variable({2}, std::vector<Real>{1, 2})),
                       "[backward] the loss must be one number, it is [2]; take its sum or mean", ad::ShapeError);
  CHECK_THROWS_WITH_AS(tape.backward(tape.constant({}, Real(1))),
                       "[backward] the loss does not depend on any parameter or variable", ad::ShapeError);
  CHECK_THROWS_WITH_AS(plain.backward(number(plain, 1)), "[backward] this tape was made with Grad::off and recorded nothing",
                       ad::ShapeError);
  const std::vector<Real> one{1};
  CHECK_THROWS_AS(tape.constant({3}, one), ad::ShapeError);
}

TEST_CASE("a loss may be a variable or a parameter itself") {
  Tape tape;
  const Var x = number(tape, 3);
  tape.backward(x);
  CHECK(x.gradient()[0] == 1);
}

TEST_CASE("gradients of parameters add up over calls and tapes until zero_grad") {
  ParameterStore store(ad::Key(1));
  Parameter& w = store.add("w", {2}, ad::init::constant(3));
  Parameter& unused = store.add("unused", {3}, ad::init::ones());
  Tape tape;
  for (const double expected : {6.0, 12.0}) {
    tape.reset();
    tape.backward(sum(square(tape.parameter(w))));
    CHECK(list(w.gradient()) == std::vector<double>{expected, expected});
  }
  store.zero_grad();
  CHECK(list(w.gradient()) == std::vector<double>{0, 0});
  tape.reset();
  tape.backward(sum(tape.parameter(w)) + sum(tape.parameter(w) * Real(2)));  // two leaves of one parameter
  CHECK(list(w.gradient()) == std::vector<double>{3, 3});
  CHECK(list(unused.gradient()) == std::vector<double>{0, 0, 0});
}

TEST_CASE("a frozen parameter gets no gradient and lets none be computed") {
  ParameterStore store(ad::Key(1));
  Parameter& w = store.add("w", {2}, ad::init::constant(3));
  w.set_trainable(false);
  Tape tape;
  const Var x = tape.variable({2}, std::vector<Real>{1, 2}), p = tape.parameter(w);
  CHECK(!p.live());
  tape.backward(sum(x * p));
  CHECK(list(x.gradient()) == std::vector<double>{3, 3});
  CHECK(list(w.gradient()) == std::vector<double>{0, 0});
}

TEST_CASE("while parameters are frozen the gradient passes through what uses them, and stays out of them") {
  ParameterStore store(ad::Key(1));
  Parameter& w = store.add("w", {2}, ad::init::constant(3));
  Tape tape;
  const Var x = tape.variable({2}, std::vector<Real>{1, 2});
  const auto twice_frozen = [&] {
    const ad::FrozenParameters outer(tape);
    { const ad::FrozenParameters inner(tape); }
    return x * tape.parameter(w);  // the inner one's end is not the outer one's
  };
  const Var frozen = twice_frozen(), live = tape.parameter(w);
  tape.backward(sum(frozen) + sum(live * Real(5)));
  CHECK(list(x.gradient()) == std::vector<double>{3, 3});
  CHECK(list(w.gradient()) == std::vector<double>{5, 5});
}

TEST_CASE("losses of one recording train the groups that they name, and no gradient leaks into another") {
  ParameterStore store(ad::Key(1));
  Parameter& encoder = store.add("encoder/weight", {2}, ad::init::constant(3));
  Parameter& critic = store.add("critic/0/weight", {2}, ad::init::constant(5));
  Parameter& critic_bias = store.add("critic/1/weight", {2}, ad::init::constant(7));
  Tape tape;
  const Var x = tape.variable({2}, std::vector<Real>{1, 2});
  const Var z = x * tape.parameter(encoder);
  const Var score = sum(z * tape.parameter(critic) + tape.parameter(critic_bias));  // of z, by the critic
  const Var loss = sum(square(z)) - score;
  CHECK(loss.groups() == (store.groups({"encoder", "critic"}) | ad::Groups::variables()));
  CHECK(z.groups() == (store.groups({"encoder"}) | ad::Groups::variables()));

  tape.backward(loss, store.groups({"encoder"}));
  CHECK(list(encoder.gradient()) == std::vector<double>{6 - 5, 24 - 10});  // x (2 z - critic)
  CHECK(list(x.gradient()) == std::vector<double>{18 - 15, 36 - 15});      // encoder (2 z - critic)
  CHECK(list(critic.gradient()) == std::vector<double>{0, 0});
  CHECK(list(critic_bias.gradient()) == std::vector<double>{0, 0});

  tape.backward(score, store.groups({"critic"}));
  CHECK(list(critic.gradient()) == std::vector<double>{3, 6});
  CHECK(list(critic_bias.gradient()) == std::vector<double>{1, 1});
  CHECK(list(encoder.gradient()) == std::vector<double>{1, 14});  // as it was

  tape.backward(sum(z), store.groups({"encoder"}));  // a second loss of a group adds to its gradient
  CHECK(list(encoder.gradient()) == std::vector<double>{2, 16});
  CHECK(list(critic.gradient()) == std::vector<double>{3, 6});
}

TEST_CASE("groups: a name that no parameter begins with, and a loss that depends on none of them, are errors") {
  ParameterStore store(ad::Key(1));
  Parameter& w = store.add("encoder/weight", {}, ad::init::constant(3));
  store.add("critic/weight", {}, ad::init::constant(3));
  store.add_buffer("statistics/mean", {}, 0);
  CHECK_THROWS_WITH_AS(store.groups({"critik"}), "[groups] no trained parameter's path begins with \"critik\"", ad::Error);
  CHECK_THROWS_AS(store.groups({"statistics"}), ad::Error);
  Tape tape;
  CHECK_THROWS_WITH_AS(tape.backward(square(tape.parameter(w)), store.groups({"critic"})),
                       "[backward] the loss does not depend on any parameter of the groups that it is to train", ad::ShapeError);
  for (int i = 2; i < ad::Groups::kMost; ++i) store.add(std::to_string(i) + "/weight", {}, ad::init::zeros());
  store.add("critic/bias", {}, ad::init::zeros());
  CHECK(store.groups({"2", "critic"}) == (store.groups({"2"}) | store.groups({"critic"})));
  CHECK((store.groups({"62"}) & store.groups({"61"})).empty());
  store.add("64th/weight", {}, ad::init::zeros());  // a group too many to tell apart
  CHECK_THROWS_AS(store.groups({"critic"}), ad::Error);
}

TEST_CASE("effects run at commit, in order and once; a reset forgets them and a second look adds none") {
  Tape tape;
  std::vector<int> ran;
  const auto add = [&](int number) { tape.after_step([&ran, number] { ran.push_back(number); }); };
  add(1);
  {
    const ad::WithoutEffects outer(tape);
    { const ad::WithoutEffects inner(tape); }
    add(2);  // the inner one's end is not the outer one's
  }
  add(3);
  CHECK(ran.empty());
  tape.commit();
  CHECK(ran == std::vector<int>{1, 3});
  tape.commit();
  CHECK(ran == std::vector<int>{1, 3});
  add(4);
  tape.reset();
  tape.commit();
  CHECK(ran == std::vector<int>{1, 3});
}

TEST_CASE("first_nonfinite names the node and the parameter") {
  ParameterStore store(ad::Key(1));
  Parameter& w = store.add("encoder/0/weight", {1, 2}, ad::init::constant(1));
  Tape tape;
  const Var x = tape.constant({1, 2}, Real(-1));
  CHECK(tape.first_nonfinite() == "");
  const Var y = linear(x, tape.parameter(w));
  CHECK(tape.first_nonfinite() == "");
  log(y);
  CHECK(tape.first_nonfinite() == "node 3 'log'");
  tape.reset();
  exp(tape.constant({1, 2}, std::numeric_limits<Real>::infinity()));
  CHECK(tape.first_nonfinite() == "node 0 'constant'");
  tape.reset();
  const Var huge = tape.constant({1, 2}, std::numeric_limits<Real>::max());
  linear(huge, tape.parameter(w));
  CHECK(tape.first_nonfinite() == "node 2 'linear' (with encoder/0/weight)");
  tape.reset();
  w.value()[0] = std::numeric_limits<Real>::quiet_NaN();
  tape.parameter(w);
  CHECK(tape.first_nonfinite() == "node 0 'parameter' (encoder/0/weight)");
}

TEST_CASE("dot lists nodes and edges") {
  Tape tape;
  const Var x = number(tape, 1);
  const Var e = exp(x), two = tape.constant({}, Real(2));
  e + two;
  CHECK(tape.dot() ==
        "digraph tape {\n  node [shape=box];\n  n0 [label=\"variable []\"];\n  n1 [label=\"exp []\"];\n  n0 -> n1;\n"
        "  n2 [label=\"constant []\", style=dashed];\n  n3 [label=\"add []\"];\n  n1 -> n3;\n  n2 -> n3;\n}\n");
}

TEST_CASE("the count of nodes and the epoch follow recording and resets") {
  Tape tape;
  const auto epoch = tape.epoch();
  exp(number(tape, 1));
  CHECK(tape.node_count() == 2);
  tape.reset();
  CHECK(tape.node_count() == 0);
  CHECK(tape.epoch() == epoch + 1);
}

TEST_CASE("item wants one element") {
  Tape tape;
  CHECK(number(tape, 4).item() == 4);
  CHECK_THROWS_WITH_AS(tape.constant({2}, Real(0)).item(), "[item] needs a tensor of one element, this one is [2]",
                       ad::ShapeError);
}
