#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "config/reader.hpp"
#include "models/parts/schedules.hpp"

using namespace vaezoo;

namespace {

KlSchedule schedule(const char* settings) {
  KlSchedule s;
  const nlohmann::json config = {{"kl_weight", nlohmann::json::parse(settings)}};
  read_config(config, "test", [&](Fields& f) { s.visit(f, "kl_weight", ""); });
  return s;
}

double at_step(const KlSchedule& s, std::int64_t step) { return s.at({step, 1e6}); }    // the epoch must not matter
double at_epoch(const KlSchedule& s, double epoch) { return s.at({1'000'000, epoch}); }  // ... nor the step

}  // namespace

TEST_CASE("constant: the weight of the KL is 1 always, and that is the default") {
  for (const KlSchedule& s : {schedule(R"("constant")"), KlSchedule{}})
    for (const double epoch : {0.0, 0.5, 7.0, 1e9}) CHECK(at_epoch(s, epoch) == 1);
}

TEST_CASE("linear: the weight rises from start to 1 over length and stays, in steps or in epochs") {
  const KlSchedule steps = schedule(R"({"name": "linear", "length": 1000, "unit": "steps"})");
  CHECK(at_step(steps, 0) == 0);
  CHECK(at_step(steps, 250) == 0.25);
  CHECK(at_step(steps, 999) == 0.999);
  CHECK(at_step(steps, 1000) == 1);
  CHECK(at_step(steps, 5'000'000) == 1);

  const KlSchedule epochs = schedule(R"({"name": "linear", "length": 8, "unit": "epochs", "start": 0.5})");
  CHECK(at_epoch(epochs, 0) == 0.5);
  CHECK(at_epoch(epochs, 2) == 0.625);
  CHECK(at_epoch(epochs, 3.5) == 0.71875);  // within an epoch too
  CHECK(at_epoch(epochs, 8) == 1);
  CHECK(at_epoch(epochs, 100) == 1);
  CHECK(at_epoch(schedule(R"({"name": "linear", "start": 1})"), 0) == 1);
}

TEST_CASE("cyclical: each cycle rises over its first part, then the weight is 1, then it starts again") {
  const KlSchedule steps = schedule(R"({"name": "cyclical", "length": 100, "unit": "steps", "ratio": 0.5})");
  for (const std::int64_t cycle : {0, 1, 7}) {
    CHECK(at_step(steps, 100 * cycle) == doctest::Approx(0));
    CHECK(at_step(steps, 100 * cycle + 25) == doctest::Approx(0.5));
    CHECK(at_step(steps, 100 * cycle + 50) == doctest::Approx(1));
    CHECK(at_step(steps, 100 * cycle + 99) == 1);
  }
  const KlSchedule epochs = schedule(R"({"name": "cyclical", "length": 4, "unit": "epochs", "ratio": 0.25, "start": 0.2})");
  CHECK(at_epoch(epochs, 0) == doctest::Approx(0.2));
  CHECK(at_epoch(epochs, 0.5) == doctest::Approx(0.6));
  CHECK(at_epoch(epochs, 1) == 1);
  CHECK(at_epoch(epochs, 3.99) == 1);
  CHECK(at_epoch(epochs, 4) == doctest::Approx(0.2));
  CHECK(at_epoch(schedule(R"({"name": "cyclical", "length": 1, "ratio": 1})"), 6.75) == doctest::Approx(0.75));  // a saw
}

TEST_CASE("the weight stays between start and 1 and does not fall within a rise") {
  for (const char* settings : {R"({"name": "linear", "length": 37, "unit": "steps", "start": 0.1})",
                               R"({"name": "cyclical", "length": 37, "unit": "steps", "start": 0.1, "ratio": 0.3})"}) {
    const KlSchedule s = schedule(settings);
    double before = 0;
    for (std::int64_t step = 0; step < 200; ++step) {
      const double weight = at_step(s, step);
      CHECK(weight >= 0.1);
      CHECK(weight <= 1);
      if (step % 37 != 0 || s.name == "linear") CHECK(weight >= before);
      before = weight;
    }
  }
}

TEST_CASE("a schedule that makes no sense is refused") {
  for (const char* settings :
       {R"({"name": "linear", "length": 0})", R"({"name": "linear", "start": 1.5})", R"({"name": "cyclical", "ratio": 0})",
        R"({"name": "linear", "unit": "hours"})", R"({"name": "constant", "length": 3})", R"("linaer")"})
    CHECK_THROWS_AS(schedule(settings), ConfigError);
}
