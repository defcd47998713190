#pragma once
// Numbers out of JSON that others may have written: the library by itself turns 2.5 into 2, and 1e50 into undefined behaviour.
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>

namespace vaezoo {

/// Counters beyond this are not exact in other programs' JSON, and no run gets there.
constexpr std::int64_t kLargestCounter = std::int64_t{1} << 53;

/// The integer `value`, when it is one and lies in [low, high].
template <class Json>
std::optional<std::int64_t> integer_in(const Json& value, std::int64_t low, std::int64_t high) {
  if (!value.is_number_integer()) return std::nullopt;
  if (value.is_number_unsigned() && value.template get<std::uint64_t>() > static_cast<std::uint64_t>(kLargestCounter)) return std::nullopt;
  const auto number = value.template get<std::int64_t>();
  return number >= low && number <= high ? std::optional(number) : std::nullopt;
}

/// The number `value`, when it is one and lies in [low, high].
template <class Json>
std::optional<double> number_in(const Json& value, double low, double high = std::numeric_limits<double>::infinity()) {
  if (!value.is_number()) return std::nullopt;
  const auto number = value.template get<double>();
  return number >= low && number <= high ? std::optional(number) : std::nullopt;
}

}  // namespace vaezoo
