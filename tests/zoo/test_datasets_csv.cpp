#include <doctest/doctest.h>

#include <cmath>

#include "datasets/csv.hpp"
#include "datasets/sources.hpp"
#include "tests/zoo/datasets_support.hpp"

using namespace vaezoo;
using namespace test_support;

namespace {

CsvTable parse(const TempFolder& folder, const std::string& text, const CsvFormat& format = {}) {
  write(folder / "t.csv", text);
  return read_csv(folder / "t.csv", format);
}

}  // namespace

TEST_CASE("read_csv: plain tables, quotes, blank lines, carriage returns, a byte order mark and exponents") {
  const TempFolder folder;
  CHECK(parse(folder, "1,2\n3,4\n").numbers == std::vector<Real>{1, 2, 3, 4});
  CHECK(parse(folder, "1,2\n3,4").numbers == std::vector<Real>{1, 2, 3, 4});
  CHECK(parse(folder, "\xEF\xBB\xBF 1 , \"-2.5\" \r\n\r\n+3e1,.5\r\n").numbers == std::vector<Real>{1, -2.5f, 30, 0.5f});
  CHECK(parse(folder, "1;2\n", {.delimiter = ";"}).numbers == std::vector<Real>{1, 2});
  CHECK(parse(folder, "1\t2\n", {.delimiter = "\t"}).numbers == std::vector<Real>{1, 2});
  CHECK(parse(folder, "  1   2 \n0 1\t\n", {.delimiter = " "}).numbers == std::vector<Real>{1, 2, 0, 1});
}

TEST_CASE("read_csv: columns are chosen by name or number, and the label is kept as text") {
  const TempFolder folder;
  const std::string text = "\"length, cm\",width,kind\n1,2,setosa\n3,4,\"a,b\"\n";
  const CsvTable all = parse(folder, text, {.header = true, .label = "kind"});
  CHECK(all.columns == 2);
  CHECK(all.numbers == std::vector<Real>{1, 2, 3, 4});
  CHECK(all.labels == std::vector<std::string>{"setosa", "a,b"});
  CHECK(parse(folder, text, {.header = true, .columns = {"width", "length, cm"}}).numbers == std::vector<Real>{2, 1, 4, 3});
  CHECK(parse(folder, "1,2,9\n", {.columns = {"0"}, .label = "2"}).numbers == std::vector<Real>{1});
}

TEST_CASE("csv: condition columns go beside the examples, not into them, and move with them") {
  const TempFolder folder;
  const std::string text = "x,age,y,kind\n1,30,2,a\n3,40,4,b\n5,50,6,a\n";
  write(folder / "t.csv", text);
  const CsvConfig config{
      .train_file = "t.csv", .test_file = "t.csv", .header = true, .label = "kind", .condition_columns = {"age", "0"}};
  const Dataset data = load_csv(config, folder.path());
  CHECK(data.shape == ItemShape{1, 1, 1});
  CHECK(row(data.train, 1) == std::vector<Real>{4});
  CHECK(data.condition_names == std::vector<std::string>{"age", "0"});
  for (Index n = 0; n < 3; ++n) {
    const std::span<const Real> conditions = data.train.conditions(n);
    CHECK(conditions[0] == static_cast<Real>(30 + 10 * n));
    CHECK(conditions[1] == static_cast<Real>(1 + 2 * n));
  }
  CHECK(data.train.subset(std::vector<Index>{2}).conditions(0)[0] == 50);
  CHECK(contains(data_error([&] { parse(folder, "1,2\n", {.label = "0", .conditions = {"1"}}); }),
                 "has no column besides the label and the conditions"));
  CHECK(contains(data_error([&] { parse(folder, "1,x\n", {.conditions = {"1"}}); }), "line 1, column 1 (from 0): 'x'"));
}

