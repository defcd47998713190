#include <doctest/doctest.h>

#include <cmath>

#include "datasets/text.hpp"
#include "tests/zoo/datasets_support.hpp"

using namespace vaezoo;
using namespace test_support;

namespace {

std::vector<std::string> lines(const Dataset& data, const Examples& part) {
  std::vector<float> rows;
  std::vector<Real> row(static_cast<std::size_t>(data.shape.size()));
  for (Index i = 0; i < part.size(); ++i) {
    part.read(i, row);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return lines_of(data, rows);
}

}  // namespace

TEST_CASE(
    "text: words come back as they were; rare ones are <unk>, long lines are cut, both with a warning; empty lines are left "
    "out") {
  const TempFolder folder;
  write(folder / "a.txt", "the cat sat\n\nthe dog sat  on the mat\r\nthe cat\n");
  write(folder / "b.txt", "the bird\n");
  const Dataset data = load_text({.train_file = "a.txt", .test_file = "b.txt", .max_length = 4}, folder.path());
  CHECK(data.shape == ItemShape{1, 5, 1});
  CHECK(data.vocabulary == std::vector<std::string>{"<end>", "<unk>", "the", "cat", "sat", "dog", "mat", "on"});
  CHECK(lines(data, data.train) == std::vector<std::string>{"the cat sat", "the dog sat on", "the cat"});
  CHECK(lines(data, data.test) == std::vector<std::string>{"the <unk>"});
  REQUIRE(data.warnings.size() == 2);
  CHECK(data.warnings[0] == "a.txt: 1 of 3 lines were cut after 4 tokens (dataset.max_length)");
  CHECK(data.warnings[1] == "b.txt: 1 tokens are not in the vocabulary of 8 and count as <unk>");
  const Dataset few = load_text({.train_file = "a.txt", .vocabulary = 4}, folder.path());
  CHECK(lines(few, few.train)[1] == "the <unk> <unk> <unk> the <unk>");
}

TEST_CASE("text: characters are those of UTF-8") {
  const TempFolder folder;
  write(folder / "a.txt",
        "\xC3\xA4"
        "B\xE2\x82\xAC\n");
  const Dataset data =
      load_text({.train_file = "a.txt", .tokens = "characters", .max_length = 9, .lowercase = true}, folder.path());
  CHECK(data.vocabulary.size() == 5);
  CHECK(lines(data, data.train) == std::vector<std::string>{"\xC3\xA4"
                                                            "b\xE2\x82\xAC"});
}

TEST_CASE("text: files that are missing or without lines are named") {
  const TempFolder folder;
  write(folder / "a.txt", "\n  \n");
  CHECK(contains(data_error([&] { load_text({.train_file = "a.txt"}, folder.path()); }), "a.txt: has no lines with text"));
  CHECK(contains(data_error([&] { load_text({.train_file = "b.txt"}, folder.path()); }), "b.txt"));
}

TEST_CASE(
    "grammar: the mean of -log p(x) is the entropy, with noise too, and the noise's density adds up to one over its sentences") {  // |z| < 5
  for (const double noise : {0., .2}) {
    CAPTURE(noise);
    const Dataset data = load_grammar({.size = 20'000, .noise = noise}, Key(3));
    double mean = 0, squares = 0;
    std::vector<Real> row(9);
    for (Index i = 0; i < data.train.size(); ++i) {
      data.train.read(i, row);
      const double l = -data.log_density(row);
      mean += l, squares += l * l;
    }
    mean /= 20'000;
    // By the number of tokens of the class k = 0 among 8 in a sentence of class 0, ..., the entropy is a sum over counts of each
    // class; without noise log 8 + 8 log 4.
    if (noise == 0) {
      CHECK(mean == doctest::Approx(std::log(8) + 8 * std::log(4)).epsilon(1e-9));
    } else {
      // E over x of p(x) / p(x) estimated with uniform sentences: sum over all 32^8 sentences of p(x) is 1.
      double total = 0, total_squares = 0;
      constexpr int draws = 200'000;
      for (int n = 0; n < draws; ++n) {
        for (std::size_t t = 0; t < 8; ++t)
          row[t] = static_cast<Real>(1 + ad::uniform_integer(Key(9).fold(static_cast<std::uint64_t>(n)).fold(t), 32));
        row[8] = 0;
        const double w = std::exp(data.log_density(row) + 8 * std::log(32));
        total += w, total_squares += w * w;
      }
      const double average = total / draws, error = std::sqrt((total_squares / draws - average * average) / draws);
      CHECK(std::abs(average - 1) < 5 * error);
      CHECK(error < .2);
      CHECK(mean < std::log(8) + 8 * std::log(32));
      CHECK(mean > std::log(8) + 8 * std::log(4));
    }
  }
}
