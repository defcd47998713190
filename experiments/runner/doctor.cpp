// vaezoo doctor: what this machine and this build can do.
#include <fmt/core.h>

#include <chrono>
#include <cstdlib>

#include "autodiff/gemm.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/random.hpp"
#include "autodiff/simd.hpp"
#include "datasets/download.hpp"
#include "experiments/output/environment.hpp"
#include "experiments/runner/commands.hpp"
#include "experiments/runner/errors.hpp"

namespace vaezoo {
namespace {

void row(const char* name, const std::string& value) { fmt::print("{:<12} {}\n", name, value); }

/// The widest vectors that the CPU offers, in bits; 0 when this program cannot ask it.
int cpu_vector_bits() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return 512;
  if (__builtin_cpu_supports("avx2")) return 256;
  return 128;
#else
  return 0;
#endif
}

std::string vector_text() {
  const int built = static_cast<int>(ad::kLanes * static_cast<Index>(sizeof(Real)) * 8), offered = cpu_vector_bits();
  std::string text = fmt::format("{} bits in this build", built);
  if (offered == 0) return text;
  text += fmt::format(", {} bits in this CPU", offered);
  if (offered > built) text += "; build on this machine with -DVAEZOO_NATIVE=ON to use them";
  return text;
}

/// The speed of the product that a hidden layer of 400 on MNIST makes, [512, 784] times [784, 400].
double gemm_gflops(int threads) {
  constexpr Index m = 512, k = 784, n = 400;
  constexpr double kSeconds = 0.3;
  std::vector<Real> a(m * k), b(k * n), c(m * n);
  ad::fill_normal(Key(1), a);
  ad::fill_normal(Key(2), b);
  const int before = ad::threads();
  ad::set_threads(threads);
  const auto now = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
  const auto product = [&] { ad::gemm(m, n, k, {a.data(), k}, {b.data(), n}, Real(0), c.data(), n); };
  product();  // wakes threads, touches memory
  const double start = now();
  int count = 0;
  while (now() - start < kSeconds) {
    product();
    ++count;
  }
  const double seconds = (now() - start) / count;
  ad::set_threads(before);
  return 2.0 * static_cast<double>(m * k * n) / seconds / 1e9;
}

std::string gemm_speed() {
  const int all = ad::threads();
  std::string text = fmt::format("{:.0f} GFLOP/s on 1 thread", gemm_gflops(1));
  if (all > 1) text += fmt::format(", {:.0f} on {}", gemm_gflops(all), all);
  return text + " (512 x 784 x 400)";
}

/// What is in the data directory; loading tells whether it is whole.
void print_data(const std::filesystem::path& folder) {
  row("data", folder.string() + (std::filesystem::exists(folder) ? "" : " (does not exist yet)"));
  for (const DatasetInfo& info : dataset_list()) {
    if (!info.downloadable) continue;
    std::string state;
    try {
      DatasetConfig config;
      config.name = info.name;
      const Dataset data = load_dataset(config, folder);
      state = fmt::format("{} examples", data.train.size() + data.validation.size() + data.test.size());
    } catch (const DataError& e) {
      state = std::string(e.what()).find("vaezoo download") != std::string::npos ? "not there: vaezoo download " + info.name
                                                                                 : e.what();
    }
    fmt::print("{:<12} {:<14} {}\n", "", info.name, state);
  }
}

}  // namespace

int doctor_command(const CommonOptions& common) {
  if (common.threads) ad::set_threads(*common.threads);
  ad::prepare_gemm(ad::threads());
  const Environment e = describe_environment(ad::threads());
  row("vaezoo", fmt::format("{} ({}, {})", e.vaezoo_version, e.compiler, e.flags));
  row("system", e.system);
  row("CPU", fmt::format("{}, {} core{}", e.cpu, e.cores, e.cores == 1 ? "" : "s"));
  row("threads", std::to_string(e.threads));
  row("vectors", vector_text());
  const std::string backend = ad::gemm_backend(), hint = ad::gemm_kernel_hint();
  row("products", backend + (backend.starts_with("oneDNN") ? "" : "; oneDNN (libdnnl-dev) is not in use and may be faster"));
  row("", gemm_speed());
  if (const char* core = std::getenv("OPENBLAS_CORETYPE")) row("", std::string("OPENBLAS_CORETYPE=") + core);
  if (!hint.empty()) row("", "OpenBLAS chose old kernels for this CPU: set " + hint + " in the environment");
  row("download", can_download() ? "built in (libcurl, OpenSSL)"
                                 : "not built in; it needs libcurl4-openssl-dev and libssl-dev at build time");
  print_data(data_directory(common.data_dir));
  return kDone;
}

}  // namespace vaezoo
