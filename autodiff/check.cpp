#include "autodiff/check.hpp"

#include <array>
#include <charconv>

namespace ad {

void fail(std::string_view op, std::string_view sentence) { throw ShapeError(cat("[", op, "] ", sentence)); }

std::string to_text(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return {buffer.data(), end};
}

}  // namespace ad
