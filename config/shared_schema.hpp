#pragma once
#include <nlohmann/json_fwd.hpp>

namespace vaezoo {

/// The same JSON Schema with what stands in several places written once, under "$defs", and referred to: {"$ref": "#/$defs/encoder"}. A
/// description or default of a place's own stays there, next to an "allOf" of the reference, as draft-07 reads nothing next to "$ref".
nlohmann::ordered_json with_shared_parts(const nlohmann::ordered_json& schema);

/// Undoes it: every reference is replaced by what it refers to.
nlohmann::ordered_json without_references(const nlohmann::ordered_json& schema);

}  // namespace vaezoo
