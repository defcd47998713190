#include "autodiff/random.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autodiff/check.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/simd.hpp"

namespace ad {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::uint32_t kM0 = 0xD2511F53, kM1 = 0xCD9E8D57, kW0 = 0x9E3779B9, kW1 = 0xBB67AE85;
constexpr int kRounds = 10;
constexpr Index kCounters = 64;             // counters evaluated side by side, so that the compiler vectorises
constexpr Index kBlock = 4 * kCounters;     // numbers from one such group
constexpr Index kGrain = 16 * kBlock;       // numbers per parallel task

/// SplitMix64's finaliser (Steele et al. 2014): spreads every input bit over all output bits.
constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

/// Words of counters first .. first + kCounters - 1, word-major: out[w * kCounters + i].
void philox_group(Key key, std::uint64_t first, std::uint32_t* out) {
  std::uint32_t* c0 = out;
  std::uint32_t* c1 = out + kCounters;
  std::uint32_t* c2 = out + 2 * kCounters;
  std::uint32_t* c3 = out + 3 * kCounters;
  for (Index i = 0; i < kCounters; ++i) {
    const std::uint64_t n = first + static_cast<std::uint64_t>(i);
    c0[i] = static_cast<std::uint32_t>(n);
    c1[i] = static_cast<std::uint32_t>(n >> 32);
    c2[i] = c3[i] = 0;
  }
  std::uint32_t k0 = static_cast<std::uint32_t>(key.bits()), k1 = static_cast<std::uint32_t>(key.bits() >> 32);
  for (int round = 0; round < kRounds; ++round, k0 += kW0, k1 += kW1) {
    for (Index i = 0; i < kCounters; ++i) {
      const std::uint64_t p0 = std::uint64_t{kM0} * c0[i], p1 = std::uint64_t{kM1} * c2[i];
      const std::uint32_t n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1[i] ^ k0;
      const std::uint32_t n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3[i] ^ k1;
      c0[i] = n0;
      c1[i] = static_cast<std::uint32_t>(p1);
      c2[i] = n2;
      c3[i] = static_cast<std::uint32_t>(p0);
    }
  }
}

/// In [0, 1): the top 24 bits, each value exact in float.
inline Real to_unit(std::uint32_t bits) { return static_cast<Real>(bits >> 8) * Real(0x1p-24); }

/// Applies convert(words, numbers) to groups of kBlock words until `out` is full.
template <class T, class Convert>
void generate(Key key, std::span<T> out, Convert convert) {
  const Index n = std::ssize(out);
  parallel_blocks(n, kGrain, [&](Index begin, Index end) {
    alignas(64) std::array<std::uint32_t, kBlock> words;
    alignas(64) std::array<T, kBlock> numbers;
    for (Index i = begin; i < end; i += kBlock) {
      philox_group(key, static_cast<std::uint64_t>(i / 4), words.data());
      convert(words.data(), numbers.data(), i);
      std::copy_n(numbers.data(), std::min(kBlock, end - i), out.data() + i);
    }
  });
}

}  // namespace

Key Key::fold(std::string_view name) const {
  std::uint64_t hash = 0xCBF29CE484222325ull;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  return Key(mix(bits_ ^ mix(hash)));
}

Key Key::fold(std::uint64_t number) const { return Key(mix(bits_ + mix(~number))); }

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> k) {
  for (int round = 0; round < kRounds; ++round, k[0] += kW0, k[1] += kW1) {
    const std::uint64_t p0 = std::uint64_t{kM0} * c[0], p1 = std::uint64_t{kM1} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
  }
  return c;
}

void fill_bits(Key key, std::span<std::uint32_t> out) {
  generate(key, out, [](const std::uint32_t* words, std::uint32_t* numbers, Index) { std::copy_n(words, kBlock, numbers); });
}

void fill_uniform(Key key, std::span<Real> out, Real low, Real high) {
  generate(key, out, [=](const std::uint32_t* words, Real* numbers, Index) {
    for (Index i = 0; i < kBlock; ++i) numbers[i] = low + (high - low) * to_unit(words[i]);
  });
}

void fill_normal(Key key, std::span<Real> out, Real mean, Real stddev) {
  generate(key, out, [=](const std::uint32_t* words, Real* numbers, Index) {
    constexpr Index kHalf = kBlock / 2;
    alignas(64) std::array<Real, kHalf> u, angle;
    for (Index i = 0; i < kHalf; ++i) {
      u[static_cast<std::size_t>(i)] = Real(1) - to_unit(words[i]);  // in (0, 1]
      angle[static_cast<std::size_t>(i)] = Real(6.28318530717958647693) * to_unit(words[kHalf + i]);
    }
    for (Index i = 0; i < kHalf; i += kLanes) {
      const Batch r = stddev * xsimd::sqrt(Real(-2) * xsimd::log(load(&u[static_cast<std::size_t>(i)])));
      const Batch a = load(&angle[static_cast<std::size_t>(i)]);
      store(numbers + i, mean + r * xsimd::cos(a));
      store(numbers + kHalf + i, mean + r * xsimd::sin(a));
    }
  });
}

void fill_bernoulli(Key key, std::span<const Real> probability, std::span<Real> out) {
  AD_CHECK(probability.size() == out.size(), "fill_bernoulli",
           cat(std::ssize(probability), " probabilities for ", std::ssize(out), " numbers"));
  const Index n = std::ssize(out);
  generate(key, out, [=](const std::uint32_t* words, Real* numbers, Index first) {
    const Index count = std::min(kBlock, n - first);
    const Real* p = probability.data() + first;
    for (Index i = 0; i < count; ++i) numbers[i] = to_unit(words[i]) < p[i] ? Real(1) : Real(0);
  });
}

std::uint64_t uniform_integer(Key key, std::uint64_t n) {
  AD_CHECK(n > 0, "uniform_integer", "the range [0, 0) is empty");
  const auto w = philox({0, 0, 0, 0}, {static_cast<std::uint32_t>(key.bits()), static_cast<std::uint32_t>(key.bits() >> 32)});
  const std::uint64_t bits = std::uint64_t{w[0]} << 32 | w[1];
  return static_cast<std::uint64_t>(static_cast<Wide>(bits) * n >> 64);
}

std::vector<Index> permutation(Key key, Index n) {
  std::vector<Index> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Index{0});
  std::vector<std::uint32_t> bits(2 * static_cast<std::size_t>(n));
  fill_bits(key, bits);
  for (std::size_t i = order.size(); i > 1; --i) {
    const std::uint64_t r = std::uint64_t{bits[2 * i - 2]} << 32 | bits[2 * i - 1];
    std::swap(order[i - 1], order[static_cast<std::size_t>(static_cast<Wide>(r) * i >> 64)]);
  }
  return order;
}

}  // namespace ad
