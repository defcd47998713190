#include "config/shared_schema.hpp"

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace vaezoo {
namespace {

using Json = nlohmann::ordered_json;

const std::string kDefinitions = "#/$defs/";
constexpr std::size_t kWorthSharing = 100;  ///< bytes; a reference has about 30

/// The schema with f(key, part) in the place of every part: properties, alternatives, values of a map. A part's key says what it is.
Json map_parts(const Json& schema, const std::string& key, const std::function<Json(const std::string&, const Json&)>& f) {
  Json out = schema;
  if (const auto properties = out.find("properties"); properties != out.end())
    for (const auto& [name, part] : properties->items()) part = f(name, part);
  if (const auto choices = out.find("oneOf"); choices != out.end())
    for (Json& part : *choices) part = f(part.contains("title") ? key + "." + part["title"].get<std::string>() : key, part);
  if (const auto values = out.find("additionalProperties"); values != out.end() && values->is_object()) *values = f(key, *values);
  return out;
}

/// What a schema says but for its description and default, which differ between places.
Json body_of(const Json& schema) {
  Json body = schema;
  body.erase("description");
  body.erase("default");
  return body;
}

class Sharing {
 public:
  void count(const Json& schema) {
    map_parts(schema, "", [this](const std::string&, const Json& part) {
      const std::string whole = part.dump(), body = body_of(part).dump();
      ++counts_[whole];
      if (body != whole) ++counts_[body];
      if (counts_[body] == 1) count(part);  // what is inside of a part seen before is shared with it
      return part;
    });
  }

  Json share(const std::string& key, const Json& schema) {
    return map_parts(schema, key, [this](const std::string& name, const Json& part) {
      const Json body = body_of(part);
      if (is_shared(part)) return reference(name, part);
      if (!is_shared(body)) return share(name, part);
      Json out = Json::object();
      if (part.contains("description")) out["description"] = part["description"];
      out["allOf"] = Json::array({reference(name, body)});
      if (part.contains("default")) out["default"] = part["default"];
      return out;
    });
  }

  const Json& definitions() const { return definitions_; }

 private:
  bool is_shared(const Json& schema) const {
    const std::string text = schema.dump();
    const auto count = counts_.find(text);
    return text.size() >= kWorthSharing && count != counts_.end() && count->second > 1;
  }

  /// To the definition of this schema, which is made when it is asked for first.
  Json reference(const std::string& key, const Json& schema) {
    std::string& name = names_[schema.dump()];
    if (name.empty()) {
      name = key;
      for (int number = 2; definitions_.contains(name); ++number) name = key + "_" + std::to_string(number);
      definitions_[name] = nullptr;  // keeps the name while its parts get theirs
      Json definition = share(key, schema);
      definitions_[name] = std::move(definition);
    }
    return {{"$ref", kDefinitions + name}};
  }

  std::map<std::string, int> counts_;
  std::map<std::string, std::string> names_;
  Json definitions_ = Json::object();
};

Json expanded(const Json& schema, const Json& definitions) {
  const auto referred = [&](const Json& place) { return definitions.at(place.at("$ref").get<std::string>().substr(kDefinitions.size())); };
  Json out = schema;
  if (schema.contains("allOf")) {
    out = Json::object();
    if (schema.contains("description")) out["description"] = schema["description"];
    out.update(referred(schema["allOf"][0]));
    if (schema.contains("default")) out["default"] = schema["default"];
  } else if (schema.contains("$ref")) {
    out = referred(schema);
  }
  return map_parts(out, "", [&](const std::string&, const Json& part) { return expanded(part, definitions); });
}

}  // namespace

Json with_shared_parts(const Json& schema) {
  Sharing sharing;
  sharing.count(schema);
  Json out = sharing.share("", schema);
  out["$defs"] = sharing.definitions();
  return out;
}

Json without_references(const Json& schema) {
  Json out = expanded(schema, schema.at("$defs"));
  out.erase("$defs");
  return out;
}

}  // namespace vaezoo
