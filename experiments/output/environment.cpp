#include "experiments/output/environment.hpp"

#include <fmt/format.h>
#include <png.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <zlib.h>

#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <thread>

namespace vaezoo {
namespace {

/// x86 says "model name : ..."; Arm kernels give no name, and the architecture in `system` has to do.
std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const auto colon = line.find(": ");
    if (colon != std::string::npos && (line.starts_with("model name") || line.starts_with("Model")))
      return line.substr(colon + 2);
  }
  return "unknown";
}

std::string system_name() {
  utsname name{};
  return ::uname(&name) == 0 ? fmt::format("{} {} {}", name.sysname, name.release, name.machine) : "unknown";
}

int usable_cores() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());  // above 1024 cores
}

std::string compiler_name() {
#if defined(__clang__)
  return fmt::format("clang++ {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return fmt::format("g++ {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

}  // namespace

Environment describe_environment(int threads) {
  Environment e;
  e.vaezoo_version = VAEZOO_VERSION;
  e.timestamp = timestamp_iso8601();
  e.system = system_name();
  e.cpu = cpu_model();
  e.cores = usable_cores();
  e.threads = threads;
  e.compiler = compiler_name();
  e.flags = VAEZOO_FLAGS;
  e.libraries = {{"libpng", png_get_libpng_ver(nullptr)},
                 {"zlib", zlibVersion()},
                 {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
                 {"nlohmann-json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                                               NLOHMANN_JSON_VERSION_PATCH)}};
  return e;
}

std::vector<std::pair<std::string, std::string>> to_rows(const Environment& e) {
  std::vector<std::pair<std::string, std::string>> rows = {
      {"vaezoo", e.vaezoo_version}, {"time", e.timestamp},
      {"system", e.system},         {"CPU", e.cpu},
      {"cores", std::to_string(e.cores)}, {"threads", std::to_string(e.threads)},
      {"compiler", e.compiler},     {"flags", e.flags}};
  rows.insert(rows.end(), e.libraries.begin(), e.libraries.end());
  return rows;
}

std::int64_t peak_memory_bytes() {
  rusage usage{};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? std::int64_t{usage.ru_maxrss} * 1024 : 0;  // Linux counts KiB
}

std::string timestamp_iso8601() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char text[32] = "";
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z", &local);
  const std::string_view stamp = text;  // strftime writes the offset as +0100
  if (stamp.size() < 3) return "unknown";
  return fmt::format("{}:{}", stamp.substr(0, stamp.size() - 2), stamp.substr(stamp.size() - 2));
}

}  // namespace vaezoo
