#pragma once
// Strict JSON. What most parsers let pass in silence (a key given twice, a number that overflows) is an error here, and
// // line and /* block */ comments are allowed, because experiments deserve a word of why.
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace vaezoo {

/// The value that `text` holds; `source` names it in errors. Throws ConfigError "SOURCE:LINE:COLUMN: sentence" for bad syntax
/// (columns count characters from 1), "SOURCE: PATH: given twice" for a repeated key, and for nesting deeper than 64 levels.
nlohmann::json parse_json(std::string_view text, const std::string& source);

/// parse_json of a file's content. Throws ConfigError when the file cannot be read or is larger than 16 MB.
nlohmann::json read_json(const std::filesystem::path& file);

/// How an error message shows what it got: 2.5, true, the string "big", a list, an object, null. Long strings are cut.
std::string shown(const nlohmann::json& value);

/// "a.b" from "a" and "b"; just "b" at the root.
std::string join_path(const std::string& parent, const std::string& key);

}  // namespace vaezoo
