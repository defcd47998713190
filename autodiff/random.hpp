#pragma once
// Random numbers without state: a key names a stream, and element i of a stream is a pure function of key and i
// (Philox-4x32-10, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). There is no global
// generator: the same key gives the same numbers on any thread, in any order, and after any resume.
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "autodiff/real.hpp"

namespace ad {

/// Names a stream of random numbers. Derive one key per use: key.fold("noise").fold(step).fold("z").
class Key {
 public:
  explicit constexpr Key(std::uint64_t seed = 0) : bits_(seed) {}
  Key fold(std::string_view name) const;
  Key fold(std::uint64_t number) const;
  constexpr std::uint64_t bits() const { return bits_; }
  friend constexpr bool operator==(Key, Key) = default;

 private:
  std::uint64_t bits_;
};

/// The Philox-4x32-10 bijection: 128 counter bits and 64 key bits to 128 random bits.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

// Each fills `out`; element i depends only on the key and on i.
void fill_bits(Key key, std::span<std::uint32_t> out);
void fill_uniform(Key key, std::span<Real> out, Real low = 0, Real high = 1);   ///< in [low, high)
void fill_normal(Key key, std::span<Real> out, Real mean = 0, Real stddev = 1); ///< Box-Muller
void fill_bernoulli(Key key, std::span<const Real> probability, std::span<Real> out);  ///< 1 with probability p_i, else 0

/// One number in [0, n), without bias beyond 2^-64 n.
std::uint64_t uniform_integer(Key key, std::uint64_t n);
/// 0 .. n-1 in random order (Fisher-Yates).
std::vector<Index> permutation(Key key, Index n);

}  // namespace ad
