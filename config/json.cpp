#include "config/json.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "config/fields.hpp"
#include "config/printable.hpp"

namespace vaezoo {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::size_t kMaxDepth = 64;  // the deepest real configuration has about 6 levels; what reads them is recursive
constexpr std::uintmax_t kMaxBytes = 16u << 20;

/// "LINE:COLUMN" of a byte.
std::string position_of(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, byte);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  const auto characters = std::count_if(before.begin() + static_cast<std::ptrdiff_t>(line_start), before.end(),
                                        [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return std::to_string(line) + ":" + std::to_string(1 + characters);
}

struct Token {
  std::size_t start;
  std::string text;
};

/// The token that the parser was reading at `last`, the last byte it took. (Its own idea of the token begins too early after
/// brackets and literals, and ends too early inside an unknown word.)
Token token_at(std::string_view text, std::size_t last, bool in_string, bool in_word) {
  const auto is_word = [&](std::size_t i) {
    const auto c = static_cast<unsigned char>(text[i]);
    return std::isalnum(c) || c == '_' || c == '+' || c == '-' || c == '.' || c >= 0x80;
  };
  const bool closes_string = last < text.size() && text[last] == '"';
  if (in_string || closes_string) {
    std::size_t begin = last;
    do begin = text.rfind('"', begin - 1);
    while (begin != 0 && begin != std::string_view::npos && text[begin - 1] == '\\');
    if (begin != std::string_view::npos) return {begin, std::string(text.substr(begin, last + 1 - begin))};
  }
  if (in_word && last > 0 && (last >= text.size() || !is_word(last)) && is_word(last - 1)) --last;  // saw that the word had ended
  if (last >= text.size()) return {text.size(), ""};
  std::size_t begin = last, end = last + 1;
  if (is_word(last)) {
    while (begin > 0 && is_word(begin - 1)) --begin;
    while (end < text.size() && is_word(end)) ++end;
  }
  return {begin, std::string(text.substr(begin, end - begin))};
}

/// The word, when the parser met one that JSON does not have.
std::string about_word(const std::string& word, bool is_key) {
  if (word[0] == '\'') return "strings and keys need double quotes";
  if (is_key) return "expected a key in double quotes, found " + word;
  for (const auto& [python, meant] : {std::pair("True", "true"), std::pair("False", "false"), std::pair("None", "null")})
    if (word == python) return "expected a value, found " + word + "; did you mean " + meant + "?";
  if (std::isdigit(static_cast<unsigned char>(word[0])) || word[0] == '+' || word[0] == '-' || word[0] == '.')
    return word + " is not a number as JSON writes it";
  return word + " is not a JSON value; strings need double quotes, and there is no NaN or Infinity";
}

/// What the parser says, "... while parsing value - unexpected ']'; expected ...", as a sentence about `token`.
std::string plain_sentence(const std::string& what, const std::string& token, std::string_view before) {
  const auto says = [&](const char* part) { return what.find(part) != std::string::npos; };
  const std::size_t last = before.find_last_not_of(" \t\r\n");
  const char previous = last == std::string_view::npos ? '\0' : before[last];
  if (says("unexpected")) {
    if (previous == ',' && (token == "}" || token == "]")) return "the comma before '" + token + "' must go";
    const char* expected = says("; expected string literal") ? "a key in double quotes"
                           : says("; expected ':'")          ? "':'"
                           : says("; expected '}'")          ? "',' or '}'"
                           : says("; expected ']'")          ? "',' or ']'"
                           : says("; expected end of input") ? "nothing more"
                                                             : "a value";
    const std::string found = token.empty() ? "the end of the file" : token == "\\x00" ? "a zero byte" : token;
    return std::string("expected ") + expected + ", found " + found;
  }
  if (says("number overflow")) return "the number " + token + " is too large";
  if (says("invalid literal") && !token.empty()) return about_word(token, says("parsing object key"));
  if (says("missing closing quote") || says("U+000A") || says("U+000D")) return "this string has no closing quote on its line";
  if (says("invalid number")) return token + " is not a number as JSON writes it";
  const std::size_t dash = what.find(" - ");
  return dash == std::string::npos ? what : what.substr(dash + 3);
}

/// Builds the value from the parser's events.
class Builder final : public nlohmann::json_sax<json> {
 public:
  Builder(std::string_view text, const std::string& source) : text_(text), source_(source) {}

  json result;

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(json::number_integer_t value) override { return put(value); }
  bool number_unsigned(json::number_unsigned_t value) override { return put(value); }
  bool number_float(json::number_float_t value, const std::string&) override { return put(value); }
  bool string(std::string& value) override { return put(std::move(value)); }
  bool binary(json::binary_t&) override { return false; }  // JSON text has none
  bool start_object(std::size_t) override { return open(json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_array() override { return close(); }

  bool key(std::string& value) override {
    if (open_.back()->contains(value)) {
      std::string path;
      for (const std::string& part : keys_)
        if (!part.empty()) path = join_path(path, excerpt(part));
      throw ConfigError(source_ + ": " + join_path(path, excerpt(value)) + ": given twice");
    }
    key_ = std::move(value);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const json::exception& error) override {
    std::string what = error.what();
    what.resize(std::min(what.size(), what.find("; last read")));  // what follows is the file's text
    const bool in_string = what.find("invalid string") != std::string::npos;
    const bool in_word = what.find("invalid literal") != std::string::npos || what.find("invalid number") != std::string::npos;
    const Token found = token_at(text_, position == 0 ? 0 : position - 1, in_string, in_word);
    const std::string sentence = plain_sentence(what, excerpt(found.text), text_.substr(0, found.start));
    throw ConfigError(source_ + ":" + position_of(text_, found.start) + ": " + sentence);
  }

 private:
  json* place(json&& value) {
    if (open_.empty()) return &(result = std::move(value));
    json& parent = *open_.back();
    if (parent.is_object()) return &(parent[key_] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }
  bool put(json&& value) { return place(std::move(value)) != nullptr; }
  bool open(json&& value) {
    if (open_.size() == kMaxDepth) throw ConfigError(source_ + ": nested deeper than " + std::to_string(kMaxDepth) + " levels");
    keys_.push_back(!open_.empty() && open_.back()->is_object() ? key_ : "");
    open_.push_back(place(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }

  std::string_view text_;
  const std::string& source_;
  std::vector<json*> open_;
  std::vector<std::string> keys_;  // of the open objects and lists; "" for the root and for elements of lists
  std::string key_;
};

}  // namespace

json parse_json(std::string_view text, const std::string& source) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    throw ConfigError(source + ":1:1: the file is empty; the shortest configuration is {}");
  Builder builder(text, source);
  constexpr bool kStrict = true, kIgnoreComments = true;
  json::sax_parse(text.begin(), text.end(), &builder, json::input_format_t::json, kStrict, kIgnoreComments);
  return std::move(builder.result);
}

json read_json(const fs::path& file) {
  const std::string source = file.string();
  std::error_code error;
  if (!fs::exists(file, error)) throw ConfigError(source + ": no such file");
  if (!fs::is_regular_file(file, error)) throw ConfigError(source + ": not a file");
  if (fs::file_size(file, error) > kMaxBytes) throw ConfigError(source + ": larger than 16 MB, which no configuration is");
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw ConfigError(source + ": cannot be opened: " + std::strerror(errno));
  const std::string text(std::istreambuf_iterator<char>(stream), {});
  if (stream.bad()) throw ConfigError(source + ": cannot be read");
  return parse_json(text, source);
}

std::string shown(const json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  if (!value.is_string()) return value.dump();
  return "the string \"" + excerpt(value.get<std::string>()) + "\"";
}

std::string join_path(const std::string& parent, const std::string& key) { return parent.empty() ? key : parent + "." + key; }

}  // namespace vaezoo
