#include "datasets/classes.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "autodiff/check.hpp"
#include "config/fields.hpp"

namespace vaezoo {
namespace {

constexpr std::size_t kMostClasses = 1 << 20;  // more are a column of something else

std::optional<std::int64_t> whole_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t n = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return error == std::errc() && stop == text.data() + text.size() ? std::optional(n) : std::nullopt;
}

/// Whether the names are "0", "1", ...
bool count_from_zero(const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] != std::to_string(i)) return false;
  }
  return true;
}

[[noreturn]] void refuse(const char* key, const std::string& sentence) { throw ConfigError(ad::cat("dataset.", key, ": ", sentence)); }

/// The numbers of classes that the setting `key` names, each once.
std::vector<int> classes_named(const Dataset& data, const std::vector<std::string>& wanted, const char* key) {
  if (data.classes == 0) refuse(key, "the examples have no labels");
  std::vector<int> numbers;
  for (const std::string& word : wanted) {
    const auto found = find_class(data, word);
    if (!found) refuse(key, ad::cat("there is no class '", excerpt(word), "'; ", about_classes(data)));
    if (std::ranges::count(numbers, *found) > 0) refuse(key, "names class '" + excerpt(word) + "' twice");
    numbers.push_back(*found);
  }
  return numbers;
}

/// Keeps the examples of a split whose class is marked.
void keep_marked(Examples& split, Split which, const std::vector<bool>& marked, const char* key) {
  if (split.size() == 0) return;
  std::vector<Index> rows;
  for (Index i = 0; i < split.size(); ++i) {
    const int label = split.labels()[static_cast<std::size_t>(i)];
    if (label >= 0 && marked[static_cast<std::size_t>(label)]) rows.push_back(i);
  }
  if (rows.empty()) refuse(key, ad::cat("leaves no examples in the ", to_text(which), " split"));
  split = split.subset(rows);
}

std::vector<bool> marks(const std::vector<int>& numbers, int classes) {
  std::vector<bool> marked(static_cast<std::size_t>(classes));
  for (const int number : numbers) marked[static_cast<std::size_t>(number)] = true;
  return marked;
}

}  // namespace

Classes::Classes(const std::vector<std::string>& training_labels, const std::string& source) {
  std::set<std::string> distinct;
  for (const std::string& label : training_labels) {
    distinct.insert(label);
    if (distinct.size() > kMostClasses) {
      throw DataError(ad::cat(source, ": has more than ", kMostClasses, " different labels; is that really the class?"));
    }
  }
  whole_ = std::ranges::all_of(distinct, [](const std::string& label) { return whole_number(label).has_value(); });
  std::set<std::string> names;
  for (const std::string& label : distinct) names.insert(canonical(label));
  names_.assign(names.begin(), names.end());
  if (whole_) std::ranges::sort(names_, {}, [](const std::string& name) { return *whole_number(name); });
}

/// One spelling for each number: 7 and +07 are the same class.
std::string Classes::canonical(const std::string& label) const {
  const auto number = whole_ ? whole_number(label) : std::nullopt;
  return number ? std::to_string(*number) : label;
}

std::vector<int> Classes::numbers(const std::vector<std::string>& labels, const std::string& source) const {
  std::map<std::string, int> known;
  for (const std::string& name : names_) known.emplace(name, static_cast<int>(known.size()));
  if (names_.empty() && !labels.empty()) throw DataError(source + ": has labels, but the training examples have none");
  std::vector<int> numbers;
  numbers.reserve(labels.size());
  for (const std::string& label : labels) {
    const auto found = known.find(canonical(label));
    if (found == known.end()) {
      throw DataError(ad::cat(source, ": has a class '", excerpt(label), "' that the training examples do not have; theirs are ",
                              listed(names_)));
    }
    numbers.push_back(found->second);
  }
  return numbers;
}

std::vector<std::string> Classes::names() const { return count_from_zero(names_) ? std::vector<std::string>() : names_; }

std::string class_name(const Dataset& data, int label) {
  if (label < 0) return "";
  const auto i = static_cast<std::size_t>(label);
  return i < data.class_names.size() ? data.class_names[i] : std::to_string(label);
}

std::optional<int> find_class(const Dataset& data, const std::string& wanted) {
  const auto found = std::ranges::find(data.class_names, wanted);
  if (found != data.class_names.end()) return static_cast<int>(found - data.class_names.begin());
  const auto number = whole_number(wanted);
  return number && *number >= 0 && *number < data.classes ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

std::string about_classes(const Dataset& data) {
  return ad::cat("there are 0 to ", data.classes - 1, data.class_names.empty() ? "" : ", called " + listed(data.class_names));
}

void keep_classes(Dataset& data, const std::vector<std::string>& wanted) {
  if (wanted.empty()) return;
  const std::vector<int> numbers = classes_named(data, wanted, "classes");
  std::vector<int> becomes(static_cast<std::size_t>(data.classes), -1);
  std::vector<std::string> names;
  for (const int number : numbers) {
    becomes[static_cast<std::size_t>(number)] = static_cast<int>(names.size());
    names.push_back(class_name(data, number));
  }
  for (const auto& [which, split] : {std::pair(Split::train, &data.train), std::pair(Split::validation, &data.validation),
                                     std::pair(Split::test, &data.test)}) {
    keep_marked(*split, which, marks(numbers, data.classes), "classes");
    if (split->size() > 0) split->renumber(becomes);
  }
  data.classes = static_cast<int>(names.size());
  data.class_names = count_from_zero(names) ? std::vector<std::string>() : std::move(names);
  data.log_density = {};
  data.factors = nullptr;
}

void keep_normal(Dataset& data, const std::vector<std::string>& wanted) {
  if (wanted.empty()) return;
  data.normal = marks(classes_named(data, wanted, "normal"), data.classes);
  keep_marked(data.train, Split::train, data.normal, "normal");
  keep_marked(data.validation, Split::validation, data.normal, "normal");
}

}  // namespace vaezoo
