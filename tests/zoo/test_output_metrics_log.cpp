#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "experiments/output/metrics_log.hpp"
#include "tests/zoo/output_support.hpp"

using namespace vaezoo;
using test_support::TempFolder;

namespace {

/// A run of 3 steps an epoch: every step is logged, and at an epoch's end train and validation, which has one metric more.
void log_steps(MetricsLog& log, std::int64_t first, std::int64_t last) {
  for (std::int64_t step = first; step <= last; ++step) {
    const double t = 0.25 * static_cast<double>(step), loss = 100 + 1.0 / static_cast<double>(step);
    const std::int64_t epoch = (step + 2) / 3;
    log.write({step, epoch, "train", t, false, {{"loss", loss}}});
    if (step % 3 != 0) continue;
    log.write({step, epoch, "train", t, true, {{"loss", loss}, {"kl", 0.1f}}});
    log.write({step, epoch, "validation", t, true, {{"loss", loss + 1}, {"kl", 2}, {"nll", 99}}});
  }
}

std::string jsonl(const TempFolder& folder) { return read_file(folder / "metrics.jsonl"); }
std::string csv(const TempFolder& folder) { return read_file(folder / "metrics.csv"); }

}  // namespace

TEST_CASE("metrics_log: each line is a JSON object with step, epoch, split, time and the metrics in their order") {
  const TempFolder folder;
  MetricsLog log(folder.path());
  log.write({470, 2, "train", 3.2404, false, {{"loss", 164.5}, {"kl", 17.25}}});
  CHECK(jsonl(folder) == R"({"event":"step","step":470,"epoch":2,"split":"train","time":3.24,"loss":164.5,"kl":17.25})" "\n");
}

TEST_CASE("metrics_log: numbers read back exactly, and what is not finite is null and named") {
  const TempFolder folder;
  MetricsLog log(folder.path());
  const std::vector<double> values = {0.1, 0.1f, 1.0 / 3, -0.0, 5e-324, std::numeric_limits<double>::max(), 123456789.123456789};
  MetricRecord record{1, 1, "train", 0, true, {{"nan", NAN}, {"inf", INFINITY}, {"minus", -INFINITY}}};
  for (std::size_t i = 0; i < values.size(); ++i) record.values.push_back({"v" + std::to_string(i), values[i]});
  log.write(record);
  const nlohmann::json json = nlohmann::json::parse(jsonl(folder));
  CHECK(json["nan"].is_null());
  CHECK(json["nonfinite"] == nlohmann::json{"nan", "inf", "minus"});
  const std::vector<MetricRecord> back = read_metrics(folder / "metrics.jsonl");
  REQUIRE(back.size() == 1);
  REQUIRE(back[0].values.size() == 10);
  for (std::size_t i = 0; i < 3; ++i) CHECK(std::isnan(back[0].values[i].value));
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(back[0].values[i + 3].value == values[i]);
  CHECK(csv(folder).find(",nan,inf,-inf,0.1,") != std::string::npos);
}

TEST_CASE("metrics_log: the CSV has one row per epoch and split under stable columns") {
  const TempFolder folder;
  MetricsLog log(folder.path());
  CHECK(csv(folder) == "epoch,step,split,time\n");
  log_steps(log, 1, 3);
  CHECK(csv(folder) ==
        "epoch,step,split,time,loss,kl,nll\n"
        "1,3,train,0.750,100.33333333333333,0.10000000149011612,\n"
        "1,3,validation,0.750,101.33333333333333,2,99\n");
  log.write({4, 2, "a,\"b\"", 1, true, {{"nll", 1}}});
  CHECK(csv(folder).find("\n2,4,\"a,\"\"b\"\"\",1.000,,,1\n") != std::string::npos);
}

TEST_CASE("metrics_log: a run killed at any step and resumed from any checkpoint leaves the files of one that was not") {
  const TempFolder whole;
  {
    MetricsLog log(whole.path());
    log_steps(log, 1, 12);
  }
  for (std::int64_t killed = 0; killed <= 12; ++killed) {
    for (std::int64_t checkpoint = 0; checkpoint <= killed; ++checkpoint) {
      CAPTURE(killed);
      CAPTURE(checkpoint);
      const TempFolder folder;
      LogMark saved{checkpoint, 0};
      {
        MetricsLog log(folder.path());
        log_steps(log, 1, checkpoint);
        saved.bytes = log.bytes();
        log_steps(log, checkpoint + 1, killed);
      }
      if (killed > checkpoint) atomic_write(folder / "metrics.jsonl", jsonl(folder) + "not a record\n{half");
      MetricsLog log(folder.path(), saved);
      CHECK(log.remarks().empty());
      log_steps(log, checkpoint + 1, 12);
      CHECK(jsonl(folder) == jsonl(whole));
      CHECK(csv(folder) == csv(whole));
    }
  }
}

