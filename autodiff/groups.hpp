#pragma once
// Sets of parameter groups. A group is one part of a model ("encoder", "decoder", "discriminator"): the parameters whose paths begin
// with the same name. A node of the tape knows the groups that it was computed from, so that a loss can train some and leave others.
#include <cstdint>

namespace ad {

/// A set of at most kMost groups of one ParameterStore, and of the tape's variables.
class Groups {
 public:
  static constexpr int kMost = 63;

  constexpr Groups() = default;
  static constexpr Groups none() { return {}; }
  static constexpr Groups all() { return Groups(~std::uint64_t{0}); }
  static constexpr Groups variables() { return Groups(std::uint64_t{1} << kMost); }
  /// The group with this number, in [0, kMost).
  static constexpr Groups one(int number) { return Groups(std::uint64_t{1} << number); }

  constexpr bool empty() const { return bits_ == 0; }
  constexpr Groups operator|(Groups other) const { return Groups(bits_ | other.bits_); }
  /// All others.
  constexpr Groups operator~() const { return Groups(~bits_); }
  constexpr Groups operator&(Groups other) const { return Groups(bits_ & other.bits_); }
  constexpr bool operator==(const Groups&) const = default;

 private:
  explicit constexpr Groups(std::uint64_t bits) : bits_(bits) {}
  std::uint64_t bits_ = 0;
};

}  // namespace ad
