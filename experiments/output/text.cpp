#include "experiments/output/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace vaezoo {
namespace {

bool starts_character(char c) { return (c & 0xc0) != 0x80; }  // UTF-8 continuation bytes are 10xxxxxx

}  // namespace

std::string escape_markup(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') out += c;
    }
  }
  return out;
}

std::string base64(std::span<const std::uint8_t> bytes) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < count ? bytes[i + k] : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += k <= count ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string format_number(double value, int digits) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return fmt::format("{:.{}g}", value == 0 ? 0.0 : value, digits);  // no "-0"
}

std::string format_measurement(double value, std::optional<double> standard_error) {
  if (!standard_error || !std::isfinite(*standard_error) || !(*standard_error > 0) || !std::isfinite(value)) {
    return format_number(value, 6);
  }
  const int leading = static_cast<int>(std::floor(std::log10(*standard_error)));
  const int decimals = std::clamp(1 - leading, 0, 9);
  return fmt::format("{:.{}f} ± {:.{}f}", value, decimals, *standard_error, decimals);
}

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e10) return "?";
  const auto total = std::llround(seconds);
  const auto days = total / 86400, hours = total / 3600 % 24, minutes = total / 60 % 60, rest = total % 60;
  if (days > 0) return fmt::format("{} d {}:{:02}:{:02}", days, hours, minutes, rest);
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, rest);
  return fmt::format("{}:{:02}", minutes, rest);
}

std::string format_count(double value) {
  static constexpr std::string_view kSuffixes[] = {"", "k", "M", "G", "T"};
  std::size_t suffix = 0;
  while (std::abs(value) >= 999.5 && suffix + 1 < std::size(kSuffixes)) {
    value /= 1000;
    ++suffix;
  }
  return format_number(value, 3) + std::string(kSuffixes[suffix]);
}

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

std::string cut_to_width(std::string_view text, std::size_t columns) {
  std::size_t i = 0;
  for (std::size_t seen = 0; i < text.size(); ++i) {
    if (starts_character(text[i]) && ++seen > columns) break;
  }
  return std::string(text.substr(0, i));
}

}  // namespace vaezoo
