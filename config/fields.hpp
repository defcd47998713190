#pragma once
// Typed configuration. A struct lists its fields once,
//
//   struct BetaVaeConfig {
//     std::int64_t latent_dim = 20;
//     double beta = 4;
//     void fields(Fields& f) {
//       f("latent_dim", latent_dim, "dimension of z", at_least(1));
//       f("beta", beta, "weight of the KL; 1 gives the VAE", at_least(0));
//     }
//   };
//
// and that list serves the strict reader of JSON, the writer of the resolved configuration, the description for
// people and the JSON Schema for editors. Nothing here includes the JSON library, so config structs compile fast.
#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vaezoo {

/// A configuration that cannot be used: one sentence with file, JSON path, what was expected. Exit code 3.
struct ConfigError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The closed or open interval that a number must lie in.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false, high_open = false;
};
inline Range at_least(double low) { return {.low = low}; }
inline Range more_than(double low) { return {.low = low, .low_open = true}; }
inline Range between(double low, double high) { return {.low = low, .high = high}; }       ///< both ends allowed
inline Range below_one() { return {.low = 0, .high = 1, .high_open = true}; }               ///< [0, 1), as momenta need

class Fields;

/// One choice of a tagged object {"name": "adam", ...}: its tag, what it is, and its further fields.
struct Alternative {
  std::string name;
  std::string doc;
  std::function<void(Fields&)> fields;
};

/// What visits the fields of a struct. Keys are unique within one object. A field keeps its initial value, the
/// default, when the JSON does not give it.
class Fields {
 public:
  virtual ~Fields() = default;

  virtual void operator()(const char* key, double& value, const char* doc, Range range = {}) = 0;
  virtual void operator()(const char* key, std::int64_t& value, const char* doc, Range range = {}) = 0;
  virtual void operator()(const char* key, bool& value, const char* doc) = 0;
  virtual void operator()(const char* key, std::string& value, const char* doc) = 0;
  virtual void operator()(const char* key, std::vector<std::int64_t>& value, const char* doc, Range each = {}) = 0;
  virtual void operator()(const char* key, std::vector<double>& value, const char* doc, Range each = {}) = 0;
  virtual void operator()(const char* key, std::vector<std::string>& value, const char* doc) = 0;
  /// null in JSON means "not set".
  virtual void operator()(const char* key, std::optional<double>& value, const char* doc, Range range = {}) = 0;
  virtual void operator()(const char* key, std::optional<std::int64_t>& value, const char* doc, Range range = {}) = 0;
  /// Names or whole numbers, which become text: ["cat", 7].
  virtual void names(const char* key, std::vector<std::string>& value, const char* doc) = 0;
  /// One of a fixed list of words.
  virtual void choice(const char* key, std::string& value, const std::vector<std::string>& options, const char* doc) = 0;
  /// A nested object.
  virtual void object(const char* key, const char* doc, const std::function<void(Fields&)>& fields) = 0;
  /// A nested object whose "name" picks one of the alternatives; `name` is the default and receives the choice.
  /// A bare string "adam" stands for {"name": "adam"}.
  virtual void one_of(const char* key, std::string& name, const std::vector<Alternative>& alternatives, const char* doc) = 0;
  /// A list of such objects: `names` receives the choice of each, `alternatives(i)` are those of element i, also of the first
  /// in descriptions, where the list has none.
  virtual void list_of(const char* key, std::vector<std::string>& names,
                       const std::function<std::vector<Alternative>(std::size_t)>& alternatives, const char* doc) = 0;
  /// An object whose keys are names of the user's: `names` receives them, `entry` visits the field of one. `any_name` stands for a name
  /// in descriptions. Most use the other one, below.
  virtual void entries(const char* key, std::vector<std::string>& names, const char* any_name, const char* doc,
                       const std::function<void(Fields&, const char* name)>& entry) = 0;
  /// Called after an object's fields were read, to check them together; `ok` false makes the reader throw ConfigError with the
  /// sentence, which is about `key` ("" for the object itself). Visitors that do not read ignore it.
  virtual void require(const char* key, bool ok, const std::string& sentence) = 0;

  /// The same for a map from names to values; `entry` visits the field `name` of `value`.
  template <class Value, class Entry>
    requires std::invocable<Entry, Fields&, const char*, Value&>
  void entries(const char* key, std::map<std::string, Value>& values, const char* any_name, const char* doc, const Entry& entry) {
    std::vector<std::string> names;
    for (const auto& [name, value] : values) names.push_back(name);
    Value any{};  // what descriptions visit
    entries(key, names, any_name, doc, std::function<void(Fields&, const char*)>([&](Fields& f, const char* name) {
              entry(f, name, name == any_name ? any : values[name]);
            }));
    std::erase_if(values, [&](const auto& pair) { return std::find(names.begin(), names.end(), pair.first) == names.end(); });
  }

  template <class Struct>
    requires requires(Struct& s, Fields& f) { s.fields(f); }
  void operator()(const char* key, Struct& value, const char* doc) {
    object(key, doc, [&](Fields& f) { value.fields(f); });
  }
};

/// The alternative `name` whose fields are those of a struct, which must outlive the visit.
template <class Struct>
  requires requires(Struct& s, Fields& f) { s.fields(f); }
Alternative alternative(std::string name, std::string doc, Struct& fields) {
  return {std::move(name), std::move(doc), [&fields](Fields& f) { fields.fields(f); }};
}

}  // namespace vaezoo