TEST_CASE("metrics_log: a log that lost its end is resumed with a word, whatever the byte") {
  const TempFolder folder;
  {
    MetricsLog log(folder.path());
    log_steps(log, 1, 4);
  }
  const std::string full = jsonl(folder);
  const LogMark saved{4, std::ssize(full)};
  const std::size_t last = full.rfind('\n', full.size() - 2) + 1;
  for (std::size_t cut = last; cut < full.size() - 1; ++cut) {
    atomic_write(folder / "metrics.jsonl", full.substr(0, cut));
    CHECK(read_metrics(folder / "metrics.jsonl").size() == 5);
    const MetricsLog log(folder.path(), saved);
    REQUIRE_FALSE(log.remarks().empty());
    CHECK(log.remarks()[0].find("bytes, and had") != std::string::npos);
    CHECK(jsonl(folder) == full.substr(0, last));
  }
  atomic_write(folder / "metrics.jsonl", full.substr(0, full.size() - 1));  // whole but for its line's end
  CHECK(MetricsLog(folder.path(), saved).remarks().size() == 1);
  CHECK(jsonl(folder) == full);
  std::filesystem::remove(folder / "metrics.jsonl");
  const MetricsLog none(folder.path(), saved);
  REQUIRE(none.remarks().size() == 1);
  CHECK(none.remarks()[0].find("is gone") != std::string::npos);
}

TEST_CASE("metrics_log: a broken line is an error with its number when read, and left out with a word when resumed") {
  const TempFolder folder;
  const std::string good = R"({"event":"step","step":1,"epoch":1,"split":"train","time":0,"loss":1})" "\n";
  for (const std::string bad : {"garbage", "[1]", "{\"step\":1}", R"({"event":"step","step":"x","epoch":1,"split":"a","time":0})",
                                R"({"event":"step","step":1,"epoch":1,"split":"a","time":0,"loss":"much"})",
                                R"({"event":"step","step":1e50,"epoch":1,"split":"a","time":0,"loss":1})",
                                R"({"event":"step","step":2.5,"epoch":1,"split":"a","time":0,"loss":1})",
                                R"({"event":"step","step":1,"epoch":-1,"split":"a","time":0,"loss":1})",
                                R"({"event":"step","step":1,"epoch":18446744073709551615,"split":"a","time":0,"loss":1})",
                                R"({"event":"step","step":1,"epoch":1,"split":"a","time":-3,"loss":1})"}) {
    CAPTURE(bad);
    const std::string text = good + bad + "\n" + good;
    atomic_write(folder / "metrics.jsonl", text);
    CHECK(test_support::message_of<FileError>([&] {
            read_metrics(folder / "metrics.jsonl");
          }).find("metrics.jsonl:2: this line is not a record") != std::string::npos);
    CHECK(jsonl(folder) == text);
    const MetricsLog log(folder.path(), LogMark{1, std::ssize(text)});
    REQUIRE(log.remarks().size() == 1);
    CHECK(log.remarks()[0].find("metrics.jsonl:2: this line is not a record") != std::string::npos);
    CHECK(jsonl(folder) == good + good);
    CHECK(read_file(folder / "metrics.jsonl.damaged") == text);
  }
  CHECK_THROWS_AS(read_metrics(folder / "none.jsonl"), FileError);
}

TEST_CASE("metrics_log: a new run starts empty, and resuming without a log starts one") {
  const TempFolder folder;
  {
    MetricsLog log(folder / "run");
    log_steps(log, 1, 3);
  }
  MetricsLog log(folder / "run");
  CHECK(read_file(folder / "run" / "metrics.jsonl").empty());
  MetricsLog resumed(folder / "other", LogMark{7, 0});
  log_steps(resumed, 8, 8);
  CHECK(read_metrics(folder / "other" / "metrics.jsonl").size() == 1);
}

TEST_CASE("metrics_log: a metric may not take the name of a record's key or of another metric") {
  const TempFolder folder;
  MetricsLog log(folder.path());
  for (const char* name : {"event", "step", "epoch", "split", "time", "nonfinite"}) {
    CHECK_THROWS_AS(log.write({1, 1, "train", 0, false, {{name, 1}}}), std::invalid_argument);
  }
  CHECK_THROWS_AS(log.write({1, 1, "train", 0, false, {{"kl", 1}, {"kl", 2}}}), std::invalid_argument);
  CHECK(jsonl(folder).empty());
}

TEST_CASE("metrics_log: curves come back by epoch and by step") {
  const TempFolder folder;
  MetricsLog log(folder.path());
  log_steps(log, 1, 6);
  const std::vector<MetricRecord> records = read_metrics(folder / "metrics.jsonl");
  const Series epochs = metric_curve(records, "validation", "loss", Curve::by_epoch);
  CHECK(epochs.name == "validation");
  CHECK(epochs.x == std::vector<double>{1, 2});
  CHECK(epochs.y == std::vector<double>{101 + 1.0 / 3, 101 + 1.0 / 6});
  CHECK(metric_curve(records, "train", "loss", Curve::by_step).x == std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(metric_curve(records, "train", "none", Curve::by_step).x.empty());
}
