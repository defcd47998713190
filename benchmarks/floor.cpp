// The floor: one training step of the 784-400-20 VAE written by hand, without engine, tape or abstraction. It shows what the
// engine costs.   floor BATCH THREADS SECONDS     prints "median X ms"
//
// The same work as the zoo's step: reparameterised sample, Bernoulli likelihood, analytic KL, all gradients, Adam. Every thread takes
// its rows through forward and backward; the weight gradients and Adam are shared out by rows of the weights.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <omp.h>
#ifdef VAEZOO_ONEDNN
#include <dnnl.h>
#endif

extern "C" {
void cblas_sgemm(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
void openblas_set_num_threads(int);
}

namespace {

constexpr long kData = 784, kHidden = 400, kLatent = 20;

/// C (+)= op(A) op(B), row-major, on the calling thread.
void gemm(bool ta, bool tb, long m, long n, long k, const float* a, long lda, const float* b, long ldb, float beta, float* c,
          long ldc) {
#ifdef VAEZOO_ONEDNN
  dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, 1, a, lda, b, ldb, beta, c, ldc);
#else
  cblas_sgemm(101, ta ? 112 : 111, tb ? 112 : 111, int(m), int(n), int(k), 1, a, int(lda), b, int(ldb), beta, c, int(ldc));
#endif
}

struct Layer {  // weight [in, out] and bias, at an offset of the flat buffers
  long in, out, at;
  float* w(float* flat) const { return flat + at; }
  float* b(float* flat) const { return flat + at + in * out; }
  long size() const { return in * out + out; }
};

void forward(const Layer& l, float* p, const float* x, float* y, long rows, bool relu) {
  for (long r = 0; r < rows; ++r) std::memcpy(y + r * l.out, l.b(p), sizeof(float) * static_cast<std::size_t>(l.out));
  gemm(false, false, rows, l.out, l.in, x, l.in, l.w(p), l.out, 1, y, l.out);
  if (relu)
    for (long i = 0; i < rows * l.out; ++i) y[i] = std::max(y[i], 0.0f);
}

void weight_gradient(const Layer& l, float* g, const float* x, const float* dy, long batch, long thread, long threads) {
  const long i0 = l.in * thread / threads, i1 = l.in * (thread + 1) / threads;
  gemm(true, false, i1 - i0, l.out, batch, x + i0, l.in, dy, l.out, 0, l.w(g) + i0 * l.out, l.out);
  const long j0 = l.out * thread / threads, j1 = l.out * (thread + 1) / threads;
  std::fill(l.b(g) + j0, l.b(g) + j1, 0.0f);
  for (long r = 0; r < batch; ++r)
    for (long j = j0; j < j1; ++j) l.b(g)[j] += dy[r * l.out + j];
}

/// Two normals from two counters (a cheap hash; the quality does not matter here).
void normals(unsigned seed, float& a, float& b) {
  const auto hash = [](unsigned v) {
    v = (v ^ (v >> 16)) * 0x85ebca6bu;
    v = (v ^ (v >> 13)) * 0xc2b2ae35u;
    return v ^ (v >> 16);
  };
  const float u = (static_cast<float>(hash(seed)) + 1) * 0x1p-32f, v = static_cast<float>(hash(seed ^ 0x9e3779b9u)) * 0x1p-32f;
  const float r = std::sqrt(-2 * std::log(u));
  a = r * std::cos(6.2831853f * v);
  b = r * std::sin(6.2831853f * v);
}

}  // namespace

