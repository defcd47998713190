#include <doctest/doctest.h>

#include <algorithm>
#include <regex>
#include <vector>

#include "experiments/output/environment.hpp"

using namespace vaezoo;

TEST_CASE("environment: every entry is filled in") {
  const Environment e = describe_environment(3);
  CHECK(std::regex_match(e.vaezoo_version, std::regex(R"(\d+\.\d+\.\d+)")));
  CHECK(e.cores >= 1);
  CHECK(e.threads == 3);
  CHECK(e.compiler.find("++ ") != std::string::npos);
  for (const auto& row : to_rows(e)) {
    CAPTURE(row.first);
    if (row.first != "flags") CHECK_FALSE(row.second.empty());  // a Debug build may have none
  }
  CHECK(to_rows(e).size() == 8 + e.libraries.size());
}

TEST_CASE("environment: the time is ISO 8601 with an offset") {
  const std::string stamp = timestamp_iso8601();
  CAPTURE(stamp);
  CHECK(std::regex_match(stamp, std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d)")));
}

TEST_CASE("environment: peak memory grows with what is touched, and is in bytes") {
  const std::int64_t before = peak_memory_bytes();
  CHECK(before > 1'000'000);
  std::vector<char> block(static_cast<std::size_t>(before) + 64'000'000);
  std::fill(block.begin(), block.end(), char{1});
  CHECK(peak_memory_bytes() >= before + 32'000'000);
  CHECK(block[block.size() / 2] == 1);
}
