#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "config/document.hpp"
#include "config/json.hpp"
#include "config/suggest.hpp"
#include "tests/zoo/config_examples.hpp"

using namespace vaezoo;
using namespace vaezoo::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

std::string syntax_error(const std::string& text) {
  return error_of([&] { (void)parse_json(text, "f.json"); });
}

/// A folder of files that goes away with the test.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("vaezoo_config_" + std::to_string(std::hash<const void*>{}(this)))) {
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string file(const std::string& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path(name);
  }
  std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

json merged(json lower, const json& upper) {
  merge(lower, upper);
  return lower;
}

json with(json config, const std::string& assignment) {
  apply_override(config, assignment);
  return config;
}

}  // namespace

TEST_CASE("parse_json reads JSON with comments and a byte order mark") {
  CHECK(parse_json("\xEF\xBB\xBF{\"a\": [1, 2.5, -3, true, null, \"\\u00e9\"] /* why */ } // end", "f") ==
        json{{"a", {1, 2.5, -3, true, nullptr, "\xC3\xA9"}}});
  CHECK(parse_json("18446744073709551615", "f").get<std::uint64_t>() == 18446744073709551615u);
  CHECK(parse_json("{\"a\": {}, \"b\": [[], {}]}", "f").dump() == R"({"a":{},"b":[[],{}]})");
}

TEST_CASE("parse_json says where the syntax is wrong and what was expected") {
  CHECK(syntax_error("") == "f.json:1:1: the file is empty; the shortest configuration is {}");
  CHECK(syntax_error("{") == "f.json:1:2: expected a key in double quotes, found the end of the file");
  CHECK(syntax_error("{\"a\": 1,}") == "f.json:1:9: the comma before '}' must go");
  CHECK(syntax_error("{\"a\": [1,\n 2,\n]}") == "f.json:3:1: the comma before ']' must go");
  CHECK(syntax_error("{\n  \"a\" 1}") == "f.json:2:7: expected ':', found 1");
  CHECK(syntax_error("{\"a\": 1\n \"b\": 2}") == "f.json:2:2: expected ',' or '}', found \"b\"");
  CHECK(syntax_error("[1 2]") == "f.json:1:4: expected ',' or ']', found 2");
  CHECK(syntax_error("{a: 1}") == "f.json:1:2: expected a key in double quotes, found a");
  CHECK(syntax_error("{'a': 1}") == "f.json:1:2: strings and keys need double quotes");
  CHECK(syntax_error("{\"a\": True}") == "f.json:1:7: expected a value, found True; did you mean true?");
  CHECK(syntax_error("{\"a\": None}") == "f.json:1:7: expected a value, found None; did you mean null?");
  CHECK(syntax_error("{\"a\": adam}") ==
        "f.json:1:7: adam is not a JSON value; strings need double quotes, and there is no NaN or Infinity");
  CHECK(syntax_error("{\"a\": NaN}") ==
        "f.json:1:7: NaN is not a JSON value; strings need double quotes, and there is no NaN or Infinity");
  CHECK(syntax_error("{\"a\": -Infinity}") == "f.json:1:7: -Infinity is not a number as JSON writes it");
  CHECK(syntax_error("{\"a\": .5}") == "f.json:1:7: .5 is not a number as JSON writes it");
  CHECK(syntax_error("{\"a\": 1.}") == "f.json:1:7: 1. is not a number as JSON writes it");
  CHECK(syntax_error("{\"a\": 1e400}") == "f.json:1:7: the number 1e400 is too large");
  CHECK(syntax_error("{\"a\": \"b\n\"}") == "f.json:1:7: this string has no closing quote on its line");
  CHECK(syntax_error("{\"a\": 1}}") == "f.json:1:9: expected nothing more, found }");
  CHECK(syntax_error("/* no end").starts_with("f.json:1:"));
  CHECK(syntax_error(std::string("{\"a\": \0}", 8)) == "f.json:1:7: expected a value, found a zero byte");
  CHECK(syntax_error("{\"\xC3\xA9\": x}") ==  // the column counts characters, not bytes
        "f.json:1:7: x is not a JSON value; strings need double quotes, and there is no NaN or Infinity");
}

TEST_CASE("parse_json refuses a key that is given twice, and names its path") {
  CHECK(syntax_error(R"({"a": 1, "a": 1})") == "f.json: a: given twice");
  CHECK(syntax_error(R"({"model": {"beta": 1, "nets": [{"k": 1, "k": 2}]}})") == "f.json: model.nets.k: given twice");
  CHECK(syntax_error(R"({"a": {"k": 1}, "b": {"k": 1}})").empty());
}