TEST_CASE("read_csv: each kind of damage gives a sentence with file, line and column") {
  const TempFolder folder;
  struct Case {
    std::string text;
    CsvFormat format;
    const char* sentence;
  };
  const Case cases[] = {
      {"", {}, "holds no rows"},
      {"a,b\n", {.header = true}, "holds no rows"},
      {"a,b\n1,2\n", {},
       "line 1, column 0 (from 0): 'a' is not a finite number; if the first line names the columns, set header"},
      {"1,2\n3,x\n", {}, "line 2, column 1 (from 0): 'x' is not a finite number"},
      {"1,2\n3,\n", {}, "line 2, column 1 (from 0): an empty cell is not a finite number"},
      {"1,2\n3,1e99\n", {}, "'1e99' is not a finite number"},
      {"1,2\nnan,1\n", {}, "'nan' is not a finite number"},
      {"1,2\n3\n", {}, "line 2 has 1 columns where the first line has 2; is the delimiter really ','?"},
      {"1,2\n3,4,\n", {}, "line 2 has 3 columns where the first line has 2"},
      {"a,b\n1,2\n", {.header = true, .columns = {"c"}}, "has no column 'c'; it has 0 to 1, a, b"},
      {"1,2\n", {.columns = {"2"}}, "has no column '2'; it has 0 to 1"},
      {"1\n", {.label = "0"}, "has no column besides the label"},
  };
  for (const Case& c : cases) {
    const std::string error = data_error([&] { parse(folder, c.text, c.format); });
    CAPTURE(error);
    CHECK(error.starts_with((folder / "t.csv").string() + ": "));
    CHECK(contains(error, c.sentence));
  }
}

TEST_CASE("read_csv: any byte may be damaged or missing without harm") {
  const TempFolder folder;
  const std::string text = "\"a\",b,c\n1,2.5,x\n\"3\",-4e2,y\n";
  refused_damage(text, [&](const std::string& bytes) { parse(folder, bytes, {.header = true, .label = "c"}); });
  CHECK(parse(folder, text, {.header = true, .label = "c"}).labels.size() == 2);
}

TEST_CASE("csv: text labels become classes that all splits share, numbers stay numbers") {
  const TempFolder folder;
  write(folder / "a.csv", "1,dog\n2,cat\n");
  write(folder / "b.csv", "3,emu\n4,dog\n");
  const Dataset named = load_csv({.train_file = "a.csv", .test_file = "b.csv", .label = "1"}, folder.path());
  CHECK(named.class_names == std::vector<std::string>{"cat", "dog", "emu"});
  CHECK(named.train.labels() == std::vector<int>{1, 0});
  CHECK(named.test.labels() == std::vector<int>{2, 1});
  CHECK(named.classes == 3);
  write(folder / "c.csv", "1,7\n2,0\n");
  const Dataset numbered = load_csv({.train_file = "c.csv", .label = "1"}, folder.path());
  CHECK(numbered.class_names.empty());
  CHECK(numbered.train.labels() == std::vector<int>{7, 0});
  CHECK(numbered.classes == 8);
}

TEST_CASE("csv: a blank-separated .amat file of binary pixels becomes bytes with two levels") {
  const TempFolder folder;
  write(folder / "binarized.amat", "0 1 1 0 \n1 1 0 0 \n0 0 0 1 \n");
  DatasetConfig config{.name = "csv", .validation = 1, .test = 1};
  config.csv = {.train_file = "binarized.amat", .delimiter = " ", .shape = {2, 2}};
  const Dataset data = load_dataset(config, folder.path());
  CHECK(data.train.is_bytes());
  CHECK(data.levels == 2);
  CHECK(data.is_image);
  CHECK(data.shape == ItemShape{2, 2, 1});
}

TEST_CASE("csv: standardised columns have mean 0 and deviation 1 on the training split, and a constant stays finite") {
  const TempFolder folder;
  write(folder / "a.csv", "1000,5,1\n1002,5,2\n1004,5,4\n1006,5,9\n");
  write(folder / "b.csv", "1003,6,4\n");
  DatasetConfig config{.name = "csv"};
  config.csv = {.train_file = "a.csv", .test_file = "b.csv", .standardize = true};
  const Dataset data = load_dataset(config, folder.path());
  CHECK(data.mean == std::vector<Real>{1003, 5, 4});
  CHECK(data.stddev[0] == doctest::Approx(std::sqrt(5.0)));
  CHECK(data.stddev[1] == 1);
  for (std::size_t d = 0; d < 3; ++d) {
    double sum = 0, squares = 0;
    for (Index i = 0; i < 4; ++i) {
      const double x = static_cast<double>(row(data.train, i)[d]);
      sum += x / 4;
      squares += x * x / 4;
    }
    CHECK(sum == doctest::Approx(0).epsilon(1e-6));
    CHECK(squares == doctest::Approx(d == 1 ? 0 : 1).epsilon(1e-6));
  }
  CHECK(row(data.test, 0) == std::vector<Real>{0, 1, 0});  // by the training split's mean and deviation
}
