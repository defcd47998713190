#pragma once
// What may be written, for editors and for people, from the same field lists that the reader uses.
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "config/fields.hpp"

namespace vaezoo {

/// JSON Schema (draft-07) of a configuration file, with descriptions, defaults and ranges: editors complete and check with it.
/// The root also allows "$schema" and "extends".
nlohmann::ordered_json config_schema(const std::string& title, const std::function<void(Fields&)>& fields);

/// The same as the text of a file, in which what stands in several places is written once, under "$defs".
std::string config_schema_text(const std::string& title, const std::function<void(Fields&)>& fields);

/// A table for the terminal: key, type, default, allowed values and meaning, one field per line, in straight columns; nested objects are
/// indented, and so are the fields of each alternative. What most alternatives have is said once before them, and choices that were said
/// already are referred to, with the defaults that differ. Lines start with `indent` spaces.
std::string describe_config(const std::function<void(Fields&)>& fields, std::size_t indent = 0);

}  // namespace vaezoo
