#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "autodiff/check.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/random.hpp"

namespace {

using ad::Index;
using ad::Key;
using ad::Real;
using Words = std::array<std::uint32_t, 4>;

std::vector<Real> normals(Key key, Index n) {
  std::vector<Real> x(static_cast<std::size_t>(n));
  ad::fill_normal(key, x);
  return x;
}

/// The k-th sample moment in double.
double moment(const std::vector<Real>& x, int k) {
  double total = 0;
  for (Real v : x) total += std::pow(double(v), k);
  return total / double(x.size());
}

}  // namespace

TEST_CASE("Philox-4x32-10 gives the known answers of Random123") {
  CHECK(ad::philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr std::uint32_t f = 0xffffffff;
  CHECK(ad::philox({f, f, f, f}, {f, f}) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(ad::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
  // The 10000th number of C++26's std::philox4x32 is 1955073260.
  CHECK(ad::philox({2499, 0, 0, 0}, {20111115, 0})[3] == 1955073260u);
}

TEST_CASE("fill_bits lays the words of one counter 64 apart in groups of 256") {
  const Key key = Key(9).fold("bits");
  std::vector<std::uint32_t> bits(1000);
  ad::fill_bits(key, bits);
  for (const std::size_t i :
       {std::size_t{0}, std::size_t{63}, std::size_t{64}, std::size_t{255}, std::size_t{256}, std::size_t{999}}) {
    const auto counter = static_cast<std::uint32_t>(i / 256 * 64 + i % 64);
    const auto words =
        ad::philox({counter, 0, 0, 0}, {static_cast<std::uint32_t>(key.bits()), static_cast<std::uint32_t>(key.bits() >> 32)});
    CHECK(bits[i] == words[i % 256 / 64]);
  }
}

TEST_CASE("an element depends on the key and its position alone: not on the length, not on the threads") {
  const int before = ad::threads();
  const Key key(4);
  ad::set_threads(1);
  const auto all = normals(key, 50'000);
  for (const Index n : {Index{1}, Index{17}, Index{255}, Index{257}, Index{4097}}) {
    const auto some = normals(key, n);
    CHECK(std::equal(some.begin(), some.end(), all.begin()));
  }
  for (const int threads : {2, 3}) {
    ad::set_threads(threads);
    CHECK(normals(key, 50'000) == all);
  }
  ad::set_threads(before);
}

TEST_CASE("folding names streams apart") {
  const Key key(1);
  std::set<std::uint64_t> seen{key.bits()};
  for (std::uint64_t i = 0; i < 1000; ++i) CHECK(seen.insert(key.fold(i).bits()).second);
  for (const char* name : {"", "a", "b", "ab", "ba", "z", "noise"}) CHECK(seen.insert(key.fold(name).bits()).second);
  CHECK(key.fold("a").fold("b") != key.fold("b").fold("a"));
  CHECK(key.fold("a") == Key(1).fold("a"));
  CHECK(Key(2).fold("a") != key.fold("a"));
}

TEST_CASE("normal numbers have the moments of a normal distribution") {
  constexpr Index n = 1'000'000;
  const auto x = normals(Key(11), n);
  const double root = std::sqrt(double(n));
  // Standard errors of the first four moments: sqrt((E x^2k - (E x^k)^2) / n) with E x^2, 4, 6, 8 = 1, 3, 15, 105. |z| < 4.5.
  CHECK(std::abs(moment(x, 1)) * root < 4.5);
  CHECK(std::abs(moment(x, 2) - 1) * root / std::sqrt(2) < 4.5);
  CHECK(std::abs(moment(x, 3)) * root / std::sqrt(15) < 4.5);
  CHECK(std::abs(moment(x, 4) - 3) * root / std::sqrt(96) < 4.5);
  double product = 0;  // the two numbers of one Box-Muller pair lie 128 apart: uncorrelated
  for (std::size_t i = 0; i + 128 < x.size(); ++i) product += double(x[i]) * double(x[i + 128]);
  CHECK(std::abs(product / double(n)) * root < 4.5);
  for (const double t : {-2.5, -1.0, 0.0, 0.5, 2.0}) {
    const double p = std::erfc(-t / std::sqrt(2.0)) / 2;
    const auto below = static_cast<double>(std::ranges::count_if(x, [t](Real v) { return double(v) < t; }));
    CHECK(std::abs(below / double(n) - p) * root / std::sqrt(p * (1 - p)) < 4.5);
  }
  CHECK(std::ranges::all_of(x, [](Real v) { return std::isfinite(v); }));
}

TEST_CASE("uniform numbers fill their interval evenly") {
  constexpr Index n = 1'000'000;
  std::vector<Real> x(static_cast<std::size_t>(n));
  ad::fill_uniform(Key(12), x, -1, 3);
  CHECK(std::ranges::all_of(x, [](Real v) { return v >= -1 && v < 3; }));
  std::array<double, 64> counts{};
  for (Real v : x) ++counts[static_cast<std::size_t>((double(v) + 1) * 16)];
  double chi2 = 0;
  for (double c : counts) chi2 += (c - n / 64.0) * (c - n / 64.0) / (n / 64.0);
  CHECK(std::abs(chi2 - 63) / std::sqrt(2.0 * 63) < 4.5);  // chi-squared with 63 degrees of freedom, as a z-score
}

TEST_CASE("Bernoulli numbers are 0 and 1 with their probability") {
  constexpr Index n = 200'000;
  for (const double p : {0.0, 0.1, 0.5, 1.0}) {
    const std::vector<Real> probability(static_cast<std::size_t>(n), Real(p));
    std::vector<Real> x(static_cast<std::size_t>(n));
    ad::fill_bernoulli(Key(13), probability, x);
    const auto ones = static_cast<double>(std::ranges::count(x, Real(1)));
    CHECK(std::ranges::count(x, Real(0)) + std::ranges::count(x, Real(1)) == n);
    if (p == 0 || p == 1)
      CHECK(ones == p * n);
    else
      CHECK(std::abs(ones - p * n) / std::sqrt(p * (1 - p) * n) < 4.5);
  }
  std::vector<Real> one(1);
  CHECK_THROWS_WITH_AS(ad::fill_bernoulli(Key(0), std::vector<Real>(2), one), "[fill_bernoulli] 2 probabilities for 1 numbers",
                       ad::ShapeError);
}

TEST_CASE("a permutation holds every number once, and all orders are equally likely") {
  for (const Index n : {Index{0}, Index{1}, Index{2}, Index{1000}}) {
    auto order = ad::permutation(Key(5), n);
    std::ranges::sort(order);
    std::vector<Index> expected(static_cast<std::size_t>(n));
    std::iota(expected.begin(), expected.end(), Index{0});
    CHECK(order == expected);
  }
  std::array<double, 24> counts{};
  constexpr int draws = 24'000;
  for (int i = 0; i < draws; ++i) {
    const auto order = ad::permutation(Key(6).fold(static_cast<std::uint64_t>(i)), 4);
    std::size_t rank = 0;
    for (std::size_t a = 0; a < 4; ++a) {
      std::size_t smaller = 0;
      for (std::size_t b = a + 1; b < 4; ++b) smaller += order[b] < order[a];
      rank = rank * (4 - a) + smaller;
    }
    ++counts[rank];
  }
  double chi2 = 0;
  for (double c : counts) chi2 += (c - draws / 24.0) * (c - draws / 24.0) / (draws / 24.0);
  CHECK(std::abs(chi2 - 23) / std::sqrt(2.0 * 23) < 4.5);
}

TEST_CASE("uniform_integer stays in range and refuses an empty one") {
  std::array<int, 5> counts{};
  for (std::uint64_t i = 0; i < 5000; ++i) ++counts[ad::uniform_integer(Key(7).fold(i), 5)];
  for (int c : counts) CHECK(std::abs(c - 1000) / std::sqrt(800.0) < 4.5);
  CHECK(ad::uniform_integer(Key(7), 1) == 0);
  CHECK_THROWS_WITH_AS(ad::uniform_integer(Key(7), 0), "[uniform_integer] the range [0, 0) is empty", ad::ShapeError);
}
