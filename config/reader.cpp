#include "config/reader.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "config/json.hpp"
#include "config/printable.hpp"
#include "config/range.hpp"
#include "config/suggest.hpp"

namespace vaezoo {
namespace {

using nlohmann::json;

class Reader final : public Fields {
 public:
  explicit Reader(const Document& document) : document_(document) {}

  void read(const std::function<void(Fields&)>& fields) {
    read_object(document_.value(), {}, fields);
    if (!failed_require_.empty()) throw ConfigError(failed_require_);
  }

  void operator()(const char* key, double& value, const char*, Range range) override {
    if (const json* given = take(key)) value = number(*given, key, range);
  }
  void operator()(const char* key, std::int64_t& value, const char*, Range range) override {
    if (const json* given = take(key)) value = integer(*given, key, range);
  }
  void operator()(const char* key, bool& value, const char*) override {
    const json* given = take(key);
    if (!given) return;
    if (!given->is_boolean()) fail(key, "expected true or false, got " + shown(*given));
    value = given->get<bool>();
  }
  void operator()(const char* key, std::string& value, const char*) override {
    if (const json* given = take(key)) value = text(*given, key);
  }
  void operator()(const char* key, std::vector<std::int64_t>& value, const char*, Range each) override {
    read_list(key, value, "a list of integers",
              [&](const json& element, const std::string& k) { return integer(element, k, each); });
  }
  void operator()(const char* key, std::vector<double>& value, const char*, Range each) override {
    read_list(key, value, "a list of numbers",
              [&](const json& element, const std::string& k) { return number(element, k, each); });
  }
  void operator()(const char* key, std::vector<std::string>& value, const char*) override {
    read_list(key, value, "a list of strings", [&](const json& element, const std::string& k) { return text(element, k); });
  }
  void names(const char* key, std::vector<std::string>& value, const char*) override {
    read_list(key, value, "a list of names or numbers", [&](const json& element, const std::string& k) {
      return element.is_number() ? std::to_string(integer(element, k, {})) : text(element, k);
    });
  }
  void operator()(const char* key, std::optional<double>& value, const char*, Range range) override {
    const json* given = take(key);
    if (given && given->is_null()) value.reset();
    if (given && !given->is_null()) value = number(*given, key, range);
  }
  void operator()(const char* key, std::optional<std::int64_t>& value, const char*, Range range) override {
    const json* given = take(key);
    if (given && given->is_null()) value.reset();
    if (given && !given->is_null()) value = integer(*given, key, range);
  }

  void choice(const char* key, std::string& value, const std::vector<std::string>& options, const char*) override {
    if (const json* given = take(key)) {
      value = text(*given, key);
      check_choice(key, value, options);
    } else if (value.empty()) {
      require(key, false, "missing; choices: " + joined(options));
    }
  }

  void object(const char* key, const char*, const std::function<void(Fields&)>& fields) override {
    const json* given = take(key);
    if (given && !given->is_object()) fail(key, "expected an object { ... }, got " + shown(*given));
    read_object(given ? *given : kNothing, path_to(key), fields);
  }

  void entries(const char* key, std::vector<std::string>& names, const char*, const char* doc,
               const std::function<void(Fields&, const char*)>& entry) override {
    names.clear();
    object(key, doc, [&](Fields& f) {
      for (const auto& [name, value] : frames_.back().object->items()) names.push_back(name);
      for (const std::string& name : names) entry(f, name.c_str());
    });
  }

  void one_of(const char* key, std::string& name, const std::vector<Alternative>& alternatives, const char*) override {
    read_tagged(take(key), key, name, alternatives);
  }

  void list_of(const char* key, std::vector<std::string>& names,
               const std::function<std::vector<Alternative>(std::size_t)>& alternatives, const char*) override {
    const json* given = take(key);
    if (!given) return;
    if (!given->is_array()) fail(key, "expected a list of names or objects, got " + shown(*given));
    names.assign(given->size(), "");
    for (std::size_t i = 0; i < names.size(); ++i)
      read_tagged(&(*given)[i], std::string(key) + "[" + std::to_string(i) + "]", names[i], alternatives(i));
  }

  void require(const char* key, bool ok, const std::string& sentence) override {
    // Thrown at the very end: a misspelt key must be reported before what its absence leads to.
    if (!ok && failed_require_.empty()) failed_require_ = error_text(key, sentence);
  }

 private:
  using Path = std::vector<std::string>;
  /// The object whose fields run now.
  struct Frame {
    const json* object;
    Path path;
    std::vector<std::string> known;
    std::string tag;  // of a tagged object
  };

  /// `given` is null where the JSON does not have it; then `name` is the default.
  void read_tagged(const json* given, const std::string& key, std::string& name, const std::vector<Alternative>& alternatives) {
    std::vector<std::string> names;
    for (const Alternative& alternative : alternatives) names.push_back(alternative.name);
    const bool has_fields = given && given->is_object();
    if (given && given->is_string()) {
      name = given->get<std::string>();
      check_choice(key, name, names);
    } else if (has_fields && given->contains("name")) {
      const std::string tag_key = key + ".name";
      name = text(given->at("name"), tag_key);
      check_choice(tag_key, name, names);
    } else if (given && !has_fields) {
      fail(key, "expected a name or an object with a \"name\", got " + shown(*given) + "; choices: " + joined(names));
    } else if (name.empty()) {
      return require(key.c_str(), false, "needs a \"name\"; choices: " + joined(names));
    }
    for (const Alternative& alternative : alternatives) {
      if (alternative.name == name) return read_object(has_fields ? *given : kNothing, path_to(key), alternative.fields, name);
    }
    throw std::logic_error("config: the default \"" + name + "\" of " + key + " is none of its alternatives");
  }

