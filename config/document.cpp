#include "config/document.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/choice.hpp"
#include "config/fields.hpp"
#include "config/json.hpp"
#include "config/printable.hpp"
#include "config/suggest.hpp"

namespace vaezoo {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

bool names_another_choice(const json& lower, const json& upper) {
  const auto a = lower.find("name"), b = upper.find("name");
  return a != lower.end() && b != upper.end() && *a != *b;
}

void merge_below_root(json& lower, const json& upper) {
  if (lower.is_string() && upper.is_object()) lower = {{"name", lower}};
  if (!lower.is_object() || !upper.is_object() || names_another_choice(lower, upper))
    lower = upper;
  else
    merge(lower, upper);
}

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> keys(1);
  for (const char c : path) {
    if (c == '.')
      keys.emplace_back();
    else
      keys.back() += c;
  }
  return keys;
}

bool is_utf8(const std::string& text) {
  try {
    (void)json(text).dump();
    return true;
  } catch (const json::type_error&) {
    return false;
  }
}

json override_value(const std::string& text, const std::string& source) {
  if (!is_utf8(text)) throw ConfigError(source + ": the value is not UTF-8 text");
  const bool meant_as_json = !text.empty() && (text[0] == '{' || text[0] == '[' || text[0] == '"');
  return meant_as_json || json::accept(text) ? parse_json(text, source) : json(text);
}

struct Assignment {
  std::vector<std::string> keys;
  json value;
  std::string source;  // as errors name it
};

Assignment parse_assignment(const std::string& text) {
  const std::string source = "--set " + excerpt(text, 200);
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) throw ConfigError(source + ": expected KEY=VALUE, for example model.latent_dim=2");
  std::vector<std::string> keys = split_path(text.substr(0, equals));
  if (std::find(keys.begin(), keys.end(), "") != keys.end())
    throw ConfigError(source + ": a key is empty; write for example model.latent_dim=2");
  return {std::move(keys), override_value(text.substr(equals + 1), source), source};
}

/// {"a": {"b": value}} from the keys a, b.
json below(const std::vector<std::string>& keys, json value) {
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) value = json::object({{*key, std::move(value)}});
  return value;
}

/// {"model": {"latent_dim": 2}} from "model.latent_dim=2". Throws where the path runs through something in `config` that has no keys.
json override_layer(const json& config, const Assignment& assignment) {
  const auto& [keys, value, source] = assignment;
  const json* at = &config;
  std::string path;
  for (const std::string& key : keys) {
    const bool has_keys = at->is_object() || (at->is_string() && !path.empty());  // a bare string stands for {"name": string}
    if (!has_keys) {
      const std::string where = path.empty() ? "the configuration" : path;
      throw ConfigError(source + ": " + where + " is " + shown(*at) + " and has no key " + excerpt(key));
    }
    const auto found = at->find(key);
    if (!at->is_object() || found == at->end()) break;
    at = &*found;
    path = join_path(path, key);
  }
  return below(keys, value);
}

}  // namespace

void merge(json& lower, const json& upper) {
  for (const auto& [key, value] : upper.items()) {
    if (lower.contains(key))
      merge_below_root(lower[key], value);
    else
      lower[key] = value;
  }
}

void apply_override(json& config, const std::string& assignment) { merge(config, override_layer(config, parse_assignment(assignment))); }

Document Document::from_file(const fs::path& file) {
  Document document;
  document.file_ = file.string();
  json value = read_json(file);
  std::vector<fs::path> open_files = {fs::weakly_canonical(file)};
  document.push_with_bases(std::move(value), file.string(), file.parent_path(), open_files);
  return document;
}

Document Document::from_text(std::string_view text, const std::string& source) {
  Document document;
  document.file_ = source;
  std::vector<fs::path> open_files;
  document.push_with_bases(parse_json(text, source), source, "", open_files);
  return document;
}

Document Document::from_json(const json& value, const std::string& source) {
  Document document;
  document.file_ = source;
  document.push(value, source);
  return document;
}

