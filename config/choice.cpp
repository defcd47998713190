#include "config/choice.hpp"

#include <algorithm>
#include <cmath>

#include "config/suggest.hpp"

namespace vaezoo {
namespace {

using nlohmann::json;
using Schema = nlohmann::ordered_json;

bool is_of_type(const json& value, const std::string& type) {
  if (type == "number") return value.is_number();
  if (type == "integer")
    return value.is_number_integer() || (value.is_number_float() && value.get<double>() == std::floor(value.get<double>()));
  return type == (value.is_number() ? "number" : value.type_name());  // string, boolean, array, object, null
}

bool in_range(const json& value, const Schema& schema) {
  const auto holds = [&](const char* key, const auto& compare) {
    return !schema.contains(key) || compare(value.get<double>(), schema.at(key).get<double>());
  };
  return !value.is_number() || (holds("minimum", std::greater_equal<>()) && holds("exclusiveMinimum", std::greater<>()) &&
                                holds("maximum", std::less_equal<>()) && holds("exclusiveMaximum", std::less<>()));
}

bool fits_object(const json& value, const Schema& schema) {
  const Schema& properties = schema.at("properties");
  if (schema.contains("required") && !value.contains("name")) return false;
  for (const auto& [key, field] : value.items()) {
    const auto known = properties.find(key);
    if (known == properties.end() || !fits(field, *known)) return false;
  }
  return true;
}

/// Of the alternatives of a tagged object the one called `name`; null when there is none.
const Schema* alternative_of(const Schema& schema, const std::string& name) {
  for (const Schema& alternative : schema.at("oneOf"))
    if (alternative.contains("title") && alternative.at("title") == name) return &alternative;
  return nullptr;
}

std::string name_of(const json& value, const Schema& schema) {
  const json& name = value.is_object() && value.contains("name") ? value.at("name") : value;
  if (name.is_string()) return name.get<std::string>();
  return schema.contains("default") ? schema.at("default").at("name").get<std::string>() : "";
}

}  // namespace

bool fits(const json& value, const Schema& schema) {
  if (const auto choices = schema.find("oneOf"); choices != schema.end())
    return std::any_of(choices->begin(), choices->end(), [&](const Schema& choice) { return fits(value, choice); });
  if (const auto word = schema.find("const"); word != schema.end()) return value == json(*word);
  if (const auto words = schema.find("enum"); words != schema.end())
    return std::any_of(words->begin(), words->end(), [&](const Schema& word) { return value == json(word); });
  const Schema& type = schema.at("type");
  const bool right = type.is_array() ? std::any_of(type.begin(), type.end(), [&](const Schema& t) { return is_of_type(value, t); })
                                     : is_of_type(value, type);
  if (!right || !in_range(value, schema)) return false;
  if (value.is_array())
    return std::all_of(value.begin(), value.end(), [&](const json& element) { return fits(element, schema.at("items")); });
  return !value.is_object() || fits_object(value, schema);
}

std::optional<ChoiceMade> choice_at(const json& config, const Schema& schema, const std::vector<std::string>& keys) {
  const json* value = &config;
  const Schema* at = &schema;
  static const json nothing;
  for (const std::string& key : keys) {
    if (at->contains("oneOf")) at = alternative_of(*at, name_of(*value, *at));
    if (at == nullptr) return std::nullopt;
    const bool listed = at->contains("properties") && at->at("properties").contains(key);
    if (!listed && !(at->contains("additionalProperties") && at->at("additionalProperties").is_object())) return std::nullopt;
    at = listed ? &at->at("properties").at(key) : &at->at("additionalProperties");
    value = value->is_object() && value->contains(key) ? &value->at(key) : &nothing;
  }
  if (!at->contains("oneOf")) return std::nullopt;
  return ChoiceMade{name_of(*value, *at), *value, at};
}

Rechosen choose_again(const ChoiceMade& old, const std::string& name) {
  Rechosen result{{{"name", name}}, ""};
  const Schema* chosen = alternative_of(*old.schema, name);
  if (chosen == nullptr || !old.value.is_object()) return result;  // whoever reads it says that there is no such choice
  std::vector<std::string> unknown, refused;
  for (const auto& [key, value] : old.value.items()) {
    if (key == "name") continue;
    const auto known = chosen->at("properties").find(key);
    if (known == chosen->at("properties").end())
      unknown.push_back(key);
    else if (!fits(value, *known))
      refused.push_back(key);
    else
      result.value[key] = value;
  }
  const auto add = [&](const std::vector<std::string>& keys, const std::string& why) {
    if (keys.empty()) return;
    if (!result.note.empty()) result.note += "; ";
    result.note += "settings of " + old.name + " that " + name + why + " are left out: " + joined(keys);
  };
  add(unknown, " does not have");
  add(refused, " takes only with other values");
  return result;
}

std::vector<std::string> replaced_settings(const ChoiceMade& old, const json& value) {
  std::vector<std::string> lost;
  const bool merges = value.is_object() && name_of(value, *old.schema) == old.name;
  if (merges || !old.value.is_object()) return lost;
  for (const auto& [key, was] : old.value.items())
    if (key != "name" && !(value.is_object() && value.contains(key))) lost.push_back(key);
  return lost;
}

}  // namespace vaezoo
