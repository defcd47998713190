#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "autodiff/gemm.hpp"
#include "autodiff/random.hpp"

extern "C" {
void cblas_sgemm(int layout, int trans_a, int trans_b, int m, int n, int k, float alpha, const float* a, int lda, const float* b,
                 int ldb, float beta, float* c, int ldc);
void cblas_dgemm(int layout, int trans_a, int trans_b, int m, int n, int k, double alpha, const double* a, int lda,
                 const double* b, int ldb, double beta, double* c, int ldc);
}

namespace {

using namespace ad;

constexpr double kEps = std::numeric_limits<Real>::epsilon();

std::vector<Real> numbers(Index n, std::uint64_t key) {
  std::vector<Real> x(static_cast<std::size_t>(n));
  fill_uniform(Key(key), x, -1, 1);
  return x;
}

/// C and what it must be, from three loops in double.
struct Product {
  std::vector<Real> a, b, c;
  std::vector<double> expected;
  Matrix ma, mb;
  Index ldc;
};

Product product(Index m, Index n, Index k, bool ta, bool tb, Real beta) {
  constexpr Index kPad = 3;  // rows further apart than they are long
  Product p;
  const Index lda = (ta ? m : k) + kPad, ldb = (tb ? k : n) + kPad;
  p.ldc = n + kPad;
  p.a = numbers((ta ? k : m) * lda, 1);
  p.b = numbers((tb ? n : k) * ldb, 2);
  p.c = numbers(m * p.ldc, 3);
  p.ma = {p.a.data(), lda, ta};
  p.mb = {p.b.data(), ldb, tb};
  p.expected.assign(p.c.begin(), p.c.end());
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j) {
      double total = double(beta) * p.expected[static_cast<std::size_t>(i * p.ldc + j)];
      for (Index l = 0; l < k; ++l) total += double(*p.ma.at(i, l)) * double(*p.mb.at(l, j));
      p.expected[static_cast<std::size_t>(i * p.ldc + j)] = total;
    }
  return p;
}

double worst(const Product& p) {
  double w = 0;
  for (std::size_t i = 0; i < p.c.size(); ++i) w = std::max(w, std::abs(double(p.c[i]) - p.expected[i]));
  return w;
}

}  // namespace

TEST_CASE("gemm agrees with three loops for all transposes, strides and beta, and touches nothing beside C") {
  for (const auto& size : {std::array<Index, 3>{1, 1, 1},
                           {3, 5, 7},
                           {17, 1, 33},
                           {1, 40, 8},
                           {64, 64, 64},
                           {130, 300, 70},
                           {300, 130, 70},
                           {5, 3, 0}})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true})
        for (const Real beta : {Real(0), Real(1), Real(0.5)}) {
          const Index m = size[0], n = size[1], k = size[2];
          CAPTURE(m);
          CAPTURE(n);
          CAPTURE(k);
          CAPTURE(ta);
          CAPTURE(tb);
          CAPTURE(double(beta));
          Product p = product(m, n, k, ta, tb, beta);
          gemm(m, n, k, p.ma, p.mb, beta, p.c.data(), p.ldc);
          CHECK(worst(p) <= (2 + double(k)) * kEps);  // each term is at most 1: k roundings of a sum that stays below k
        }
}

TEST_CASE("with beta zero C may hold NaN before") {
  for (const Index k : {Index{0}, Index{1}, Index{50}}) {
    Product p = product(20, 30, k, false, true, 0);
    std::fill(p.c.begin(), p.c.end(), std::numeric_limits<Real>::quiet_NaN());
    gemm(20, 30, k, p.ma, p.mb, 0, p.c.data(), p.ldc);
    for (Index i = 0; i < 20; ++i)
      for (Index j = 0; j < p.ldc; ++j) CHECK(std::isnan(p.c[static_cast<std::size_t>(i * p.ldc + j)]) == (j >= 30));
  }
}

TEST_CASE("the blocks cover C exactly once") {
  for (const Index m : {0, 1, 15, 16, 17, 96, 200, 784, 1000})
    for (const Index n : {0, 1, 20, 100, 400, 5000})
      for (const Index k : {0, 1, 20, 784})
        for (const Cut cut : {Cut::longer_side, Cut::rows}) {
          std::vector<int> covered(static_cast<std::size_t>(m * n));
          const GemmBlocks blocks(m, n, k, cut);
          for (Index i = 0; i < blocks.count; ++i) {
            const auto t = blocks[i];
            REQUIRE((t.row >= 0 && t.row + t.rows <= m && t.column >= 0 && t.column + t.columns <= n));
            if (cut == Cut::rows) REQUIRE(t.columns == n);
            for (Index r = t.row; r < t.row + t.rows; ++r)
              for (Index c = t.column; c < t.column + t.columns; ++c) ++covered[static_cast<std::size_t>(r * n + c)];
          }
          REQUIRE(std::ranges::all_of(covered, [](int c) { return c == 1; }));
        }
}

TEST_CASE("the epilogue sees every block once, finished") {
  Product p = product(300, 200, 50, false, false, 0);
  gemm(300, 200, 50, p.ma, p.mb, 0, p.c.data(), p.ldc, [&](const GemmBlocks::Block& t) {
    for (Index r = t.row; r < t.row + t.rows; ++r)
      for (Index c = t.column; c < t.column + t.columns; ++c) p.c[static_cast<std::size_t>(r * p.ldc + c)] += 1;
  });
  for (Index i = 0; i < 300; ++i)
    for (Index j = 0; j < 200; ++j) p.expected[static_cast<std::size_t>(i * p.ldc + j)] += 1;
  CHECK(worst(p) <= 55 * kEps);
}

TEST_CASE("the backend in use agrees with OpenBLAS, and has a name") {
  for (const auto& [m, n, k] : {std::array<int, 3>{7, 9, 11}, {128, 400, 784}, {33, 65, 129}}) {
    Product p = product(m, n, k, false, true, Real(0.5));
    std::vector<Real> c = p.c;
    gemm_serial(m, n, k, p.ma, p.mb, Real(0.5), p.c.data(), p.ldc);
    const int lda = static_cast<int>(p.ma.stride), ldb = static_cast<int>(p.mb.stride), ldc = static_cast<int>(p.ldc);
#ifdef VAEZOO_DOUBLE
    cblas_dgemm(101, 111, 112, m, n, k, 1, p.a.data(), lda, p.b.data(), ldb, 0.5, c.data(), ldc);
#else
    cblas_sgemm(101, 111, 112, m, n, k, 1, p.a.data(), lda, p.b.data(), ldb, 0.5f, c.data(), ldc);
#endif
    double difference = 0;
    for (std::size_t i = 0; i < c.size(); ++i) difference = std::max(difference, std::abs(double(c[i]) - double(p.c[i])));
    CHECK(difference <= (2 + k) * kEps);
  }
  const std::string name = gemm_backend();
  CHECK((name.starts_with("oneDNN ") || name.starts_with("OpenBLAS ")));
}

TEST_CASE("gemm gives the same bits at any number of threads") {
  const int before = threads();
  std::vector<std::vector<Real>> results;
  for (const int n : {1, 2, 3}) {
    set_threads(n);
    Product p = product(257, 400, 300, false, true, 0);
    gemm(257, 400, 300, p.ma, p.mb, 0, p.c.data(), p.ldc);
    results.push_back(p.c);
  }
  set_threads(before);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}
