#pragma once
// Are these the data of then?
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace vaezoo {

/// A 64-bit digest of data that nobody forges, of some GB/s: data that differ have different ones but for a chance of 2^-64.
class Digest {
 public:
  void add(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x9E3779B97F4A7C15u;  // an odd factor: no two words lead to the same state
    state_ ^= state_ >> 32;
  }
  /// The length counts too, so that neighbours cannot exchange elements.
  template <class T>
    requires std::is_trivially_copyable_v<T>
  void add(std::span<const T> values) {
    add(static_cast<std::uint64_t>(values.size()));
    const char* bytes = reinterpret_cast<const char*>(values.data());
    std::size_t left = values.size_bytes();
    std::uint64_t word = 0;
    for (; left >= sizeof word; left -= sizeof word, bytes += sizeof word) {
      std::memcpy(&word, bytes, sizeof word);
      add(word);
    }
    word = 0;
    if (left > 0) std::memcpy(&word, bytes, left);
    add(word);
  }
  void add(std::string_view text) { add(std::span(text.data(), text.size())); }

  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0x243F6A8885A308D3u;
};

}  // namespace vaezoo
