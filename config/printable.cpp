#include "config/printable.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>

namespace vaezoo {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t size = 1;  // bytes
  bool valid = false;
};

/// The character at the front of a text that is not empty, when it is UTF-8 (RFC 3629: shortest form, no surrogates).
Character front(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1, true};
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return {};
  std::uint32_t code = first & (0xFFu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kSmallest[size] || code > 0x10FFFF || surrogate) return {};
  return {code, size, true};
}

bool is_control(std::uint32_t code) { return code < 0x20 || code == 0x7F; }

/// Controls above ASCII, separators of lines, and marks that change the direction of what follows.
bool is_disturbing(std::uint32_t code) {
  const auto within = [code](std::uint32_t from, std::uint32_t to) { return code >= from && code <= to; };
  return within(0x80, 0x9F) || within(0x200E, 0x200F) || within(0x2028, 0x202E) || within(0x2066, 0x2069) || code == 0x061C ||
         code == 0xFEFF;
}

std::string formatted(const char* format, unsigned value) {
  char text[16];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string escaped(std::string_view text, const Character& c) {
  if (!c.valid) return formatted("\\x%02X", static_cast<unsigned char>(text[0]));
  if (c.code == '\n') return "\\n";
  if (c.code == '\r') return "\\r";
  if (c.code == '\t') return "\\t";
  if (is_control(c.code)) return formatted("\\x%02X", c.code);
  if (is_disturbing(c.code)) return formatted("\\u%04X", c.code);
  return std::string(text.substr(0, c.size));
}

}  // namespace

std::string printable(std::string_view text) { return excerpt(text, text.size()); }

std::string printable_lines(std::string_view text) {
  std::string lines;
  for (std::size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1))
    lines += printable(text.substr(0, end)) + "\n";
  return lines + printable(text);
}

std::string excerpt(std::string_view text, std::size_t longest) {
  std::string out;
  for (std::size_t count = 0; !text.empty(); ++count) {
    if (count == longest) return out + "...";
    const Character c = front(text);
    out += escaped(text, c);
    text.remove_prefix(c.size);
  }
  return out;
}

std::string listed(const std::vector<std::string>& names, std::size_t most) {
  std::string out;
  for (std::size_t i = 0; i < std::min(most, names.size()); ++i) out += (i == 0 ? "" : ", ") + excerpt(names[i]);
  if (names.size() > most) out += " and " + std::to_string(names.size() - most) + " more";
  return out;
}

}  // namespace vaezoo