TEST_CASE("parse_json stops at 64 levels, however deep the nesting goes") {
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  CHECK(syntax_error(std::string(100000, '[')) == "f.json: nested deeper than 64 levels");
  CHECK(syntax_error(objects) == "f.json: nested deeper than 64 levels");
  CHECK(syntax_error(std::string(64, '[') + std::string(64, ']')).empty());
}

TEST_CASE("parse_json survives every truncation and every changed byte of a file") {
  const std::string text = "{\"a\": [1, -2.5e3, true, null], /* c */ \"b\\u00e9\": {\"c\": \"d\\\"\"}} // e";
  for (std::size_t i = 0; i < text.size(); ++i) {
    (void)syntax_error(text.substr(0, i));
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = text;
      changed[i] = static_cast<char>(byte);
      const std::string error = syntax_error(changed);
      CHECK((error.empty() || error.starts_with("f.json:")));
      CHECK(error.find('\n') == std::string::npos);
    }
  }
}

TEST_CASE("read_json says why a file cannot be read") {
  const Folder folder;
  CHECK(error_of([&] { (void)read_json(folder.path("none.json")); }) == folder.path("none.json") + ": no such file");
  CHECK(error_of([&] { (void)read_json(folder.path("")); }) == folder.path("") + ": not a file");
}

TEST_CASE("merge: objects merge, all else replaces, and another name replaces a tagged object") {
  CHECK(merged({{"m", {{"a", 1}, {"b", 2}}}}, {{"m", {{"b", 3}}}}) == json{{"m", {{"a", 1}, {"b", 3}}}});
  CHECK(merged({{"l", {1, 2}}}, {{"l", {3}}}) == json{{"l", {3}}});
  CHECK(merged({{"o", {{"name", "adam"}, {"beta1", 0.5}}}}, {{"o", {{"name", "sgd"}}}}) == json{{"o", {{"name", "sgd"}}}});
  CHECK(merged({{"o", {{"name", "adam"}, {"a", 1}}}}, {{"o", {{"name", "adam"}, {"b", 2}}}}) ==
        json{{"o", {{"name", "adam"}, {"a", 1}, {"b", 2}}}});
  CHECK(merged({{"o", "adam"}}, {{"o", {{"beta1", 0.5}}}}) == json{{"o", {{"name", "adam"}, {"beta1", 0.5}}}});
  CHECK(merged({{"o", {{"name", "adam"}, {"a", 1}}}}, {{"o", "adam"}}) == json{{"o", "adam"}});
  CHECK(merged({{"name", "one run"}, {"a", 1}}, {{"name", "another"}}) ==
        json{{"name", "another"}, {"a", 1}});  // the root has no tag
}

TEST_CASE("extends: a file changes another one, relative to itself, over several steps") {
  const Folder folder;
  folder.file("base/root.json", R"({"seed": 1, "model": {"beta": 2, "hidden": [10]}, "optimizer": "sgd"})");
  folder.file("base/middle.json", R"({"extends": "root.json", "model": {"beta": 3}})");
  const Document document = Document::from_file(
      folder.file("exp.json", R"({"$schema": "s.json", "extends": "base/middle.json", "optimizer": {"momentum": 0.5}})"));
  const Experiment read = read_config<Experiment>(document);
  CHECK(read.seed == 1);
  CHECK(read.model.beta == 3);
  CHECK(read.model.hidden == std::vector<std::int64_t>{10});
  CHECK(read.optimizer == "sgd");
  CHECK(read.sgd.momentum == 0.5);
  CHECK_FALSE(document.value().contains("extends"));
}

TEST_CASE("extends: cycles, missing files and wrong types are errors") {
  const Folder folder;
  const std::string a = folder.file("a.json", R"({"extends": "b.json"})");
  const std::string b = folder.file("b.json", R"({"extends": "./a.json"})");
  CHECK(error_of([&] { (void)Document::from_file(a); }) == b + ": extends: \"./a.json\" leads back to itself");
  const std::string c = folder.file("c.json", R"({"extends": "none.json"})");
  CHECK(error_of([&] { (void)Document::from_file(c); }) == c + ": extends: no file " + folder.path("none.json"));
  const std::string d = folder.file("d.json", R"({"extends": 3})");
  CHECK(error_of([&] { (void)Document::from_file(d); }) == d + ": extends: expected the path of a file, got 3");
  const std::string e = folder.file("e.json", "[1]");
  CHECK(error_of([&] { (void)Document::from_file(e); }) == e + ": expected an object { ... }, got a list");
}