  void read_object(const json& object, Path path, const std::function<void(Fields&)>& fields, const std::string& tag = "") {
    frames_.push_back({&object, std::move(path), {}, tag});
    if (!tag.empty()) frames_.back().known.push_back("name");
    if (fields) fields(*this);
    const Frame& frame = frames_.back();
    for (const auto& [key, value] : object.items()) {
      if (std::find(frame.known.begin(), frame.known.end(), key) == frame.known.end()) fail_unknown(key);
    }
    frames_.pop_back();
  }

  /// The value of a key, null when it is not given; notes that the key is known.
  const json* take(const char* key) {
    Frame& frame = frames_.back();
    if (std::find(frame.known.begin(), frame.known.end(), key) != frame.known.end())
      throw std::logic_error(std::string("config: a struct lists the field \"") + key + "\" twice");
    frame.known.push_back(key);
    const auto found = frame.object->find(key);
    return found == frame.object->end() ? nullptr : &*found;
  }

  double number(const json& given, const std::string& key, const Range& range) {
    if (!given.is_number()) fail(key, "expected a number, got " + shown(given));
    const double value = given.get<double>();
    check_range(given, value, key, range);
    return value;
  }

  std::int64_t integer(const json& given, const std::string& key, const Range& range) {
    constexpr double kTwoTo63 = 9223372036854775808.0;
    if (!given.is_number()) fail(key, "expected an integer, got " + shown(given));
    const double value = given.get<double>();
    if (given.is_number_float() && value != std::floor(value)) fail(key, "expected an integer, got " + shown(given));
    check_range(given, value, key, range);
    const bool fits = given.is_number_float()      ? value >= -kTwoTo63 && value < kTwoTo63
                      : given.is_number_unsigned() ? given.get<std::uint64_t>() <= std::uint64_t{INT64_MAX}
                                                   : true;
    if (!fits) fail(key, "expected an integer of at most 64 bits, got " + shown(given));
    return given.is_number_float() ? static_cast<std::int64_t>(value) : given.get<std::int64_t>();
  }

  std::string text(const json& given, const std::string& key) {
    if (!given.is_string()) fail(key, "expected a string, got " + shown(given));
    return given.get<std::string>();
  }

  template <class T, class ReadElement>
  void read_list(const char* key, std::vector<T>& value, const char* expected, const ReadElement& read_element) {
    const json* given = take(key);
    if (!given) return;
    if (!given->is_array()) fail(key, std::string("expected ") + expected + ", got " + shown(*given));
    std::vector<T> read;
    for (const json& element : *given)
      read.push_back(read_element(element, std::string(key) + "[" + std::to_string(read.size()) + "]"));
    value = std::move(read);
  }

  void check_range(const json& given, double value, const std::string& key, const Range& range) {
    if (!contains(range, value)) fail(key, "must be " + in_words(range) + ", got " + shown(given));
  }

  void check_choice(const std::string& key, const std::string& word, const std::vector<std::string>& choices) {
    if (std::find(choices.begin(), choices.end(), word) != choices.end()) return;
    const auto near = nearest(word, choices);
    const std::string hint = near ? "did you mean \"" + *near + "\"? " : "";
    fail(key, "unknown \"" + excerpt(word) + "\"; " + hint +
                  "choices: " + joined(choices));
  }

  [[noreturn]] void fail_unknown(const std::string& key) {
    const Frame& frame = frames_.back();
    std::string sentence = "unknown key";
    if (!frame.tag.empty()) sentence += " for \"" + frame.tag + "\"";
    const auto near = nearest(key, frame.known);
    if (near)
      sentence += "; did you mean \"" + *near + "\"?";
    else
      sentence += frame.known.empty() ? "; there are none here" : "; valid keys: " + joined(frame.known);
    fail(key, sentence);
  }

  Path path_to(const std::string& key) const {
    Path path = frames_.back().path;
    if (!key.empty()) path.push_back(key);
    return path;
  }

  /// `key` may go on into the value: "hidden[1]", "optimizer.name".
  std::string error_text(const std::string& key, const std::string& sentence) const {
    std::string shown_path;  // the keys of this path may be a file's own
    for (const std::string& part : path_to(key)) shown_path = join_path(shown_path, excerpt(part));
    Path path = frames_.back().path;
    for (std::size_t begin = 0, dot = 0; dot != std::string::npos && !key.empty(); begin = dot + 1) {
      dot = key.find('.', begin);
      path.push_back(key.substr(begin, dot == std::string::npos ? dot : dot - begin));
    }
    const auto list = std::ranges::find_if(path, [](const std::string& part) { return part.find('[') != std::string::npos; });
    if (list != path.end()) {  // which comes whole from one layer
      list->resize(list->find('['));
      path.erase(list + 1, path.end());
    }
    return document_.source_of(path) + ": " + (shown_path.empty() ? "" : shown_path + ": ") + sentence;
  }

  [[noreturn]] void fail(const std::string& key, const std::string& sentence) const {
    throw ConfigError(error_text(key, sentence));
  }

  inline static const json kNothing = json::object();
  const Document& document_;
  std::vector<Frame> frames_;
  std::string failed_require_;
};

}  // namespace

void read_config(const Document& document, const std::function<void(Fields&)>& fields) { Reader(document).read(fields); }

void read_config(const json& value, const std::string& source, const std::function<void(Fields&)>& fields) {
  read_config(Document::from_json(value, source), fields);
}

}  // namespace vaezoo
