#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "config/range.hpp"
#include "config/schema.hpp"
#include "config/suggest.hpp"

namespace vaezoo {
namespace {

constexpr std::size_t kColumns = 5;
using Row = std::array<std::string, kColumns>;  // key, type, default, allowed, meaning

std::string in_quotes(const std::string& text) { return nlohmann::json(text).dump(); }

std::string list_text(const std::vector<std::string>& elements) { return std::string("[").append(joined(elements)).append("]"); }

template <class T, class ToText>
std::string list_text(const std::vector<T>& values, const ToText& to_text) {
  std::vector<std::string> elements;
  for (const T& value : values) elements.push_back(to_text(value));
  return list_text(elements);
}

std::string integer_text(std::int64_t value) { return std::to_string(value); }

class Describer final : public Fields {
 public:
  Describer(std::vector<Row>& rows, std::size_t indent) : rows_(rows), indent_(indent) {}

  void operator()(const char* key, double& value, const char* doc, Range range) override {
    add(key, "number", shortest(value), in_symbols(range), doc);
  }
  void operator()(const char* key, std::int64_t& value, const char* doc, Range range) override {
    add(key, "integer", integer_text(value), in_symbols(range), doc);
  }
  void operator()(const char* key, bool& value, const char* doc) override {
    add(key, "boolean", value ? "true" : "false", "", doc);
  }
  void operator()(const char* key, std::string& value, const char* doc) override {
    add(key, "string", in_quotes(value), "", doc);
  }
  void operator()(const char* key, std::vector<std::int64_t>& value, const char* doc, Range each) override {
    add(key, "integers", list_text(value, integer_text), in_symbols(each), doc);
  }
  void operator()(const char* key, std::vector<double>& value, const char* doc, Range each) override {
    add(key, "numbers", list_text(value, shortest), in_symbols(each), doc);
  }
  void operator()(const char* key, std::vector<std::string>& value, const char* doc) override {
    add(key, "strings", list_text(value, in_quotes), "", doc);
  }
  void names(const char* key, std::vector<std::string>& value, const char* doc) override {
    add(key, "strings or integers", list_text(value, in_quotes), "", doc);
  }
  void operator()(const char* key, std::optional<double>& value, const char* doc, Range range) override {
    add(key, "number", value ? shortest(*value) : "null", or_null(range), doc);
  }
  void operator()(const char* key, std::optional<std::int64_t>& value, const char* doc, Range range) override {
    add(key, "integer", value ? integer_text(*value) : "null", or_null(range), doc);
  }
  void choice(const char* key, std::string& value, const std::vector<std::string>& options, const char* doc) override {
    add(key, "choice", value, joined(options, " | "), doc);
  }
  void object(const char* key, const char* doc, const std::function<void(Fields&)>& fields) override {
    add(key, "object", "", "", doc);
    nest(fields);
  }
  void one_of(const char* key, std::string& name, const std::vector<Alternative>& alternatives, const char* doc) override {
    add(key, "one of", name, "", doc);
    for (const Alternative& alternative : alternatives) {
      Describer nested(rows_, indent_ + kIndent);
      nested.add(in_quotes(alternative.name), "", "", "", alternative.doc);
      nested.nest(alternative.fields);
    }
  }
  void require(const char*, bool, const std::string&) override {}

 private:
  static constexpr std::size_t kIndent = 2;

  static std::string or_null(const Range& range) {
    const std::string symbols = in_symbols(range);
    return symbols.empty() ? "or null" : symbols + ", or null";
  }
  void add(const std::string& key, const char* type, const std::string& value, const std::string& allowed,
           const std::string& doc) {
    rows_.push_back({std::string(indent_, ' ') + key, type, value, allowed, doc});
  }
  void nest(const std::function<void(Fields&)>& fields) {
    Describer nested(rows_, indent_ + kIndent);
    if (fields) fields(nested);
  }

  std::vector<Row>& rows_;
  std::size_t indent_;
};

}  // namespace

std::string describe_config(const std::function<void(Fields&)>& fields, std::size_t indent) {
  std::vector<Row> rows;
  Describer describer(rows, indent);
  fields(describer);
  constexpr std::size_t kWidest = 26;  // a longer cell pushes its own line to the right, not all lines
  std::array<std::size_t, kColumns> widths{};
  for (const Row& row : rows)
    for (std::size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], std::min(row[i].size(), kWidest));
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < kColumns; ++i)
      line += row[i] + std::string(widths[i] - std::min(widths[i], row[i].size()) + 2, ' ');
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace vaezoo
