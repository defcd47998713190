#include "datasets/text.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <sstream>
#include <unordered_map>

#include "autodiff/check.hpp"
#include "datasets/input_file.hpp"
#include "datasets/sources.hpp"

namespace vaezoo {
namespace {

constexpr Index kUnknown = 1;

/// Words between blanks, or the characters of UTF-8; bytes that are none stand for themselves.
std::vector<std::string> tokens_of(const std::string& line, bool words) {
  std::vector<std::string> tokens;
  if (words) {
    std::istringstream in(line);
    for (std::string word; in >> word;) tokens.push_back(std::move(word));
    return tokens;
  }
  for (std::size_t i = 0; i < line.size();) {
    const auto lead = static_cast<unsigned char>(line[i]);
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    tokens.push_back(line.substr(i, length));
    i += length;
  }
  return tokens;
}

using Lines = std::vector<std::vector<std::string>>;

Lines read_lines(const TextConfig& config, const std::string& file, const std::filesystem::path& data_dir) {
  const auto in = open_file(find_data_file(file, data_dir));
  std::istringstream text(in->read_all());
  Lines lines;
  for (std::string line; std::getline(text, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (config.lowercase)
      std::ranges::transform(line, line.begin(),
                             [](unsigned char c) { return c < 128 ? static_cast<char>(std::tolower(c)) : static_cast<char>(c); });
    std::vector<std::string> tokens = tokens_of(line, config.tokens == "words");
    if (!tokens.empty()) lines.push_back(std::move(tokens));
  }
  if (lines.empty()) in->fail("has no lines with text");
  return lines;
}

std::vector<std::string> vocabulary_of(const Lines& lines, Index size) {
  std::map<std::string, Index> count;
  for (const auto& line : lines)
    for (const std::string& token : line) ++count[token];
  std::vector<std::pair<std::string, Index>> all(count.begin(), count.end());
  std::ranges::stable_sort(all, [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::string> vocabulary{"<end>", "<unk>"};
  for (const auto& [token, times] : all)
    if (std::ssize(vocabulary) < size) vocabulary.push_back(token);
  return vocabulary;
}

}  // namespace

void TextConfig::fields(Fields& f) {
  f("train_file", train_file, "a line for each example; a relative path is looked for in the data directory");
  f("validation_file", validation_file, "the same for validation; empty: none");
  f("test_file", test_file, "the same for the test split; empty: none");
  f.choice("tokens", tokens, {"words", "characters"}, "words stand between blanks");
  f("max_length", max_length, "tokens of an example at most; longer lines are cut", between(1, 100'000));
  f("vocabulary", vocabulary, "tokens at most, with <end> and <unk>, which stands for the rarer ones", between(3, 1'000'000));
  f("lowercase", lowercase, "A to Z become a to z");
}

Dataset load_text(const TextConfig& config, const std::filesystem::path& data_dir) {
  if (config.train_file.empty()) throw ConfigError("dataset.train_file: needs the name of a text file");
  Dataset data;
  data.provenance = config.train_file;
  const Lines training = read_lines(config, config.train_file, data_dir);
  data.vocabulary = config.known.empty() ? vocabulary_of(training, config.vocabulary) : config.known;
  data.token_separator = config.tokens == "words" ? " " : "";
  data.shape = {1, config.max_length + 1, 1};
  std::unordered_map<std::string, Index> number;
  for (std::size_t k = 2; k < data.vocabulary.size(); ++k) number.emplace(data.vocabulary[k], static_cast<Index>(k));
  const auto examples = [&](const Lines& lines, const std::string& file) {
    const auto width = static_cast<std::size_t>(data.shape.width);
    std::vector<Real> x(lines.size() * width, 0);
    Index cut = 0, unknown = 0;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      cut += std::ssize(lines[i]) > config.max_length;
      for (std::size_t t = 0; t < std::min(lines[i].size(), width - 1); ++t) {
        const auto found = number.find(lines[i][t]);
        unknown += found == number.end();
        x[i * width + t] = static_cast<Real>(found == number.end() ? kUnknown : found->second);
      }
    }
    if (cut > 0)
      data.warnings.push_back(ad::cat(file, ": ", cut, " of ", lines.size(), " lines were cut after ", config.max_length,
                                      " tokens (dataset.max_length)"));
    if (unknown > 0)
      data.warnings.push_back(
          ad::cat(file, ": ", unknown, " tokens are not in the vocabulary of ", data.vocabulary.size(), " and count as <unk>"));
    return Examples(std::move(x), data.shape.width);
  };
  data.train = examples(training, config.train_file);
  if (!config.validation_file.empty())
    data.validation = examples(read_lines(config, config.validation_file, data_dir), config.validation_file);
  if (!config.test_file.empty()) data.test = examples(read_lines(config, config.test_file, data_dir), config.test_file);
  return data;
}

void GrammarConfig::fields(Fields& f) {
  f("size", size, "number of examples", between(1, 100'000'000));
  f("noise", noise, "probability that a token is drawn from all 32", between(0, 1));
}

Dataset load_grammar(const GrammarConfig& config, Key key) {
  constexpr Index kClasses = 8, kEach = 4, kLength = 8;
  Dataset data;
  data.provenance = "drawn by vaezoo from a grammar";
  data.shape = {1, kLength + 1, 1};
  data.classes = static_cast<int>(kClasses);
  data.vocabulary = {"<end>"};
  for (Index k = 0; k < kClasses; ++k)
    for (Index w = 0; w < kEach; ++w) data.vocabulary.push_back(std::string(1, static_cast<char>('a' + k)) + std::to_string(w));
  data.token_separator = " ";
  std::vector<Real> x(static_cast<std::size_t>(config.size * data.shape.width), 0), noise(static_cast<std::size_t>(kLength));
  std::vector<int> labels;
  for (Index i = 0; i < config.size; ++i) {
    const Key own = key.fold(static_cast<std::uint64_t>(i));
    const auto k = static_cast<Index>(ad::uniform_integer(own.fold("class"), kClasses));
    labels.push_back(static_cast<int>(k));
    ad::fill_uniform(own.fold("noise"), noise);
    for (Index t = 0; t < kLength; ++t) {
      const bool any = double(noise[static_cast<std::size_t>(t)]) < config.noise;
      const auto drawn = static_cast<Index>(
          ad::uniform_integer(own.fold("token").fold(static_cast<std::uint64_t>(t)), any ? kClasses * kEach : kEach));
      x[static_cast<std::size_t>(i * data.shape.width + t)] = static_cast<Real>(1 + (any ? drawn : k * kEach + drawn));
    }
  }
  data.train = Examples(std::move(x), data.shape.width, std::move(labels));
  data.log_density = [noise = config.noise](std::span<const Real> row) {
    double total = 0;
    for (Index k = 0; k < kClasses; ++k) {
      double product = 1.0 / kClasses;
      for (Index t = 0; t < kLength; ++t) {
        const auto token = static_cast<Index>(row[static_cast<std::size_t>(t)]) - 1;
        if (token < 0) return -std::numeric_limits<double>::infinity();
        product *= (token / kEach == k ? (1 - noise) / kEach : 0) + noise / (kClasses * kEach);
      }
      total += product;
    }
    return std::log(total);
  };
  return data;
}

std::string text_of(const Dataset& data, std::span<const float> row) {
  std::string text;
  for (std::size_t t = 0; t < row.size() && row[t] != 0; ++t)
    text += (t > 0 ? data.token_separator : "") + data.vocabulary.at(static_cast<std::size_t>(row[t]));
  return text;
}

std::vector<std::string> lines_of(const Dataset& data, const std::vector<float>& rows) {
  std::vector<std::string> lines;
  const auto size = static_cast<std::size_t>(data.shape.size());
  for (std::size_t i = 0; i + size <= rows.size(); i += size) lines.push_back(text_of(data, std::span(rows).subspan(i, size)));
  return lines;
}

}  // namespace vaezoo
