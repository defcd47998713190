#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "experiments/output/axis.hpp"
#include "experiments/output/text.hpp"

using namespace vaezoo;

TEST_CASE("text: markup is escaped and control characters are dropped") {
  CHECK(escape_markup("<a href=\"x\" b='y'>&\x01\n") == "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;\n");
  CHECK(escape_markup("Zürich β") == "Zürich β");
}

TEST_CASE("text: base64 gives the test vectors of RFC 4648, section 10") {
  const std::string foobar = "foobar";
  const std::vector<std::string> expected = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
  for (std::size_t n = 0; n < expected.size(); ++n) {
    CHECK(base64({reinterpret_cast<const std::uint8_t*>(foobar.data()), n}) == expected[n]);
  }
  const std::uint8_t high[] = {0xff, 0xfe, 0xfb};
  CHECK(base64(high) == "//77");
}

TEST_CASE("text: numbers, measurements, durations and counts read as people write them") {
  CHECK(format_number(0.1f, 6) == "0.1");
  CHECK(format_number(-0.0) == "0");
  CHECK(format_number(NAN) == "NaN");
  CHECK(format_number(-INFINITY) == "-inf");
  CHECK(format_measurement(97.3149, 0.4217) == "97.31 ± 0.42");
  CHECK(format_measurement(97.3149, 12.0) == "97 ± 12");
  CHECK(format_measurement(97.3149, 0.0) == "97.3149");
  CHECK(format_measurement(97.3149, NAN) == "97.3149");
  CHECK(format_measurement(NAN, 0.1) == "NaN");
  CHECK(format_duration(31.6) == "0:32");
  CHECK(format_duration(3599.6) == "1:00:00");
  CHECK(format_duration(2 * 86400 + 3 * 3600 + 4 * 60 + 5) == "2 d 3:04:05");
  CHECK(format_duration(INFINITY) == "?");
  CHECK(format_duration(-1) == "?");
  CHECK(format_count(950) == "950");
  CHECK(format_count(45123) == "45.1k");
  CHECK(format_count(999'900) == "1M");
}

TEST_CASE("text: width counts characters and cutting keeps them whole") {
  CHECK(display_width("β=4 ━") == 5);
  CHECK(cut_to_width("β=4 ━━", 5) == "β=4 ━");
  CHECK(cut_to_width("ab", 5) == "ab");
  CHECK(cut_to_width("β", 0) == "");
}

TEST_CASE("axis: ticks are round numbers inside the interval") {
  CHECK(linear_ticks(0, 1, 5) == std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1});
  CHECK(linear_ticks(97.2, 131, 4) == std::vector<double>{100, 110, 120, 130});
  CHECK(linear_ticks(1, 3, 8, true) == std::vector<double>{1, 2, 3});
  const std::vector<double> decades = log_ticks(0.5, 2e6, 6);
  for (const double tick : decades) CHECK((tick >= 0.5 && tick <= 2e6));
  CHECK(decades.size() >= 3);
  CHECK(log_ticks(80, 120, 4) == std::vector<double>{80, 90, 100, 110, 120});
  CHECK(log_ticks(1, 100, 6) == std::vector<double>{1, 2, 5, 10, 20, 50, 100});
}

TEST_CASE("axis: the labels of one axis share their notation") {
  using Labels = std::vector<std::string>;
  CHECK(tick_labels({0, 0.5, 1}) == Labels{"0.0", "0.5", "1.0"});
  CHECK(tick_labels({0, 10000, 20000}) == Labels{"0", "10k", "20k"});
  CHECK(tick_labels({0, 2e6, 4e6}) == Labels{"0", "2M", "4M"});
  CHECK(tick_labels({0.8e6, 1e6, 1.2e6}) == Labels{"0.8M", "1.0M", "1.2M"});
  CHECK(tick_labels({0, 5e-5, 1e-4}) == Labels{"0", "5e-05", "0.0001"});
  CHECK(tick_labels({0.01, 1, 100, 1e4}) == Labels{"0.01", "1", "100", "10k"});
  CHECK(tick_labels({100000, 100001, 100002}) == Labels{"100000", "100001", "100002"});
  CHECK(tick_labels({}).empty());
}

TEST_CASE("axis: every interval can be drawn") {
  const std::vector<std::pair<double, double>> intervals = {
      {0, 1},         {5, 5},          {0, 0},         {1, -1},          {NAN, 1},      {-INFINITY, INFINITY},
      {1e300, 1e301}, {-1e308, 1e308}, {1, 1 + 1e-15}, {1e-320, 2e-320}, {1e308, 1e308}};
  for (const auto& interval : intervals) {
    const double low = interval.first, high = interval.second;
    CAPTURE(low);
    CAPTURE(high);
    for (const bool log : {false, true}) {
      CAPTURE(log);
      const Axis axis(low, high, 0, 100, {.log = log});
      CHECK(axis.low() < axis.high());
      CHECK(axis.ticks().size() <= 40);
      CHECK(axis.ticks().size() == axis.labels().size());
      CHECK(axis(axis.low()) == 0);
    }
  }
}
