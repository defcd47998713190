#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "autodiff/check.hpp"
#include "autodiff/schedules.hpp"

using namespace ad;
using nlohmann::json;

namespace {

const json& golden() {
  static const json numbers = json::parse(std::ifstream("tests/golden/training.json")).at("schedules");
  return numbers;
}

/// The schedule's first rates equal PyTorch's, with time counted in steps and in epochs alike.
void check(const char* name, const Schedule& s) {
  CAPTURE(name);
  std::int64_t t = 0;
  for (const json& rate : golden().at(name)) {
    CHECK(s({t, t}) == doctest::Approx(rate.get<double>()).epsilon(1e-12));
    ++t;
  }
}

}  // namespace

TEST_CASE("schedules follow PyTorch's") {
  check("step", schedule::step(0.5, 7, 0.3));
  check("multi_step", schedule::multi_step(0.5, {3, 4, 15}, 0.2));
  check("exponential", schedule::exponential(0.5, 0.9));
  check("cosine", schedule::cosine(0.5, 24, 0.05));
  check("one_cycle", schedule::one_cycle(0.5, 25));
  check("one_cycle_rise", schedule::one_cycle(0.5, 25, {.rise = 0.5, .start_divisor = 10, .final_divisor = 100}));
  check("warmup", schedule::warmup(10, schedule::constant(0.5)));
}

TEST_CASE("schedules by epoch ignore the step, schedules by step the epoch") {
  CHECK(schedule::step(1, 10)({1000, 9}) == 1);
  CHECK(schedule::multi_step(1, {10})({1000, 9}) == 1);
  CHECK(schedule::exponential(1, 0.5)({1000, 0}) == 1);
  CHECK(schedule::cosine(1, 100)({0, 50}) == 1);
  CHECK(schedule::one_cycle(1, 100)({0, 50}) == doctest::Approx(1.0 / 25));
}

TEST_CASE("schedules stay at their end") {
  CHECK(schedule::cosine(1, 10, 0.25)({1000, 0}) == doctest::Approx(0.25));
  CHECK(schedule::one_cycle(1, 10)({1000, 0}) == doctest::Approx(1 / 25e4));
}

TEST_CASE("one_cycle is finite for any number of steps and any rise") {
  for (const std::int64_t steps : {1, 2, 3, 10})
    for (const double rise : {0.0, 0.1, 0.3, 0.5, 1.0})
      for (std::int64_t t = 0; t <= steps; ++t) {
        const double rate = schedule::one_cycle(1, steps, {.rise = rise})({t, 0});
        CHECK(rate > 0);
        CHECK(rate <= 1 + 1e-12);
      }
}

TEST_CASE("warm-up ends at the inner schedule, which runs on beneath it") {
  const Schedule inner = schedule::cosine(1, 100), s = schedule::warmup(10, inner);
  CHECK(s({4, 0}) == doctest::Approx(inner({4, 0}) * 5 / 11));
  CHECK(s({10, 0}) == inner({10, 0}));
  CHECK(s({60, 0}) == inner({60, 0}));
  CHECK(schedule::warmup(0, inner)({0, 0}) == 1);
}

TEST_CASE("arguments out of range are errors that name the schedule") {
  CHECK_THROWS_WITH_AS(schedule::step(1, 0), "[step] needs at least one epoch between changes, got 0", Error);
  CHECK_THROWS_AS(schedule::constant(-1), Error);
  CHECK_THROWS_AS(schedule::constant(std::nan("")), Error);
  CHECK_THROWS_AS(schedule::cosine(1, 0), Error);
  CHECK_THROWS_AS(schedule::one_cycle(1, 10, {.rise = 1.5}), Error);
  CHECK_THROWS_AS(schedule::warmup(-1, schedule::constant(1)), Error);
  CHECK_THROWS_AS(ReduceOnPlateau(1, {.factor = 1}), Error);
}

TEST_CASE("reduce_on_plateau follows PyTorch's, also when it is resumed at every step") {
  const ReduceOnPlateau::Options options{.factor = 0.5, .patience = 2, .threshold = 1e-3, .cooldown = 1, .min_rate = 0.1};
  ReduceOnPlateau plateau(0.5, options);
  const json& g = golden().at("plateau");
  for (std::size_t i = 0; i < g["metrics"].size(); ++i) {
    ReduceOnPlateau resumed(0.5, options);
    resumed.set_state(plateau.state());
    plateau = resumed;
    plateau.observe(g["metrics"][i]);
    CHECK(plateau.rate() == doctest::Approx(g["rates"][i].get<double>()).epsilon(1e-12));
  }
}

TEST_CASE("reduce_on_plateau: a negative metric that falls is an improvement, a NaN is none") {
  ReduceOnPlateau falling(1, {.patience = 0, .threshold = 0.01}), broken(1, {.patience = 0});
  for (const double metric : {-1.0, -1.1, -1.3, -1.5}) falling.observe(metric);
  CHECK(falling.rate() == 1);
  broken.observe(std::nan(""));
  CHECK(broken.rate() == doctest::Approx(0.1));
}
