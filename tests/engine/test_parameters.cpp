#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "autodiff/check.hpp"
#include "autodiff/elementwise.hpp"
#include "autodiff/linalg.hpp"
#include "autodiff/parameters.hpp"
#include "autodiff/tape.hpp"

using namespace ad;

TEST_CASE("parameters are flat: 64-byte aligned tensors with zeros between them") {
  ParameterStore store{Key(1)};
  const Parameters p(store);
  Parameter& a = (p / "encoder" / 0).add("weight", {3, 5}, init::ones());
  Parameter& b = (p / "encoder" / 0).add("bias", {3}, init::ones());
  CHECK(a.path() == "encoder/0/weight");
  CHECK(b.path() == "encoder/0/bias");
  CHECK(store.count() == 18);
  for (Parameter* q : {&a, &b}) CHECK(reinterpret_cast<std::uintptr_t>(q->value().data()) % 64 == 0);
  CHECK(std::ranges::count(store.values(), Real(1)) == 18);
  CHECK(std::ranges::count(store.values(), Real(0)) == std::ssize(store.values()) - 18);
  CHECK(store.gradients().size() == store.values().size());
}

TEST_CASE("how a parameter starts depends on its path, not on what was added before it") {
  ParameterStore one{Key(7)}, two{Key(7)}, other{Key(8)};
  two.add("first", {100}, init::normal(0, 1));
  Parameter &a = one.add("w", {50}, init::normal(0, 1)), &b = two.add("w", {50}, init::normal(0, 1)),
            &c = other.add("w", {50}, init::normal(0, 1));
  CHECK(std::ranges::equal(a.value(), b.value()));
  CHECK_FALSE(std::ranges::equal(a.value(), c.value()));
}

TEST_CASE("values survive the growth of the store, and references stay valid") {
  ParameterStore store{Key(1)};
  Parameter& first = store.add("first", {10}, init::ones());
  for (int i = 0; i < 200; ++i) store.add("more" + std::to_string(i), {100}, init::zeros());
  CHECK(first.path() == "first");
  CHECK(std::ranges::all_of(first.value(), [](Real v) { return v == Real(1); }));
  CHECK(store.find("first") == &first);
  CHECK(store.find("none") == nullptr);
}

TEST_CASE("a path twice, an empty one or one with a dot is an error") {
  ParameterStore store{Key(1)};
  store.add("a/w", {2}, init::ones());
  CHECK_THROWS_WITH_AS(store.add("a/w", {2}, init::ones()), "[ParameterStore] there is already a parameter named a/w", Error);
  CHECK_THROWS_AS(store.add_buffer("a/w", {2}, 0), Error);
  CHECK_THROWS_AS(store.add("a.w", {2}, init::ones()), Error);
  CHECK_THROWS_AS(store.add("", {2}, init::ones()), Error);
}

TEST_CASE("buffers have values but no gradient and are not trained") {
  ParameterStore store{Key(1)};
  Parameter& buffer = store.add_buffer("running_mean", {4}, Real(0.5));
  CHECK(buffer.is_buffer());
  CHECK_FALSE(buffer.trainable());
  buffer.set_trainable(true);
  CHECK_FALSE(buffer.trainable());
  CHECK(buffer.value()[3] == Real(0.5));
  CHECK(store.count() == 0);
  CHECK_THROWS_AS(buffer.gradient(), Error);
}

TEST_CASE("gradients add up over backward passes until zero_grad, and untouched ones are zero") {
  ParameterStore store{Key(1)};
  Parameter &w = store.add("w", {1, 1}, init::constant(3)), &idle = store.add("idle", {5}, init::ones());
  Tape tape;
  const auto pass = [&] {
    tape.reset();
    tape.backward(square(tape.parameter(w)));
  };
  pass();
  CHECK(w.gradient()[0] == Real(6));
  pass();
  CHECK(w.gradient()[0] == Real(12));
  CHECK(std::ranges::all_of(idle.gradient(), [](Real v) { return v == Real(0); }));
  store.zero_grad();
  CHECK(w.gradient()[0] == Real(0));
  pass();
  CHECK(w.gradient()[0] == Real(6));
}

TEST_CASE("a parameter used twice on a tape gets both contributions") {
  ParameterStore store{Key(1)};
  Parameter& w = store.add("w", {1, 1}, init::constant(3));
  Tape tape;
  tape.backward(tape.parameter(w) * tape.parameter(w));
  CHECK(w.gradient()[0] == Real(6));
}

TEST_CASE("a frozen parameter gets no gradient, and the others still do") {
  ParameterStore store{Key(1)};
  Parameter &w = store.add("w", {1, 1}, init::constant(3)), &v = store.add("v", {1, 1}, init::constant(2));
  w.set_trainable(false);
  Tape tape;
  tape.backward(matmul(tape.parameter(w), tape.parameter(v)));
  CHECK(w.gradient()[0] == Real(0));
  CHECK(v.gradient()[0] == Real(3));
}