int main(int argc, char** argv) {
  const long batch = argc > 1 ? std::atol(argv[1]) : 128, threads = argc > 2 ? std::atol(argv[2]) : 2;
  const double seconds = argc > 3 ? std::atof(argv[3]) : 4;
  omp_set_num_threads(static_cast<int>(threads));
  openblas_set_num_threads(1);

  const Layer e1{kData, kHidden, 0}, e2{kHidden, 2 * kLatent, e1.at + e1.size()}, d1{kLatent, kHidden, e2.at + e2.size()},
      d2{kHidden, kData, d1.at + d1.size()};
  const long count = d2.at + d2.size();
  const auto make = [](long n) { return std::vector<float>(static_cast<std::size_t>(n)); };
  auto params = make(count), grads = make(count), m1 = make(count), m2 = make(count);
  for (float& v : params) v = (static_cast<float>(std::rand()) / static_cast<float>(RAND_MAX) - 0.5f) * 0.07f;
  auto x = make(batch * kData), h1 = make(batch * kHidden), q = make(batch * 2 * kLatent), z = make(batch * kLatent),
       eps = make(batch * kLatent), h2 = make(batch * kHidden), logits = make(batch * kData), dh2 = make(batch * kHidden),
       dz = make(batch * kLatent), dq = make(batch * 2 * kLatent), dh1 = make(batch * kHidden);
  for (float& v : x) v = static_cast<float>(std::rand()) / static_cast<float>(RAND_MAX);
  float *p = params.data(), *g = grads.data();

  std::vector<double> times;
  double loss = 0;
  const auto now = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
  const double begin = now();
  for (unsigned step = 1; now() - begin < seconds || step < 12; ++step) {
    const double t0 = now();
    const float c1 = 1 - std::pow(0.9f, static_cast<float>(step)), c2 = std::sqrt(1 - std::pow(0.999f, static_cast<float>(step)));
    const float rate = 1e-3f * c2 / c1, epsilon = 1e-8f * c2, scale = 1.0f / static_cast<float>(batch);
    double total = 0;
#pragma omp parallel reduction(+ : total)
    {
      const long t = omp_get_thread_num(), r0 = batch * t / threads, r1 = batch * (t + 1) / threads, n = r1 - r0;
      forward(e1, p, &x[static_cast<std::size_t>(r0 * kData)], &h1[static_cast<std::size_t>(r0 * kHidden)], n, true);
      forward(e2, p, &h1[static_cast<std::size_t>(r0 * kHidden)], &q[static_cast<std::size_t>(r0 * 2 * kLatent)], n, false);
      float *Q = q.data(), *Z = z.data(), *E = eps.data(), *L = logits.data(), *DQ = dq.data(), *DZ = dz.data();
      for (long r = r0; r < r1; ++r)
        for (long j = 0; j < kLatent; j += 2)
          normals(step * 2654435761u + static_cast<unsigned>(r * kLatent + j), E[r * kLatent + j], E[r * kLatent + j + 1]);
      for (long r = r0; r < r1; ++r) {
        float kl = 0;
        for (long j = 0; j < kLatent; ++j) {
          const float mu = Q[r * 2 * kLatent + j], lv = Q[r * 2 * kLatent + kLatent + j], sd = std::exp(0.5f * lv);
          Z[r * kLatent + j] = mu + sd * E[r * kLatent + j];
          kl += 0.5f * (mu * mu + sd * sd - 1 - lv);
        }
        total += kl;
      }
      forward(d1, p, Z + r0 * kLatent, &h2[static_cast<std::size_t>(r0 * kHidden)], n, true);
      forward(d2, p, &h2[static_cast<std::size_t>(r0 * kHidden)], L + r0 * kData, n, false);
      for (long r = r0; r < r1; ++r) {
        float nll = 0;
        for (long i = r * kData; i < (r + 1) * kData; ++i) {
          const float a = L[i], target = x[static_cast<std::size_t>(i)], e = std::exp(-std::fabs(a)),
                      s = a > 0 ? 1 / (1 + e) : e / (1 + e);
          nll += std::max(a, 0.0f) - a * target + std::log(1 + e);
          L[i] = (s - target) * scale;
        }
        total += nll;
      }
      float *H1 = h1.data(), *H2 = h2.data(), *DH1 = dh1.data(), *DH2 = dh2.data();
      gemm(false, true, n, kHidden, kData, L + r0 * kData, kData, d2.w(p), kData, 0, DH2 + r0 * kHidden, kHidden);
      for (long i = r0 * kHidden; i < r1 * kHidden; ++i) DH2[i] = H2[i] > 0 ? DH2[i] : 0;
      gemm(false, true, n, kLatent, kHidden, DH2 + r0 * kHidden, kHidden, d1.w(p), kHidden, 0, DZ + r0 * kLatent, kLatent);
      for (long r = r0; r < r1; ++r)
        for (long j = 0; j < kLatent; ++j) {
          const float mu = Q[r * 2 * kLatent + j], lv = Q[r * 2 * kLatent + kLatent + j], sd = std::exp(0.5f * lv),
                      d = DZ[r * kLatent + j];
          DQ[r * 2 * kLatent + j] = d + mu * scale;
          DQ[r * 2 * kLatent + kLatent + j] = 0.5f * (d * E[r * kLatent + j] * sd + (sd * sd - 1) * scale);
        }
      gemm(false, true, n, kHidden, 2 * kLatent, DQ + r0 * 2 * kLatent, 2 * kLatent, e2.w(p), 2 * kLatent, 0, DH1 + r0 * kHidden,
           kHidden);
      for (long i = r0 * kHidden; i < r1 * kHidden; ++i) DH1[i] = H1[i] > 0 ? DH1[i] : 0;
#pragma omp barrier
      weight_gradient(d2, g, H2, L, batch, t, threads);
      weight_gradient(d1, g, Z, DH2, batch, t, threads);
      weight_gradient(e2, g, H1, DQ, batch, t, threads);
      weight_gradient(e1, g, x.data(), DH1, batch, t, threads);
#pragma omp barrier
      float *M = m1.data(), *V = m2.data();
      for (long i = count * t / threads; i < count * (t + 1) / threads; ++i) {
        M[i] = 0.9f * M[i] + 0.1f * g[i];
        V[i] = 0.999f * V[i] + 0.001f * g[i] * g[i];
        p[i] -= rate * M[i] / (std::sqrt(V[i]) + epsilon);
      }
    }
    loss = total / static_cast<double>(batch);
    if (step > 10) times.push_back(now() - t0);
  }
  std::sort(times.begin(), times.end());
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("floor B=%ld threads=%ld: median %.3f ms p10 %.3f steps %zu loss %.1f\n", batch, threads,
              times[times.size() / 2] * 1e3, times[times.size() / 10] * 1e3, times.size(), loss);
  std::printf("peak memory %.1f MB\n", static_cast<double>(usage.ru_maxrss) / 1024);
}
