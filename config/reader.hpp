#pragma once
// Fills structs from JSON, strictly.
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "config/document.hpp"
#include "config/fields.hpp"

namespace vaezoo {

/// Runs `fields` over the document's root object. Fields that the document does not give keep their values. Throws ConfigError
/// "SOURCE: PATH: sentence" for the first of: wrong types, numbers out of range, unknown names and choices, unknown keys
/// (with the nearest valid one), and then failed `require`s; what has been read until then stays read.
/// An integer may be written 1e5; 2.5 is an error. A `one_of` or `choice` whose value is "" from the start must be given.
void read_config(const Document& document, const std::function<void(Fields&)>& fields);

/// The same for a value without layers; `source` names it in errors.
void read_config(const nlohmann::json& value, const std::string& source, const std::function<void(Fields&)>& fields);

/// A whole struct: its defaults overlaid with what the document says.
template <class Struct>
requires requires(Struct& s, Fields& f) { s.fields(f); }
Struct read_config(const Document& document) {
  Struct result;
  read_config(document, [&](Fields& f) { result.fields(f); });
  return result;
}

}  // namespace vaezoo
