// What README, help, comments and messages tell to type or to open exists and works.
#include <doctest/doctest.h>
#include <glob.h>

#include <algorithm>
#include <iterator>
#include <regex>
#include <sstream>

#include "config/shared_schema.hpp"
#include "datasets/config.hpp"
#include "experiments/runner/errors.hpp"
#include "tests/zoo/runner_support.hpp"

using namespace vaezoo;
using namespace test_support;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

struct Line {
  std::string file, text;
  int number;
};

bool ends_in(const std::string& name, std::initializer_list<const char*> endings) {
  return std::ranges::any_of(endings, [&](const char* ending) { return name.ends_with(ending); });
}

/// What people read: whole documents and scripts; of sources the comments and the strings.
std::vector<Line> read_by_people() {
  static const std::regex said(R"re("(?:[^"\\]|\\.)*"|//.*)re");
  std::vector<fs::path> files{"README.md"};
  for (const char* folder : {"autodiff", "models", "datasets", "config", "experiments", "benchmarks", "scripts"})
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
      if (entry.is_regular_file() && (fs::path(folder) == "scripts" || ends_in(entry.path().string(), {".md", ".hpp", ".cpp"})))
        files.push_back(entry.path());
  std::vector<Line> lines;
  for (const fs::path& file : files) {
    const bool source = ends_in(file.string(), {".hpp", ".cpp"});
    std::istringstream text(read_file(file));
    int number = 0;
    for (std::string line; std::getline(text, line);) {
      ++number;
      if (!source) lines.push_back({file.string(), line, number});
      if (!source || line.starts_with("#include")) continue;
      for (std::sregex_iterator part(line.begin(), line.end(), said), end; part != end; ++part)
        lines.push_back({file.string(), part->str(), number});
    }
  }
  return lines;
}

/// The matches that do not begin in the middle of something longer: after a letter or one of `no_start`.
std::vector<std::string> whole_matches(const std::string& text, const std::regex& pattern, const std::string& no_start) {
  std::vector<std::string> found;
  for (std::sregex_iterator m(text.begin(), text.end(), pattern), end; m != end; ++m) {
    const auto at = static_cast<std::size_t>(m->position());
    const char before = at == 0 ? ' ' : text[at - 1];
    if (!std::isalnum(static_cast<unsigned char>(before)) && no_start.find(before) == std::string::npos) found.push_back(m->str());
  }
  return found;
}

std::vector<std::string> expand(const std::string& pattern) {
  glob_t found;
  std::vector<std::string> files;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  return files;
}

/// Does the schema have the key, in any of the alternatives on the way?
bool has_key(const json& schema, const std::vector<std::string>& keys, std::size_t at = 0) {
  if (at == keys.size()) return true;
  if (!schema.contains("oneOf")) {
    if (schema.contains("properties") && schema["properties"].contains(keys[at]))
      return has_key(schema["properties"][keys[at]], keys, at + 1);
    return schema.contains("additionalProperties") && schema["additionalProperties"].is_object() &&
           has_key(schema["additionalProperties"], keys, at + 1);
  }
  return std::ranges::any_of(schema["oneOf"], [&](const json& alternative) { return has_key(alternative, keys, at); });
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

struct Finished {
  int code;
  std::string output;
};
Finished run_program(const std::vector<std::string>& arguments, const TempFolder& temp) {
  Child child(arguments, temp / "output.txt");
  const int code = child.wait();
  return {code, child.output()};
}

/// The commands of vaezoo in documents: lines of shell blocks, and what stands in `backticks`.
std::vector<std::string> documented_commands() {
  static const std::regex in_block(R"(^build/vaezoo ([a-z][^#`]*))"), in_text(R"(`(?:build/)?vaezoo ([a-z][^`]*)`)");
  std::vector<std::string> commands;
  for (const Line& line : read_by_people()) {
    std::smatch m;
    if (ends_in(line.file, {".md"}) && std::regex_search(line.text, m, in_block)) commands.push_back(m[1]);
    for (std::sregex_iterator i(line.text.begin(), line.text.end(), in_text), end; i != end; ++i) commands.push_back((*i)[1]);
  }
  return commands;
}

}  // namespace

TEST_CASE("documented: every path in documents, scripts, comments and messages exists") {
  static const std::regex path(R"((?:autodiff|models|datasets|config|experiments|tests|benchmarks|scripts|cmake)/[\w./*-]*[\w*])");
  int checked = 0;
  for (const Line& line : read_by_people())
    for (const std::string& name : whole_matches(line.text, path, "_/.$}-")) {
      ++checked;
      INFO(line.file, ":", line.number, ": ", name);
      const bool program = line.file.starts_with("benchmarks") && name == "benchmarks/step";  // of the build folder
      CHECK((program || !expand(name).empty()));
    }
  CHECK(checked > 50);
}

TEST_CASE("documented: every setting in documents, scripts, comments and messages exists") {
  static const std::regex key(R"((?:model|train|evaluate|dataset|output)(?:\.[a-z_][a-z_0-9]*)+)");
  const json schema = without_references(nlohmann::ordered_json::parse(experiment_schema_text()));
  int checked = 0;
  for (const Line& line : read_by_people())
    for (const std::string& name : whole_matches(line.text, key, "_.>]")) {
      const std::vector<std::string> keys = split(name, '.');
      if (keys[1] == "hpp" || keys[1] == "cpp" || keys[1] == "alternatives") continue;  // files; a member function in a comment
      ++checked;
      INFO(line.file, ":", line.number, ": ", name);
      CHECK(has_key(schema, keys));
    }
  CHECK(checked > 10);
}

TEST_CASE("documented: every KEY=VALUE that is shown can be set in the first experiment") {
  static const std::regex assignment(R"((?:model|train|evaluate|dataset|output|seed|name)(?:\.[a-z_][a-z_0-9]*)*=[^\s"'`,;)\\]+)");
  int checked = 0;
  for (const Line& line : read_by_people())
    for (std::string text : whole_matches(line.text, assignment, "_.>]?&")) {
      if (text.ends_with("...") || text.ends_with("=N")) continue;  // in the place of any value
      while (text.ends_with(':') || text.ends_with('.')) text.pop_back();
      ++checked;
      INFO(line.file, ":", line.number, ": ", text);
      CHECK_NOTHROW(load_experiment("experiments/quickstart.json", {text}));
    }
  CHECK(checked > 5);
}

TEST_CASE("documented: every command in the documents works; of a training the configuration") {
  const TempFolder temp;
  REQUIRE(run(tiny_experiment(), temp / "run") == kDone);
  std::vector<std::string> downloadable;
  for (const DatasetInfo& set : dataset_list())
    if (set.downloadable) downloadable.push_back(set.name);
  int checked = 0;
  for (const std::string& command : documented_commands()) {
    INFO("vaezoo ", command);
    std::vector<std::string> words;
    for (const std::string& word : split(command.substr(0, command.find(" > ")), ' ')) {
      const std::vector<std::string> files = expand(word);
      words.insert(words.end(), files.begin(), files.end());
      if (files.empty()) words.push_back(word);
    }
    const std::string name = words[0];
    const bool has_placeholder = std::ranges::any_of(words, [](const std::string& w) { return w == "NAME" || w == "RUN" || w == "FILE"; });
    if (words.size() == 1 || has_placeholder) {  // the command is spoken of
      CHECK(run_program({name, "--help"}, temp).code == kDone);
    } else if (name == "run" || name == "sweep") {
      words[0] = "validate";
      for (const char* option : {"--out", "--jobs"})
        if (const auto at = std::ranges::find(words, option); at != words.end()) words.erase(at, at + 2);
      const Finished finished = run_program(words, temp);
      INFO(finished.output);
      CHECK(finished.code == kDone);
    } else if (name == "download") {
      CHECK(std::ranges::find(downloadable, words[1]) != downloadable.end());
    } else {
      for (const char* of_a_run : {"resume", "evaluate", "sample", "reconstruct", "encode", "decode"})
        if (name == of_a_run) {
          const std::string folder = words[1];  // files in it may follow
          for (std::string& word : words)
            if (word.starts_with(folder)) word.replace(0, folder.size(), (temp / "run").string());
        }
      const Finished finished = run_program(words, temp);
      INFO(finished.output);
      CHECK(finished.code == kDone);
    }
    ++checked;
  }
  CHECK(checked > 10);
}

TEST_CASE("documented: the experiments are plain JSON, without comments, and say what they are about") {
  int files = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator("experiments")) {
    if (entry.path().extension() != ".json" || entry.path().filename() == "schema.json") continue;
    ++files;
    CAPTURE(entry.path().string());
    const json value = json::parse(read_file(entry.path()), nullptr, false);
    CHECK_FALSE(value.is_discarded());
    if (!value.is_discarded()) CHECK(value.value("description", "").size() > 20);
  }
  CHECK(files > 50);
}