void Document::set(const std::string& text) {
  const Assignment assignment = parse_assignment(text);
  push(override_layer(*merged_, assignment), assignment.source);
}

std::string Document::set(const std::string& text, const nlohmann::ordered_json& schema) {
  Assignment assignment = parse_assignment(text);
  json layer = override_layer(*merged_, assignment);
  std::vector<std::string> keys = assignment.keys;
  const bool renames = keys.size() > 1 && keys.back() == "name";
  if (renames) keys.pop_back();
  const auto replaced = choice_at(*merged_, schema, keys);
  if (replaced && renames && assignment.value != json(replaced->name) && assignment.value.is_string()) {
    const Rechosen rechosen = choose_again(*replaced, assignment.value.get<std::string>());
    push(below(keys, rechosen.value), assignment.source);
    json merged = *merged_;  // the object as it is now: the merge keeps what stood under an old choice without a name
    json* at = &merged;
    for (const std::string& key : keys) at = &(*at)[key];
    *at = rechosen.value;
    merged_ = std::make_shared<const json>(std::move(merged));
    return rechosen.note.empty() ? "" : assignment.source + ": " + rechosen.note;
  }
  std::string note;
  if (replaced && !renames) {
    const std::vector<std::string> lost = replaced_settings(*replaced, assignment.value);
    if (!lost.empty())
      note = assignment.source + ": defaults take the place of the settings that were given, " + joined(lost) + "; " +
             joined(keys, ".") + ".name=... keeps those that both choices have";
  }
  push(std::move(layer), assignment.source);
  return note;
}

std::string Document::take(const std::string& key) {
  if (!merged_->contains(key)) return "";
  std::string text = (*merged_)[key].dump();
  const auto without = [&](const json& value) {
    json rest = value;
    rest.erase(key);
    return std::make_shared<const json>(std::move(rest));
  };
  merged_ = without(*merged_);
  for (Layer& layer : layers_) layer.value = without(*layer.value);
  return text;
}

void Document::push(json value, const std::string& source) {
  if (!value.is_object()) throw ConfigError(source + ": expected an object { ... }, got " + shown(value));
  json merged = layers_.empty() ? json::object() : *merged_;
  merge(merged, value);
  merged_ = std::make_shared<const json>(std::move(merged));  // a new one, for copies of the document share the old one
  layers_.push_back({source, std::make_shared<const json>(std::move(value))});
}

void Document::push_with_bases(json value, const std::string& source, const fs::path& folder, std::vector<fs::path>& open_files) {
  if (value.is_object()) {
    value.erase("$schema");
    if (const auto extends = value.find("extends"); extends != value.end()) {
      if (!extends->is_string()) throw ConfigError(source + ": extends: expected the path of a file, got " + shown(*extends));
      const fs::path base = folder / fs::path(extends->get<std::string>());
      const fs::path base_file = fs::weakly_canonical(base);
      if (std::find(open_files.begin(), open_files.end(), base_file) != open_files.end())
        throw ConfigError(source + ": extends: \"" + excerpt(extends->get<std::string>()) + "\" leads back to itself");
      if (!fs::exists(base)) throw ConfigError(source + ": extends: no file " + excerpt(base.string(), 200));
      open_files.push_back(base_file);
      push_with_bases(read_json(base), base.string(), base.parent_path(), open_files);
      open_files.pop_back();
      value.erase("extends");
    }
  }
  push(std::move(value), source);
}

const std::string& Document::source_of(const std::vector<std::string>& path) const {
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
    const json* at = layer->value.get();
    const bool leads_there = std::all_of(path.begin(), path.end(), [&](const std::string& key) {
      const auto found = at->find(key);  // end() when *at is no object
      if (found == at->end()) return false;
      at = &*found;
      return true;
    });
    if (leads_there && !path.empty()) return layer->source;
  }
  return file_;
}

}  // namespace vaezoo
