#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "experiments/output/progress.hpp"
#include "experiments/output/text.hpp"
#include "tests/zoo/output_support.hpp"

using namespace vaezoo;
using test_support::contains;
using test_support::count;

namespace {

/// A screen and a clock in the hand of the test.
struct Stage {
  double now = 1000;
  int columns = 100;
  std::string screen;
  std::size_t drawings = 0;

  ProgressOptions options(bool terminal) {
    ProgressOptions o;
    o.terminal = terminal;
    o.width = [this] { return columns; };
    o.clock = [this] { return now; };
    o.output = [this](std::string_view text) {
      screen += text;
      ++drawings;
    };
    return o;
  }

  std::vector<std::string> lines() const {
    std::vector<std::string> found(1);
    for (const char c : screen) {
      if (c == '\n' || c == '\r') found.emplace_back();
      else found.back() += c;
    }
    found.erase(std::remove(found.begin(), found.end(), ""), found.end());
    return found;
  }
};

std::string without_escapes(std::string text) {
  for (std::size_t at = text.find('\x1b'); at != std::string::npos; at = text.find('\x1b')) {
    text.erase(at, text.find_first_of("mK", at) - at + 1);
  }
  return text;
}

const std::vector<Metric> kMetrics = {{"loss", 105.61234}, {"kl", 25.1}};

}  // namespace

TEST_CASE("progress: a log file gets a line every ten seconds, with speed, ETA and metrics") {
  Stage stage;
  Progress progress(stage.options(false), {.steps = 1000, .epochs = 2, .items = "images"});
  for (int step = 0; step < 250; ++step) {
    stage.now += 0.1;
    progress.advance(1, 128, kMetrics);
  }
  const auto lines = stage.lines();
  REQUIRE(lines.size() == 2);  // at 10 s and 20 s of 25
  CHECK(lines[0] == "epoch 1/2  step 100/1000 (10 %)  1.28k images/s  ETA 1:30  loss 105.61  kl 25.1");
  CHECK_FALSE(contains(stage.screen, "\x1b"));
  CHECK_FALSE(contains(stage.screen, "\r"));
}

TEST_CASE("progress: epoch ends are lines, though not more than one a second") {
  Stage stage;
  Progress progress(stage.options(false), {.steps = 1000, .epochs = 100});
  for (int epoch = 1; epoch <= 100; ++epoch) {
    for (int step = 0; step < 10; ++step) {
      stage.now += 0.03;
      progress.advance(epoch, 1, kMetrics);
    }
    progress.end_epoch(kMetrics);
  }
  CHECK(stage.drawings >= 20);
  CHECK(stage.drawings <= 30);  // 100 epochs of 0.3 s
  progress.finish(kMetrics);
  CHECK(contains(stage.lines().back(), "epoch 100/100  step 1000/1000 (100 %)"));
}

