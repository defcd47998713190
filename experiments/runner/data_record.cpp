#include "experiments/runner/data_record.hpp"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "autodiff/check.hpp"
#include "config/printable.hpp"
#include "experiments/output/json_numbers.hpp"
#include "experiments/runner/pictures.hpp"

namespace vaezoo {
namespace {

using ad::cat;
using nlohmann::json;

constexpr std::array kParts = {Split::train, Split::validation, Split::test};
constexpr std::int64_t kMostNumbers = std::int64_t{1} << 40;

std::string to_text(Binarize how) { return how == Binarize::none ? "none" : how == Binarize::fixed ? "static" : "dynamic"; }

Index total(const DataRecord& record) {
  Index sum = 0;
  for (const DataRecord::Part& part : record.parts) sum += part.examples;
  return sum;
}

/// Reads the keys of a record, and knows how to complain.
class RecordReader {
 public:
  RecordReader(const json& object, const std::string& source) : object_(object), source_(source) {
    if (!object.is_object()) fail("is no object");
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw ad::FileError(cat(source_, ": its record of the data ", what, "; the file was damaged or changed by hand"));
  }
  const json& at(const char* key) const {
    const auto it = object_.find(key);
    if (it == object_.end()) fail(cat("has no \"", key, "\""));
    return *it;
  }
  std::int64_t integer(const char* key, std::int64_t low, std::int64_t high) const {
    const auto value = integer_in(at(key), low, high);
    if (!value) fail(cat("has a \"", key, "\" that is no whole number from ", low, " to ", high));
    return *value;
  }
  std::string text(const char* key) const {
    if (!at(key).is_string()) fail(cat("has a \"", key, "\" that is no text"));
    return at(key).get<std::string>();
  }
  bool has(const char* key) const { return object_.contains(key); }
  bool flag(const char* key) const {
    if (!at(key).is_boolean()) fail(cat("has a \"", key, "\" that is neither true nor false"));
    return at(key).get<bool>();
  }
  template <class T, class Read>
  std::vector<T> list(const char* key, Read read) const {
    std::vector<T> values;
    if (!at(key).is_array()) fail(cat("has a \"", key, "\" that is no list"));
    for (const json& element : at(key)) {
      const std::optional<T> value = read(element);
      if (!value) fail(cat("has a \"", key, "\" with an element of the wrong kind"));
      values.push_back(*value);
    }
    return values;
  }
  std::vector<std::string> texts(const char* key) const {
    return list<std::string>(key, [](const json& e) { return e.is_string() ? std::optional(e.get<std::string>()) : std::nullopt; });
  }
  std::vector<double> numbers(const char* key, double low) const {
    return list<double>(key, [low](const json& e) { return number_in(e, low, std::numeric_limits<double>::max()); });
  }
  ItemShape shape() const {
    const auto sizes = list<std::int64_t>("shape", [](const json& e) { return integer_in(e, 1, std::int64_t{1} << 30); });
    if (sizes.size() != 3) fail("has a \"shape\" of other than 3 sizes");
    if (sizes[0] > kMostNumbers / sizes[1] || sizes[0] * sizes[1] > kMostNumbers / sizes[2]) fail("has a \"shape\" beyond all memory");
    return {sizes[0], sizes[1], sizes[2]};
  }

