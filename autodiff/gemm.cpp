#include "autodiff/gemm.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "autodiff/check.hpp"
#include "autodiff/signals.hpp"

#ifdef VAEZOO_ONEDNN
#include <dnnl.h>
#endif

// OpenBLAS, declared here: its cblas.h cannot meet xtensor-blas's in one translation unit.
extern "C" {
enum CblasLayout { kRowMajor = 101 };
enum CblasTranspose { kNoTrans = 111, kTrans = 112 };
void cblas_sgemm(CblasLayout, CblasTranspose, CblasTranspose, int m, int n, int k, float alpha, const float* a, int lda,
                 const float* b, int ldb, float beta, float* c, int ldc);
void cblas_dgemm(CblasLayout, CblasTranspose, CblasTranspose, int m, int n, int k, double alpha, const double* a, int lda,
                 const double* b, int ldb, double beta, double* c, int ldc);
void openblas_set_num_threads(int);
char* openblas_get_corename();
char* openblas_get_config();
}

namespace ad {
namespace {

#if defined(VAEZOO_ONEDNN) && !defined(VAEZOO_DOUBLE)
constexpr bool kHasOneDnn = true;
#else
constexpr bool kHasOneDnn = false;
#endif

bool use_onednn() {
  static const bool on = [] {
    const char* wish = std::getenv("VAEZOO_GEMM");
    if (wish == nullptr || std::strcmp(wish, "onednn") == 0) return kHasOneDnn;
    if (std::strcmp(wish, "openblas") != 0)
      throw Error(cat("[gemm] VAEZOO_GEMM is \"", wish, "\"; it may be \"onednn\" or \"openblas\""));
    return false;
  }();
  return on;
}

/// The product as it is written, which needs no memory. Slow.
[[maybe_unused]] void plain_gemm(Index m, Index n, Index k, const Matrix& a, const Matrix& b, Real beta, Real* c, Index ldc) {
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j) {
      Real sum = 0;
      for (Index l = 0; l < k; ++l) sum += *a.at(i, l) * *b.at(l, j);
      Real& to = c[i * ldc + j];
      to = beta == 0 ? sum : sum + beta * to;
    }
}

[[maybe_unused]] void onednn_gemm(Index m, Index n, Index k, const Matrix& a, const Matrix& b, Real beta, Real* c, Index ldc) {
#if defined(VAEZOO_ONEDNN) && !defined(VAEZOO_DOUBLE)
  // oneDNN starts OpenMP threads of its own unless the caller's limit is one; parallelism is the caller's here.
  const int limit = omp_get_max_threads();
  if (limit != 1) omp_set_num_threads(1);
  dnnl_status_t status;
  {
    const SignalsHeld held;
    status = dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, 1.0f, a.data, a.stride, b.data, b.stride, beta, c,
                        ldc);
  }
  if (status != dnnl_success) plain_gemm(m, n, k, a, b, beta, c, ldc);  // it found no memory for copies
  if (limit != 1) omp_set_num_threads(limit);
#else
  static_cast<void>(m + n + k + a.stride + b.stride + ldc + static_cast<Index>(beta) + (c != nullptr));
#endif
}

void blas_gemm(Index m, Index n, Index k, const Matrix& a, const Matrix& b, Real beta, Real* c, Index ldc) {
  static const bool once = (openblas_set_num_threads(1), true);
  static_cast<void>(once);
  const auto trans = [](const Matrix& x) { return x.transposed ? kTrans : kNoTrans; };
  const auto i = [](Index v) { return static_cast<int>(v); };
#ifdef VAEZOO_DOUBLE
  cblas_dgemm(kRowMajor, trans(a), trans(b), i(m), i(n), i(k), 1, a.data, i(a.stride), b.data, i(b.stride), beta, c, i(ldc));
#else
  cblas_sgemm(kRowMajor, trans(a), trans(b), i(m), i(n), i(k), 1, a.data, i(a.stride), b.data, i(b.stride), beta, c, i(ldc));
#endif
}

