#pragma once
// Errors: one sentence that says what is required, what came, and where. Bad input never aborts.
#include <concepts>
#include <stdexcept>
#include <string>
#include <string_view>

#include "autodiff/shape.hpp"

namespace ad {

/// Base of everything the engine throws.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Operands whose shapes do not fit, or an argument of an op out of its range.
struct ShapeError : Error {
  using Error::Error;
};

/// A file that cannot be read or written, or does not hold what it should.
struct FileError : Error {
  using Error::Error;
};

/// Throws ShapeError("[op] sentence").
[[noreturn]] void fail(std::string_view op, std::string_view sentence);

inline std::string to_text(std::string_view text) { return std::string(text); }
std::string to_text(double value);  ///< shortest form that reads back as the same number
template <std::integral T>
std::string to_text(T value) { return std::to_string(value); }

/// Joins numbers, shapes and text into one string.
template <class... Parts>
std::string cat(const Parts&... parts) {
  std::string text;
  ((text += to_text(parts)), ...);
  return text;
}

/// AD_CHECK(condition, op, sentence): the sentence is built only when the condition fails.
#define AD_CHECK(condition, op, sentence) \
  do {                                    \
    if (!(condition)) [[unlikely]]        \
      ::ad::fail(op, sentence);           \
  } while (false)

}  // namespace ad
