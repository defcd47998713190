#pragma once
// What a run ran on, for summary.json and the report.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vaezoo {

struct Environment {
  std::string vaezoo_version, timestamp;  ///< timestamp: ISO 8601 of when this was asked
  std::string system, cpu;                ///< "Linux 6.1.0 x86_64", "AMD EPYC 9B14"
  int cores = 1, threads = 1;             ///< cores that this process may use; threads that the engine uses
  std::string compiler, flags;            ///< "g++ 12.2.0", "-O3 -DNDEBUG -march=native"
  std::vector<std::pair<std::string, std::string>> libraries;  ///< name and version at run time; callers add theirs
};

/// Never fails: what cannot be found out is "unknown".
Environment describe_environment(int threads);

/// Name and value for people, libraries last.
std::vector<std::pair<std::string, std::string>> to_rows(const Environment& environment);

/// The most memory this process has had resident, in bytes.
std::int64_t peak_memory_bytes();

/// Now, in local time with its offset from UTC: "2026-03-01T14:05:09+01:00".
std::string timestamp_iso8601();

}  // namespace vaezoo