TEST_CASE("progress: a terminal line updates itself at most ten times a second and ends on a new line") {
  Stage stage;
  {
    Progress progress(stage.options(true), {.steps = 10'000, .epochs = 1});
    for (int step = 0; step < 10'000; ++step) {
      stage.now += 0.0003;
      progress.advance(1, 1, kMetrics);
    }
    CHECK(stage.drawings >= 25);
    CHECK(stage.drawings <= 30);  // 3 s
    CHECK(count(stage.screen, "\n") == 0);
    progress.finish(kMetrics);
  }
  CHECK(count(stage.screen, "\n") == 1);
  CHECK(stage.screen.back() == '\n');
  CHECK(contains(without_escapes(stage.lines().back()), "epoch 1/1  ==============================  100 %"));
}

TEST_CASE("progress: the terminal line fits every width, and keeps whole characters") {
  for (int columns = 1; columns <= 200; ++columns) {
    for (const bool pretty : {false, true}) {
      Stage stage;
      stage.columns = columns;
      ProgressOptions options = stage.options(true);
      options.color = options.unicode = pretty;
      const std::vector<Metric> metrics = {{"loss", -123.456}, {"β", 4}, {"reconstruction", 1e-7}};
      Progress progress(options, {.steps = 100, .epochs = 10});
      for (int step = 0; step < 50; ++step) {
        stage.now += 1;
        progress.advance(5, 1, metrics);
      }
      for (const std::string& line : stage.lines()) {
        CHECK(display_width(without_escapes(line)) <= static_cast<std::size_t>(std::max(1, columns - 1)));
      }
      if (columns >= 60 || columns < 40 || !pretty) CHECK(contains(stage.screen, "\x1b[36m") == (pretty && columns >= 60));
      if (columns >= 120) CHECK(contains(stage.screen, "reconstruction 1e-07"));
    }
  }
}

TEST_CASE("progress: the ETA follows a change of speed") {
  Stage stage;
  Progress progress(stage.options(false), {.steps = 2000, .epochs = 1});
  for (int step = 0; step < 1000; ++step) {
    stage.now += 0.01;
    progress.advance(1, 1, {});
  }
  for (int step = 0; step < 900; ++step) {  // ten times slower
    stage.now += 0.1;
    progress.advance(1, 1, {});
  }
  progress.finish({});
  CHECK(contains(stage.lines().back(), "10 items/s  ETA 0:10"));
}

TEST_CASE("progress: a resumed run counts from its step but measures only what it does") {
  Stage stage;
  Progress progress(stage.options(false), {.steps = 1000, .epochs = 10, .first_step = 900});
  for (int step = 0; step < 10; ++step) {
    stage.now += 1;
    progress.advance(10, 5, {});
  }
  CHECK(stage.lines().back() == "epoch 10/10  step 910/1000 (91 %)  5 items/s  ETA 1:30");
}

TEST_CASE("progress: without known totals there is no bar and no ETA") {
  for (const bool terminal : {false, true}) {
    Stage stage;
    Progress progress(stage.options(terminal), {});
    for (int step = 0; step < 20; ++step) {
      stage.now += 1;
      progress.advance(1, 1, {});
    }
    CHECK(contains(stage.screen, "epoch 1  step 10  1 items/s"));
    CHECK_FALSE(contains(stage.screen, "ETA"));
    CHECK_FALSE(contains(stage.screen, "%"));
  }
}

TEST_CASE("progress: a message stands above the line, which comes back") {
  Stage stage;
  Progress progress(stage.options(true), {.steps = 10, .epochs = 1});
  stage.now += 1;
  progress.advance(1, 1, {});
  progress.message("saved best");
  CHECK(stage.screen.ends_with("\r\x1b[Ksaved best\n"));
  progress.advance(1, 1, {});
  CHECK(contains(stage.lines().back(), "epoch 1/1"));
}

TEST_CASE("progress: a run that is done already shows its last epoch") {
  Stage stage;
  Progress progress(stage.options(false), {.steps = 46, .epochs = 2, .first_step = 46, .first_epoch = 2});
  progress.finish({});
  CHECK(contains(stage.lines().back(), "epoch 2/2"));
}

TEST_CASE("progress: quiet says nothing") {
  Stage stage;
  {
    ProgressOptions options = stage.options(true);
    options.quiet = true;
    Progress progress(options, {.steps = 10, .epochs = 1});
    for (int step = 0; step < 10; ++step) {
      stage.now += 10;
      progress.advance(1, 1, kMetrics);
    }
    progress.end_epoch(kMetrics);
    progress.message("hello");
    progress.finish(kMetrics);
  }
  CHECK(stage.drawings == 0);
}

TEST_CASE("progress: steps that draw nothing allocate nothing") {
  Stage stage;
  Progress progress(stage.options(true), {.steps = 1'000'000, .epochs = 1});
  stage.now += 1;
  progress.advance(1, 1, kMetrics);
  const std::size_t drawings = stage.drawings, before = test_support::allocations();
  for (int step = 0; step < 1000; ++step) {
    stage.now += 0.00005;
    progress.advance(1, 128, kMetrics);
  }
  CHECK(test_support::allocations() == before);
  CHECK(stage.drawings == drawings);
  stage.now += 1;
  progress.advance(1, 128, kMetrics);
  CHECK(test_support::allocations() > before);  // the counter does count
}
