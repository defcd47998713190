#pragma once
// Small pieces of text that charts, reports and the progress line share.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vaezoo {

/// Text made safe inside HTML and SVG, in elements and in quoted attributes; control characters, which XML forbids, are dropped.
std::string escape_markup(std::string_view text);

/// Standard base64 (RFC 4648, with padding).
std::string base64(std::span<const std::uint8_t> bytes);

/// A number for people: at most `digits` significant ones, no trailing zeros; "NaN", "inf" and "-inf" as such.
std::string format_number(double value, int digits = 4);

/// A measured value: with a positive standard error both show the error's first two digits ("97.31 ± 0.42"), else as format_number(value, 6).
std::string format_measurement(double value, std::optional<double> standard_error);

/// "0:32", "5:07", "1:02:03", "2 d 3:04:05"; from seconds. Not finite or negative gives "?".
std::string format_duration(double seconds);

/// "950", "45.1k", "1.2M": three or four characters' worth of a count or a rate.
std::string format_count(double value);

/// Characters of UTF-8 text, each taken as one column wide.
std::size_t display_width(std::string_view text);
/// The first `columns` characters.
std::string cut_to_width(std::string_view text, std::size_t columns);

}  // namespace vaezoo
