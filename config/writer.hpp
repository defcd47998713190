#pragma once
// The resolved configuration: every field with the value it has, defaults too, in the order of the field lists.
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "config/fields.hpp"

namespace vaezoo {

/// Reading the result gives the same values again, bit for bit. Throws std::logic_error for a number that is not finite and a
/// name that is none of its alternatives: such defaults are mistakes of the program.
nlohmann::ordered_json write_config(const std::function<void(Fields&)>& fields);

/// The same as the text of a file.
std::string config_text(const std::function<void(Fields&)>& fields);

}  // namespace vaezoo
