// Tables as text, gzipped or not. The first line says how they are read, a letter for each choice; the rest is the file.
#include "datasets/sources.hpp"
#include "tests/fuzz/fuzz.hpp"

FUZZ_TARGET(csv) {
  using namespace vaezoo;
  const std::string_view choices = fuzzing::take_until('\n', input);
  const auto has = [&](char letter) { return choices.find(letter) != std::string_view::npos; };
  const std::filesystem::path path = fuzzing::write_file("input.csv", input);
  CsvConfig config;
  config.train_file = "input.csv";
  if (has('t')) config.test_file = "input.csv";
  config.header = has('h');
  config.standardize = has('s');
  config.delimiter = has('b') ? " " : has('c') ? ";" : ",";
  if (has('l')) config.label = has('h') ? "class" : "0";
  if (has('k')) config.condition_columns = {has('h') ? "given" : "1"};
  fuzzing::may_refuse([&] { load_csv(config, fuzzing::folder()); });
}
