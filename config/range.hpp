#pragma once
#include <string>

#include "config/fields.hpp"

namespace vaezoo {

bool contains(const Range& range, double value);

/// "at least 0", "more than 0 and less than 1", "between 0 and 1"; empty for a range without ends.
std::string in_words(const Range& range);

/// ">= 0", "> 0, < 1", "0 to 1"; empty for a range without ends.
std::string in_symbols(const Range& range);

/// The shortest decimal that reads back as `value`; whole numbers without ".0".
std::string shortest(double value);

}  // namespace vaezoo