void require_room(const char* library, int megabytes) {
  const std::size_t size = static_cast<std::size_t>(megabytes) << 20;
  void* place = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED)
    throw Error(cat("no room for ", library, ", which takes ", megabytes,
                    " MB of address space; raise the limit (ulimit -v), or use fewer threads"));
  munmap(place, size);
}

constexpr Index kUnit = 16;           // borders at multiples of a vector: no block has a ragged edge but the last
constexpr Index kMinimumSide = 96;    // narrower blocks repack the other operand too often
constexpr Index kMinimumWork = 1 << 17;  // multiply-adds that are worth waking a thread for
constexpr Index kMostBlocks = 16;

}  // namespace

void gemm_serial(Index m, Index n, Index k, const Matrix& a, const Matrix& b, Real beta, Real* c, Index ldc) {
  if (m == 0 || n == 0) return;
  if (k == 0) {  // an empty sum; BLAS leaves C alone here when beta = 0 in some versions
    for (Index i = 0; i < m; ++i)
      for (Index j = 0; j < n; ++j) c[i * ldc + j] = beta == 0 ? Real(0) : beta * c[i * ldc + j];
    return;
  }
  if (use_onednn())
    onednn_gemm(m, n, k, a, b, beta, c, ldc);
  else
    blas_gemm(m, n, k, a, b, beta, c, ldc);
}

GemmBlocks::GemmBlocks(Index m, Index n, Index k, Cut cut) : m_(m), n_(n), by_rows_(cut == Cut::rows || m >= n) {
  const Index side = by_rows_ ? m : n;
  const Index most = std::min({kMostBlocks, side / kMinimumSide, m * n * std::max<Index>(k, 1) / kMinimumWork});
  count = 1;  // a power of two shares out evenly over 2, 4, 8 ... threads
  while (2 * count <= std::max<Index>(most, side >= 2 * kUnit && m * n * k >= 2 * kMinimumWork ? 2 : 1)) count *= 2;
}

GemmBlocks::Block GemmBlocks::operator[](Index i) const {
  const Index side = by_rows_ ? m_ : n_, units = (side + kUnit - 1) / kUnit;  // whole units, as evenly as they go
  const Index begin = units * i / count * kUnit, end = std::min(side, units * (i + 1) / count * kUnit);
  if (by_rows_) return {begin, end - begin, 0, n_};
  return {0, m_, begin, end - begin};
}

std::string gemm_backend() {
#ifdef VAEZOO_ONEDNN
  if (use_onednn()) {
    const dnnl_version_t* v = dnnl_version();
    return cat("oneDNN ", v->major, ".", v->minor, ".", v->patch);
  }
#endif
  const std::string config = openblas_get_config();  // "OpenBLAS 0.3.21 NO_LAPACKE ..."
  return cat(config.substr(0, config.find(' ', config.find(' ') + 1)), " (", openblas_get_corename(), ")");
}

std::string gemm_kernel_hint() {
#if defined(__x86_64__)
  if (use_onednn()) return "";
  const std::string_view core = openblas_get_corename();
  const bool old = core == "Haswell" || core == "Zen" || core == "Sandybridge" || core == "Nehalem" || core == "Prescott";
  if (old && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
    return "OPENBLAS_CORETYPE=SkylakeX";
#endif
  return "";
}

void require_blas_memory(int threads) { require_room("OpenBLAS", 128 * threads); }  // what it takes on x86-64

void prepare_gemm(int threads) {
  if (!use_onednn()) return require_blas_memory(threads);
  require_room("oneDNN", 64);
  std::array<Real, 3 * 16 * 16> numbers{};  // the first product makes the code for all
  gemm_serial(16, 16, 16, {numbers.data(), 16}, {numbers.data() + 256, 16}, 0, numbers.data() + 512, 16);
}

}  // namespace ad