 private:
  const json& object_;
  const std::string& source_;
};

/// One after the other, all of an example of this shape.
std::vector<Modality> modalities_of(const json& list, const ItemShape& whole, const RecordReader& record, const std::string& source) {
  std::vector<Modality> modalities;
  Index begin = 0;
  if (!list.is_array()) record.fail("has a \"modalities\" that is no list");
  for (const json& element : list) {
    const RecordReader read(element, source);
    modalities.push_back({read.text("name"), begin, read.shape()});
    begin = modalities.back().end();
  }
  if (!modalities.empty() && begin != whole.size()) record.fail("has modalities of other sizes than its examples");
  return modalities;
}

std::string hexadecimal(std::uint64_t value) {
  std::array<char, 16> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, 16).ptr;
  return {text.data(), end};
}

std::optional<std::uint64_t> from_hexadecimal(const std::string& text) {
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return error == std::errc() && stop == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// What a user calls the data: the file or folder, where it is the user's own.
std::string source_of(const DataRecord& r) {
  const bool own = r.name == "csv" || r.name == "npy" || r.name == "text" || r.name == "image_folder";
  return excerpt(own && !r.provenance.empty() ? r.provenance : r.name, 200);
}

std::string shape_text(const ItemShape& s) { return cat(s.height, " x ", s.width, " x ", s.channels); }

/// "2: a, b", or only the number where the classes have no names.
std::string names_text(const std::vector<std::string>& names, int count) {
  return names.empty() ? std::to_string(count) : cat(count, ": ", listed(names, 10));
}

}  // namespace

DataRecord record_of(const Dataset& data) {
  DataRecord r{.name = data.name,
               .provenance = data.provenance,
               .binarize = to_text(data.binarize),
               .shape = data.shape,
               .is_image = data.is_image,
               .unit_range = data.unit_range,
               .counts = data.counts,
               .levels = data.levels,
               .classes = data.classes,
               .condition_size = data.train.condition_size(),
               .column_names = data.column_names,
               .class_names = data.class_names,
               .condition_names = data.condition_names,
               .vocabulary = data.vocabulary,
               .token_separator = data.token_separator,
               .modalities = data.modalities,
               .mean = {data.mean.begin(), data.mean.end()},
               .stddev = {data.stddev.begin(), data.stddev.end()},
               .shown = pixel_range(data),
               .parts = {}};
  for (std::size_t i = 0; i < kParts.size(); ++i) r.parts[i] = {data.split(kParts[i]).size(), data.digests[i]};
  return r;
}

std::string to_json_text(const DataRecord& r) {
  json parts = json::object();
  for (std::size_t i = 0; i < kParts.size(); ++i)
    parts[std::string(to_text(kParts[i]))] = {{"examples", r.parts[i].examples}, {"digest", hexadecimal(r.parts[i].digest)}};
  json modalities = json::array();
  for (const Modality& m : r.modalities) modalities.push_back({{"name", m.name}, {"shape", {m.shape.height, m.shape.width, m.shape.channels}}});
  const json j = {{"name", r.name},
                  {"provenance", r.provenance},
                  {"binarize", r.binarize},
                  {"shape", {r.shape.height, r.shape.width, r.shape.channels}},
                  {"is_image", r.is_image},
                  {"unit_range", r.unit_range},
                  {"counts", r.counts},
                  {"levels", r.levels},
                  {"classes", r.classes},
                  {"condition_size", r.condition_size},
                  {"column_names", r.column_names},
                  {"class_names", r.class_names},
                  {"condition_names", r.condition_names},
                  {"vocabulary", r.vocabulary},
                  {"token_separator", r.token_separator},
                  {"modalities", modalities},
                  {"mean", r.mean},
                  {"stddev", r.stddev},
                  {"shown", {double(r.shown.first), double(r.shown.second)}},
                  {"parts", parts}};
  return j.dump(-1, ' ', false, json::error_handler_t::replace);  // names in files may be no UTF-8
}

DataRecord read_data_record(const std::string& text, const std::string& source) {
  const json j = json::parse(text, nullptr, false);
  const RecordReader read(j, source);
  DataRecord r;
  r.name = read.text("name");
  r.provenance = read.text("provenance");
  r.binarize = read.text("binarize");
  r.shape = read.shape();
  r.is_image = read.flag("is_image");
  r.unit_range = read.flag("unit_range");
  r.counts = read.has("counts") && read.flag("counts");  // records of earlier versions do without
  r.levels = static_cast<int>(read.integer("levels", 0, 1 << 30));
  r.classes = static_cast<int>(read.integer("classes", 0, 1 << 30));
  r.condition_size = read.integer("condition_size", 0, 1 << 30);
  r.column_names = read.texts("column_names");
  r.class_names = read.texts("class_names");
  r.condition_names = read.texts("condition_names");
  if (read.has("vocabulary")) {  // records of earlier versions do without
    r.vocabulary = read.texts("vocabulary");
    r.token_separator = read.text("token_separator");
  }
  if (read.has("modalities")) r.modalities = modalities_of(read.at("modalities"), r.shape, read, source);
  r.mean = read.numbers("mean", -std::numeric_limits<double>::max());
  r.stddev = read.numbers("stddev", std::numeric_limits<double>::denorm_min());
  const auto width = static_cast<std::size_t>(r.shape.size());
  if (r.mean.size() != r.stddev.size() || (!r.mean.empty() && r.mean.size() != width))
    read.fail("has means and deviations of other columns than it has");
  const std::vector<double> shown = read.numbers("shown", -std::numeric_limits<double>::max());
  if (shown.size() != 2 || !(shown[0] < shown[1])) read.fail("has a \"shown\" that is no range");
  r.shown = {static_cast<float>(shown[0]), static_cast<float>(shown[1])};
  const RecordReader parts(read.at("parts"), source);
  for (std::size_t i = 0; i < kParts.size(); ++i) {
    const RecordReader part(parts.at(std::string(to_text(kParts[i])).c_str()), source);
    const auto digest = from_hexadecimal(part.text("digest"));
    if (!digest) part.fail("has a \"digest\" that is none");
    r.parts[i] = {part.integer("examples", 0, kMostNumbers), *digest};
  }
  return r;
}

Dataset without_examples(const DataRecord& r) {
  Dataset data;
  data.name = r.name;
  data.provenance = r.provenance;
  data.shape = r.shape;
  data.is_image = r.is_image;
  data.unit_range = r.unit_range;
  data.counts = r.counts;
  data.levels = r.levels;
  data.classes = r.classes;
  data.column_names = r.column_names;
  data.class_names = r.class_names;
  data.condition_names = r.condition_names;
  data.vocabulary = r.vocabulary;
  data.token_separator = r.token_separator;
  data.modalities = r.modalities;
  data.binarize = r.binarize == "none" ? Binarize::none : r.binarize == "static" ? Binarize::fixed : Binarize::dynamic;
  data.mean.assign(r.mean.begin(), r.mean.end());
  data.stddev.assign(r.stddev.begin(), r.stddev.end());
  data.shown = r.shown;
  data.left_out = r.parts[0].examples;
  data.train = Examples(std::vector<Real>(), r.shape.size());
  if (r.condition_size > 0) data.train.set_conditions({}, r.condition_size);
  return data;
}

std::optional<std::string> misfit(const DataRecord& then, const DataRecord& now) {
  const auto differs = [&](const char* what, const std::string& before, const std::string& after) {
    return cat(source_of(now), " has ", what, " ", after, ", and the data that this run was trained on had ", before);
  };
  if (then.shape != now.shape) return differs("examples of", shape_text(then.shape), shape_text(now.shape));
  if (then.column_names != now.column_names) {
    const auto text = [](const std::vector<std::string>& names) { return names.empty() ? "without names" : listed(names, 10); };
    return differs("the columns", text(then.column_names), text(now.column_names));
  }
  if (then.modalities != now.modalities) {
    const auto text = [](const std::vector<Modality>& modalities) {
      std::vector<std::string> names;
      for (const Modality& m : modalities) names.push_back(cat(m.name, " of ", m.shape.size(), " numbers"));
      return names.empty() ? "none" : listed(names, 8);
    };
    return differs("the modalities", text(then.modalities), text(now.modalities));
  }
  if (then.classes != now.classes || then.class_names != now.class_names)
    return differs("the classes", names_text(then.class_names, then.classes), names_text(now.class_names, now.classes));
  if (then.condition_size != now.condition_size || then.condition_names != now.condition_names)
    return differs("the conditions", names_text(then.condition_names, static_cast<int>(then.condition_size)),
                   names_text(now.condition_names, static_cast<int>(now.condition_size)));
  return std::nullopt;
}

std::optional<std::string> difference(const DataRecord& then, const DataRecord& now) {
  if (const auto sentence = misfit(then, now)) return sentence;
  const auto differs = [&](const std::string& how) {
    return cat(source_of(now), " is not what this run was trained on (", how, ")");
  };
  if (then.name != now.name) return differs(cat(excerpt(then.name), " then, ", excerpt(now.name), " now"));
  if (total(then) != total(now)) return differs(cat(total(then), " examples then, ", total(now), " now"));
  for (std::size_t i = 0; i < kParts.size(); ++i)
    if (then.parts[i].examples != now.parts[i].examples)
      return differs(cat(then.parts[i].examples, " ", std::string(to_text(kParts[i])), " examples then, ", now.parts[i].examples, " now"));
  if (then.parts != now.parts) return differs(cat("as many examples as then, but other values or another order"));
  if (then.binarize != now.binarize) return differs(cat("binarised ", excerpt(then.binarize), " then, ", now.binarize, " now"));
  return std::nullopt;
}

}  // namespace vaezoo
