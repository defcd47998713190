#include "config/writer.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

namespace vaezoo {
namespace {

using Json = nlohmann::ordered_json;

class Writer final : public Fields {
 public:
  explicit Writer(Json& object) : object_(object) {}

  void operator()(const char* key, double& value, const char*, Range) override { object_[key] = finite(key, value); }
  void operator()(const char* key, std::int64_t& value, const char*, Range) override { object_[key] = value; }
  void operator()(const char* key, bool& value, const char*) override { object_[key] = value; }
  void operator()(const char* key, std::string& value, const char*) override { object_[key] = value; }
  void operator()(const char* key, std::vector<std::int64_t>& value, const char*, Range) override { object_[key] = value; }
  void operator()(const char* key, std::vector<double>& value, const char*, Range) override {
    for (const double element : value) finite(key, element);
    object_[key] = value;
  }
  void operator()(const char* key, std::vector<std::string>& value, const char*) override { object_[key] = value; }
  void names(const char* key, std::vector<std::string>& value, const char*) override { object_[key] = value; }
  void operator()(const char* key, std::optional<double>& value, const char*, Range) override {
    object_[key] = value ? Json(finite(key, *value)) : Json(nullptr);
  }
  void operator()(const char* key, std::optional<std::int64_t>& value, const char*, Range) override {
    object_[key] = value ? Json(*value) : Json(nullptr);
  }
  void choice(const char* key, std::string& value, const std::vector<std::string>&, const char*) override {
    object_[key] = value;
  }

  void object(const char* key, const char*, const std::function<void(Fields&)>& fields) override {
    Writer nested(object_[key] = Json::object());
    if (fields) fields(nested);
  }

  void entries(const char* key, std::vector<std::string>& names, const char*, const char* doc,
               const std::function<void(Fields&, const char*)>& entry) override {
    object(key, doc, [&](Fields& f) {
      for (const std::string& name : names) entry(f, name.c_str());
    });
  }

  void one_of(const char* key, std::string& name, const std::vector<Alternative>& alternatives, const char* doc) override {
    for (const Alternative& alternative : alternatives) {
      if (alternative.name != name) continue;
      object(key, doc, [&](Fields& f) {
        f("name", name, "");
        if (alternative.fields) alternative.fields(f);
      });
      return;
    }
    throw std::logic_error(std::string("config: \"") + name + "\" is none of the alternatives of " + key);
  }

  void list_of(const char* key, std::vector<std::string>& names,
               const std::function<std::vector<Alternative>(std::size_t)>& alternatives, const char* doc) override {
    Json list = Json::array();
    for (std::size_t i = 0; i < names.size(); ++i) {
      Json element = Json::object();
      Writer(element).one_of(key, names[i], alternatives(i), doc);
      list.push_back(element[key]);
    }
    object_[key] = std::move(list);
  }

  void require(const char*, bool, const std::string&) override {}

 private:
  static double finite(const char* key, double value) {
    if (!std::isfinite(value)) throw std::logic_error(std::string("config: ") + key + " is not finite, which JSON cannot say");
    return value;
  }

  Json& object_;
};

}  // namespace

Json write_config(const std::function<void(Fields&)>& fields) {
  Json root = Json::object();
  Writer writer(root);
  fields(writer);
  return root;
}

std::string config_text(const std::function<void(Fields&)>& fields) { return write_config(fields).dump(2) + "\n"; }

}  // namespace vaezoo