TEST_CASE("an error names the file or the override that said the wrong thing") {
  const Folder folder;
  const std::string base = folder.file("base.json", R"({"model": {"beta": -1, "latent_dim": 3}})");
  const std::string top = folder.file("top.json", R"({"extends": "base.json", "model": {"latent_dim": 2}})");
  Document document = Document::from_file(top);
  const auto error = [&] { return error_of([&] { (void)read_config<Experiment>(document); }); };
  CHECK(error() == base + ": model.beta: must be at least 0, got -1");
  document.set("model.beta=-2");
  CHECK(error() == "--set model.beta=-2: model.beta: must be at least 0, got -2");
  document.set("model.beta=1");
  document.set("model.latent_dim=0");
  CHECK(error() == "--set model.latent_dim=0: model.latent_dim: must be at least 1, got 0");
}

TEST_CASE("apply_override: the value is JSON or else a string, and objects on the way are made") {
  CHECK(with(json::object(), "model.beta=8") == json{{"model", {{"beta", 8}}}});
  CHECK(with({{"model", {{"beta", 1}, {"k", 2}}}}, "model.beta=0.5") == json{{"model", {{"beta", 0.5}, {"k", 2}}}});
  CHECK(with(json::object(), "a=[1,2]") == json{{"a", {1, 2}}});
  CHECK(with(json::object(), "a=adam") == json{{"a", "adam"}});
  CHECK(with(json::object(), "a=\"8\"") == json{{"a", "8"}});
  CHECK(with(json::object(), "a=null") == json{{"a", nullptr}});
  CHECK(with(json::object(), "a=") == json{{"a", ""}});
  CHECK(with(json::object(), "a=b=c") == json{{"a", "b=c"}});
  CHECK(with({{"o", "adam"}}, "o.learning_rate=1") == json{{"o", {{"name", "adam"}, {"learning_rate", 1}}}});
  CHECK(with({{"o", {{"name", "adam"}, {"beta1", 0.5}}}}, "o=sgd") == json{{"o", "sgd"}});
}

TEST_CASE("apply_override: what cannot be done gives one sentence") {
  const auto error = [](json config, const std::string& assignment) {
    return error_of([&] { apply_override(config, assignment); });
  };
  const json config = {{"train", {{"epochs", 10}}}};
  CHECK(error(config, "train.epochs") == "--set train.epochs: expected KEY=VALUE, for example model.latent_dim=2");
  CHECK(error(config, "=3") == "--set =3: expected KEY=VALUE, for example model.latent_dim=2");
  CHECK(error(config, "train..x=3") == "--set train..x=3: a key is empty; write for example model.latent_dim=2");
  CHECK(error(config, "train.epochs.x=3") == "--set train.epochs.x=3: train.epochs is 10 and has no key x");
  CHECK(error(config, "a={\"b\":1,\"b\":2}") == "--set a={\"b\":1,\"b\":2}: b: given twice");
  CHECK(error(config, "a=[1,2") == "--set a=[1,2:1:5: expected ',' or ']', found the end of the file");
  CHECK(error(config, "a=\xFF") == "--set a=\\xFF: the value is not UTF-8 text");
}

TEST_CASE("a copy of a document has overrides of its own") {
  Document one = Document::from_text("{\"seed\": 1}", "exp.json");
  const Document other = one;
  one.set("seed=2");
  CHECK(read_config<Experiment>(one).seed == 2);
  CHECK(read_config<Experiment>(other).seed == 1);
}

TEST_CASE("edit_distance counts insertions, deletions, substitutions and swaps of neighbours") {
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("adma", "adam") == 1);
  CHECK(edit_distance("beta", "beta") == 0);
}

TEST_CASE("nearest suggests only what is near") {
  const std::vector<std::string> keys = {"latent_dim", "hidden", "beta"};
  CHECK(nearest("latent_dims", keys) == "latent_dim");
  CHECK(nearest("Beta", keys) == "beta");
  CHECK(nearest("bate", keys) == std::nullopt);
  CHECK(nearest("zzz", keys) == std::nullopt);
  CHECK(nearest(std::string(100000, 'b'), keys) == std::nullopt);
}
