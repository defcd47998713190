#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "config/range.hpp"
#include "config/schema.hpp"
#include "config/suggest.hpp"

namespace vaezoo {
namespace {

constexpr std::size_t kColumns = 5;
using Row = std::array<std::string, kColumns>;  // key, type, default, allowed, meaning
enum Column { kKey, kType, kDefault, kAllowed, kMeaning };

/// A field, or an alternative of a tagged object, with what is below it.
struct Entry {
  Row row;
  std::vector<Entry> below = {};
  bool tagged = false;  // are those below alternatives?
};
using Entries = std::vector<Entry>;

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
  explicit Describer(Entries& entries) : entries_(entries) {}

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
    describe_below(add(key, "object", "", "", doc), fields);
  }
  void entries(const char* key, std::vector<std::string>&, const char* any_name, const char* doc,
               const std::function<void(Fields&, const char*)>& entry) override {
    describe_below(add(key, "object", "{}", "", doc), [&](Fields& f) { entry(f, any_name); });
  }
  void one_of(const char* key, std::string& name, const std::vector<Alternative>& alternatives, const char* doc) override {
    Entry& entry = add(key, "one of", name, "", doc);
    entry.tagged = true;
    for (const Alternative& alternative : alternatives)
      describe_below(entry.below.emplace_back(Entry{{in_quotes(alternative.name), "", "", "", alternative.doc}}), alternative.fields);
  }
  void list_of(const char* key, std::vector<std::string>&, const std::function<std::vector<Alternative>(std::size_t)>& alternatives,
               const char* doc) override {
    std::string none;
    one_of(key, none, alternatives(0), doc);
    entries_.back().row[kType] = "list of";
    entries_.back().row[kDefault] = "[]";
  }
  void require(const char*, bool, const std::string&) override {}

 private:
  static std::string or_null(const Range& range) {
    const std::string symbols = in_symbols(range);
    return symbols.empty() ? "or null" : symbols + ", or null";
  }
  Entry& add(const std::string& key, const char* type, const std::string& value, const std::string& allowed,
             const std::string& doc) {
    return entries_.emplace_back(Entry{{key, type, value, allowed, doc}});
  }
  static void describe_below(Entry& entry, const std::function<void(Fields&)>& fields) {
    Describer below(entry.below);
    if (fields) fields(below);
  }

  Entries& entries_;
};

/// The text of entries, in which the same things are the same text; `with_defaults` false: the same but for their defaults.
std::string content(const Entries& entries, bool with_defaults) {
  std::string text;
  for (const Entry& e : entries) {
    for (std::size_t i = 0; i < kColumns; ++i)
      if (i != kDefault || with_defaults) text += e.row[i] + '\x1f';
    text += "{" + content(e.below, with_defaults) + "}";
  }
  return text;
}

/// Fields that three or more alternatives have, and most of them, are said once, before the alternatives.
void gather_common(Entry& tagged) {
  Entries& alternatives = tagged.below;
  const auto has = [](const Entry& alternative, const std::string& wanted) {
    return std::any_of(alternative.below.begin(), alternative.below.end(),
                       [&](const Entry& field) { return content({field}, true) == wanted; });
  };
  Entries common;  // one for each set of alternatives
  for (const Entry& alternative : alternatives)
    for (const Entry& field : alternative.below) {
      const std::string wanted = content({field}, true);
      std::vector<std::string> without;
      for (const Entry& other : alternatives)
        if (!has(other, wanted)) without.push_back(other.row[kKey]);
      const std::size_t with = alternatives.size() - without.size();
      if (with < 3 || without.size() > with) continue;
      const std::string heading = without.empty() ? "(each)" : "(each but " + joined(without) + ")";
      const auto group = std::find_if(common.begin(), common.end(), [&](const Entry& e) { return e.row[kMeaning] == heading; });
      Entry& all = group != common.end() ? *group : common.emplace_back(Entry{{"", "", "", "", heading}});
      if (!has(all, wanted)) all.below.push_back(field);
    }
  for (Entry& alternative : alternatives)
    std::erase_if(alternative.below, [&](const Entry& field) {
      return std::any_of(common.begin(), common.end(), [&](const Entry& all) { return has(all, content({field}, true)); });
    });
  alternatives.insert(alternatives.begin(), common.begin(), common.end());
}

/// Turns entries into rows, and says no choice of networks, priors or likelihoods twice.
class Table {
 public:
  std::vector<Row> rows;

  void add(const Entries& entries, std::size_t indent, const std::string& path) {
    for (const Entry& e : entries) add(e, indent, path);
  }

 private:
  static constexpr std::size_t kIndent = 2;
  struct Said {
    std::string content, path;
    Entries entries;
  };

  void add(Entry e, std::size_t indent, const std::string& path) {
    const std::string here = e.row[kKey].empty() ? path : path.empty() ? e.row[kKey] : path + " " + e.row[kKey];
    e.row[kKey] = std::string(indent, ' ') + e.row[kKey];
    const std::string text = content(e.below, false);
    const auto said = std::find_if(said_.begin(), said_.end(), [&](const Said& s) { return s.content == text; });
    if (e.tagged && said != said_.end()) {
      e.row[kMeaning] += "; choices as under " + said->path;
      rows.push_back(e.row);
      return add_other_defaults(said->entries, e.below, indent + kIndent, "");
    }
    if (e.tagged) said_.push_back({text, here, e.below});
    rows.push_back(e.row);
    if (e.tagged) gather_common(e);
    add(e.below, indent + kIndent, here);
  }

  /// Of entries that differ only in their defaults, those that do.
  void add_other_defaults(const Entries& said, const Entries& entries, std::size_t indent, const std::string& path) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const std::string here = path + (path.empty() ? "" : " ") + entries[i].row[kKey];
      if (entries[i].row[kDefault] != said[i].row[kDefault]) {
        Row row = entries[i].row;
        row[kKey] = std::string(indent, ' ') + here;
        rows.push_back(row);
      }
      add_other_defaults(said[i].below, entries[i].below, indent, here);
    }
  }

  std::vector<Said> said_;
};

/// A cell that is too wide for its column goes to the end of the line, so that the columns stay straight.
void move_wide_cells(Row& row) {
  constexpr std::size_t kWidest = 26;
  if (row[kAllowed].size() > kWidest) row[kMeaning] += ": " + std::exchange(row[kAllowed], "");
  if (row[kDefault].size() > kWidest) row[kMeaning] += "; default " + std::exchange(row[kDefault], "");
}

}  // namespace

std::string describe_config(const std::function<void(Fields&)>& fields, std::size_t indent) {
  Entries entries;
  Describer describer(entries);
  fields(describer);
  Table table;
  table.add(entries, indent, "");
  std::array<std::size_t, kColumns> widths{};
  for (Row& row : table.rows) {
    move_wide_cells(row);
    for (std::size_t i = 0; i < kMeaning; ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : table.rows) {
    std::string line;
    for (std::size_t i = 0; i < kMeaning; ++i) line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    line += row[kMeaning];
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace vaezoo
