#pragma once
// Sequences of tokens: lines of text, and sentences of a grammar whose entropy is known.
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "config/fields.hpp"
#include "datasets/dataset.hpp"

namespace vaezoo {

/// Lines of a text file, each a sequence of words or of characters.
struct TextConfig {
  std::string train_file = {}, validation_file = {}, test_file = {};
  std::string tokens = "words";
  std::int64_t max_length = 30, vocabulary = 10'000;
  bool lowercase = false;

  /// Not of the JSON: the vocabulary of a trained model, in the place of that of the training file.
  std::vector<std::string> known = {};

  void fields(Fields& f);
};

/// The vocabulary is "<end>", "<unk>" and the most frequent tokens of the training file. Longer lines are cut at max_length, with
/// a warning; empty lines are left out. Characters are those of UTF-8. Throws DataError when there are no lines.
Dataset load_text(const TextConfig& config, const std::filesystem::path& data_dir);

struct GrammarConfig {
  std::int64_t size = 10'000;
  double noise = 0;

  void fields(Fields& f);
};

/// Sentences of 8 tokens: one of 8 classes is drawn, then each token from the 4 of its class, or with probability `noise` from
/// all 32. Without noise the entropy is log 8 + 8 log 4 = 13.17 nats; the exact log p(x) is known with noise too. The label is
/// the class.
Dataset load_grammar(const GrammarConfig& config, Key key);

/// The tokens of a row [T] up to its end, as text.
std::string text_of(const Dataset& data, std::span<const float> row);
/// The same of rows [N, T], a line each.
std::vector<std::string> lines_of(const Dataset& data, const std::vector<float>& rows);

}  // namespace vaezoo
