#include "config/range.hpp"

#include <charconv>
#include <cmath>

namespace vaezoo {
namespace {

/// Joins the two ends of a range by `sides`: words or symbols for >=, >, <=, < and for what stands between them.
struct Sides {
  const char *at_least, *more_than, *at_most, *less_than, *both, *between, *to;
};

std::string describe_ends(const Range& range, const Sides& sides) {
  const bool has_low = std::isfinite(range.low), has_high = std::isfinite(range.high);
  if (has_low && has_high && !range.low_open && !range.high_open)
    return sides.between + shortest(range.low) + sides.to + shortest(range.high);
  std::string text;
  if (has_low) text = (range.low_open ? sides.more_than : sides.at_least) + shortest(range.low);
  if (has_low && has_high) text += sides.both;
  if (has_high) text += (range.high_open ? sides.less_than : sides.at_most) + shortest(range.high);
  return text;
}

}  // namespace

bool contains(const Range& range, double value) {
  const bool above = range.low_open ? value > range.low : value >= range.low;
  const bool below = range.high_open ? value < range.high : value <= range.high;
  return above && below;
}

std::string in_words(const Range& range) {
  return describe_ends(range, {"at least ", "more than ", "at most ", "less than ", " and ", "between ", " and "});
}

std::string in_symbols(const Range& range) { return describe_ends(range, {">= ", "> ", "<= ", "< ", ", ", "", " to "}); }

std::string shortest(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

}  // namespace vaezoo
