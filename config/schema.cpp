#include "config/schema.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "config/shared_schema.hpp"

namespace vaezoo {
namespace {

using Json = nlohmann::ordered_json;

/// Draft-07 has the open ends as keywords of their own.
void add_range(Json& schema, const Range& range) {
  const auto plain = [](double end) {  // 1, not 1.0
    return end == std::trunc(end) && std::abs(end) < 1e15 ? Json(static_cast<std::int64_t>(end)) : Json(end);
  };
  if (std::isfinite(range.low)) schema[range.low_open ? "exclusiveMinimum" : "minimum"] = plain(range.low);
  if (std::isfinite(range.high)) schema[range.high_open ? "exclusiveMaximum" : "maximum"] = plain(range.high);
}

class SchemaWriter final : public Fields {
 public:
  explicit SchemaWriter(Json& properties) : properties_(properties) {}

  void operator()(const char* key, double& value, const char* doc, Range range) override {
    add(key, "number", doc, value, range);
  }
  void operator()(const char* key, std::int64_t& value, const char* doc, Range range) override {
    add(key, "integer", doc, value, range);
  }
  void operator()(const char* key, bool& value, const char* doc) override { add(key, "boolean", doc, value); }
  void operator()(const char* key, std::string& value, const char* doc) override { add(key, "string", doc, value); }
  void operator()(const char* key, std::vector<std::int64_t>& value, const char* doc, Range each) override {
    add_list(key, "integer", doc, value, each);
  }
  void operator()(const char* key, std::vector<double>& value, const char* doc, Range each) override {
    add_list(key, "number", doc, value, each);
  }
  void operator()(const char* key, std::vector<std::string>& value, const char* doc) override {
    add_list(key, "string", doc, value, {});
  }
  void names(const char* key, std::vector<std::string>& value, const char* doc) override {
    add_list(key, Json::array({"string", "integer"}), doc, value, {});
  }
  void operator()(const char* key, std::optional<double>& value, const char* doc, Range range) override {
    add(key, Json::array({"number", "null"}), doc, value ? Json(*value) : Json(nullptr), range);
  }
  void operator()(const char* key, std::optional<std::int64_t>& value, const char* doc, Range range) override {
    add(key, Json::array({"integer", "null"}), doc, value ? Json(*value) : Json(nullptr), range);
  }

  void choice(const char* key, std::string& value, const std::vector<std::string>& options, const char* doc) override {
    Json& schema = properties_[key] = {{"description", doc}, {"enum", options}};
    if (!value.empty()) schema["default"] = value;
  }

  void object(const char* key, const char* doc, const std::function<void(Fields&)>& fields) override {
    Json& schema = properties_[key] = {{"description", doc}, {"type", "object"}, {"additionalProperties", false}};
    SchemaWriter nested(schema["properties"] = Json::object());
    if (fields) fields(nested);
  }

  void entries(const char* key, std::vector<std::string>&, const char* any_name, const char* doc,
               const std::function<void(Fields&, const char*)>& entry) override {
    Json of_entry = Json::object();
    SchemaWriter nested(of_entry);
    entry(nested, any_name);
    properties_[key] = {
        {"description", doc}, {"type", "object"}, {"additionalProperties", of_entry[any_name]}, {"default", Json::object()}};
  }

  /// A bare name, or an object per alternative; only the default's may leave out its "name".
  void one_of(const char* key, std::string& name, const std::vector<Alternative>& alternatives, const char* doc) override {
    Json names = Json::array(), choices = Json::array();
    for (const Alternative& alternative : alternatives) names.push_back(alternative.name);
    choices.push_back({{"type", "string"}, {"enum", names}});
    for (const Alternative& alternative : alternatives) {
      Json choice = {{"title", alternative.name}, {"description", alternative.doc}, {"type", "object"}};
      choice["properties"]["name"] = {{"description", alternative.doc}, {"const", alternative.name}};
      SchemaWriter nested(choice["properties"]);
      if (alternative.fields) alternative.fields(nested);
      if (alternative.name != name) choice["required"] = {"name"};
      choice["additionalProperties"] = false;
      choices.push_back(std::move(choice));
    }
    Json& schema = properties_[key] = {{"description", doc}, {"oneOf", choices}};
    if (!name.empty()) schema["default"] = {{"name", name}};
  }

  void list_of(const char* key, std::vector<std::string>&, const std::function<std::vector<Alternative>(std::size_t)>& alternatives,
               const char* doc) override {
    Json element = Json::object();
    std::string none;
    SchemaWriter(element).one_of(key, none, alternatives(0), doc);
    element[key].erase("description");
    properties_[key] = {{"description", doc}, {"type", "array"}, {"items", element[key]}, {"default", Json::array()}};
  }

  void require(const char*, bool, const std::string&) override {}

 private:
  void add(const char* key, Json type, const char* doc, Json default_value, const Range& range = {}) {
    Json& schema = properties_[key] = {{"description", doc}, {"type", std::move(type)}};
    add_range(schema, range);
    schema["default"] = std::move(default_value);
  }
  void add_list(const char* key, Json type, const char* doc, Json default_value, const Range& each) {
    Json& schema = properties_[key] = {{"description", doc}, {"type", "array"}};
    schema["items"]["type"] = std::move(type);
    add_range(schema["items"], each);
    schema["default"] = std::move(default_value);
  }

  Json& properties_;
};

}  // namespace

Json config_schema(const std::string& title, const std::function<void(Fields&)>& fields) {
  Json schema = {{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", title}, {"type", "object"}};
  Json& properties = schema["properties"] = Json::object();
  properties["$schema"] = {{"description", "the schema that an editor checks this file with"}, {"type", "string"}};
  properties["extends"] = {{"description", "a file, relative to this one, that this one changes"}, {"type", "string"}};
  SchemaWriter writer(properties);
  fields(writer);
  schema["additionalProperties"] = false;
  return schema;
}

std::string config_schema_text(const std::string& title, const std::function<void(Fields&)>& fields) {
  return with_shared_parts(config_schema(title, fields)).dump(1) + "\n";
}

}  // namespace vaezoo
