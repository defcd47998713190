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
  CHECK(parse(folder, "1,2\n3,4\n").numbers == std::vector<double>{1, 2, 3, 4});
  CHECK(parse(folder, "1,2\n3,4").numbers == std::vector<double>{1, 2, 3, 4});
  CHECK(parse(folder, "\xEF\xBB\xBF 1 , \"-2.5\" \r\n\r\n+3e1,.5\r\n").numbers == std::vector<double>{1, -2.5, 30, 0.5});
  CHECK(parse(folder, "1;2\n", {.delimiter = ";"}).numbers == std::vector<double>{1, 2});
  CHECK(parse(folder, "1\t2\n", {.delimiter = "\t"}).numbers == std::vector<double>{1, 2});
  CHECK(parse(folder, "  1   2 \n0 1\t\n", {.delimiter = " "}).numbers == std::vector<double>{1, 2, 0, 1});
}

TEST_CASE("read_csv: columns are chosen by name or number, and the label is kept as text") {
  const TempFolder folder;
  const std::string text = "\"length, cm\",width,kind\n1,2,setosa\n3,4,\"a,b\"\n";
  const CsvTable all = parse(folder, text, {.header = true, .label = "kind"});
  CHECK(all.columns == 2);
  CHECK(all.numbers == std::vector<double>{1, 2, 3, 4});
  CHECK(all.labels == std::vector<std::string>{"setosa", "a,b"});
  CHECK(parse(folder, text, {.header = true, .columns = {"width", "length, cm"}}).numbers == std::vector<double>{2, 1, 4, 3});
  CHECK(parse(folder, "1,2,9\n", {.columns = {"0"}, .label = "2"}).numbers == std::vector<double>{1});
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
  CHECK(data.condition_names == std::vector<std::string>{"age", "x"});
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
      {"1,2\n3,\n", {}, "line 2, column 1 (from 0): an empty cell is a missing value; set \"missing\": true to learn from the others, fill it in, or leave the row out"},
      {"a,age\n1,2\n\n3, ? \n", {.header = true}, "line 4, column 'age': '?' is a missing value"},
      {"a,age\n1,NaN\n", {.header = true}, "line 2, column 'age': 'NaN' is a missing value"},
      {"a,age\n1,N/A\n", {.header = true, .conditions = {"age"}}, "line 2, column 'age': 'N/A' is a missing value; fill it in, or leave the row out"},
      {"a,kind\n1,\n", {.header = true, .label = "kind"}, "line 2, column 'kind': an empty cell is a missing value"},
      {"a,kind\n1,\"?\"\n", {.header = true, .label = "kind"}, "line 2, column 'kind': '?' is a missing value"},
      {"1,2\n3,1e999\n", {}, "'1e999' is not a finite number"},
      {"1,2\n3,-inf\n", {}, "'-inf' is not a finite number"},
      {"1,2\n3,\x1b[2J\n", {}, "'\\x1B[2J' is not a finite number"},
      {"a,b,a\n1,2,3\n", {.header = true}, "its first line names two columns 'a'"},
      {"1,\"2\n3,4\n", {}, "line 1: a quote is opened and not closed"},
      {"1,2\n\"3\"x,4\n", {}, "line 2: text follows a closing quote"},
      {"1,2\n3\n", {}, "line 2 has 1 columns where the first line has 2; is the delimiter really ','?"},
      {"a;k\n1;2\n", {.header = true, .label = "k"}, "has no column 'k'; it has 0 to 0, called a;k; is the delimiter really ','?"},
      {"1;2\n", {}, "'1;2' is not a finite number; if the first line names the columns, set header to true; is the delimiter really ','?"},
      {"1,2\n3,4,\n", {}, "line 2 has 3 columns where the first line has 2"},
      {"a,b\n1,2\n", {.header = true, .columns = {"c"}}, "has no column 'c'; it has 0 to 1, called a, b"},
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

TEST_CASE("read_csv: quoted cells hold line ends, delimiters and quotes, and lines are counted through them") {
  const TempFolder folder;
  const CsvFormat format{.header = true, .label = "the\nkind"};
  const CsvTable table = parse(folder, "x,\"the\nkind\"\r\n1,\"a \"\"big\"\", \ndog\"\r\n 2 , \"cat\" \r\n", format);
  CHECK(table.numbers == std::vector<double>{1, 2});
  CHECK(table.labels == std::vector<std::string>{"a \"big\", \ndog", "cat"});
  CHECK(table.column_names == std::vector<std::string>{"x"});
  CHECK(contains(data_error([&] { parse(folder, "x,\"k\nl\"\n1,\"b\n\nc\"\nz,d\n", {.header = true, .label = "1"}); }),
                 "line 6, column 'x': 'z' is not"));
  CHECK(parse(folder, "5\" disk,1\n", {.columns = {"1"}, .label = "0"}).labels == std::vector<std::string>{"5\" disk"});
  CHECK(parse(folder, "1,\n", {.columns = {"0"}}).numbers == std::vector<double>{1});  // a column that nobody asked for
  CHECK(contains(data_error([&] { parse(folder, "1\t2\n\t\n", {.delimiter = "\t"}); }),
                 "line 2, column 0 (from 0): an empty cell"));
  CHECK(parse(folder, "1e-999,2\n", {}).numbers == std::vector<double>{0, 2});
}

TEST_CASE("csv: files that belong together are matched by the names of their columns") {
  const TempFolder folder;
  write(folder / "train.csv", "a,b,kind,age\n1,2,x,30\n3,4,y,40\n");
  write(folder / "test.csv", "age,kind,b,a\n50,y,20,10\n");
  const CsvConfig config{
      .train_file = "train.csv", .test_file = "test.csv", .header = true, .label = "2", .condition_columns = {"3"}};
  const Dataset data = load_csv(config, folder.path());
  CHECK(data.column_names == std::vector<std::string>{"a", "b"});
  CHECK(data.condition_names == std::vector<std::string>{"age"});
  CHECK(row(data.test, 0) == std::vector<Real>{10, 20});
  CHECK(data.test.labels() == std::vector<int>{1});
  CHECK(data.test.conditions(0)[0] == 50);

  const auto error = [&](const std::string& text, CsvConfig other) {
    write(folder / "other.csv", text);
    other.test_file = "other.csv";
    return data_error([&] { load_csv(other, folder.path()); });
  };
  const std::string other = (folder / "other.csv").string(), train = (folder / "train.csv").string();
  CHECK(error("a,b,kind,size\n1,2,x,3\n", config) ==
        other + ": has the columns a, b, kind, size; " + train + " has a, b, kind, age");
  CHECK(error("a,b,kind,age,more\n1,2,x,3,4\n", config) ==
        other + ": has the columns a, b, kind, age, more; " + train + " has a, b, kind, age");
  CsvConfig chosen = config;
  chosen.columns = {"b"};  // what else the other file holds does not matter then
  CHECK(error("more,b,kind,age\n1,2,x,3\n", chosen) == "");
  CHECK(contains(error("a,b,kind,age\n1,2,owl,3\n", config),
                 "other.csv: has a class 'owl' that the training examples do not have"));
  CHECK(contains(error("1,2\n", {.train_file = "other.csv", .validation_file = "train.csv"}), "train.csv: has 4 columns; "));
}

TEST_CASE("csv: the classes are the training examples' distinct labels in order, numbers by value") {
  const TempFolder folder;
  write(folder / "a.csv", "1,dog\n2,cat\n");
  write(folder / "b.csv", "4,dog\n");
  const Dataset named = load_csv({.train_file = "a.csv", .test_file = "b.csv", .label = "1"}, folder.path());
  CHECK(named.class_names == std::vector<std::string>{"cat", "dog"});
  CHECK(named.train.labels() == std::vector<int>{1, 0});
  CHECK(named.test.labels() == std::vector<int>{1});
  CHECK(named.classes == 2);
  write(folder / "c.csv", "1,10\n2,7\n3,+7\n");
  const Dataset holes = load_csv({.train_file = "c.csv", .label = "1"}, folder.path());
  CHECK(holes.class_names == std::vector<std::string>{"7", "10"});
  CHECK(holes.train.labels() == std::vector<int>{1, 0, 0});
  CHECK(holes.classes == 2);
  write(folder / "d.csv", "1,1\n2,0\n");
  CHECK(load_csv({.train_file = "d.csv", .label = "1"}, folder.path()).class_names.empty());
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
  CHECK(data.mean == std::vector<double>{1003, 5, 4});
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

TEST_CASE("csv: standardised by the numbers as the file has them, and a loss by narrowing is said") {
  const TempFolder folder;
  write(folder / "time.csv", "time,x\n1700000000,0.1\n1700000001,0.2\n1700000002,0.3\n1700000003,0.4\n");
  DatasetConfig config{.name = "csv", .validation = 0, .test = 0};
  config.csv = {.train_file = "time.csv", .header = true, .standardize = true};
  const Dataset data = load_dataset(config, folder.path());
  CHECK(data.warnings.empty());
  CHECK(data.mean[0] == 1700000001.5);
  CHECK(data.stddev[0] == doctest::Approx(std::sqrt(1.25)));
  for (Index i = 0; i < 4; ++i) {
    const double z = (static_cast<double>(data.train.source_row(i)) - 1.5) / std::sqrt(1.25);
    CHECK(static_cast<double>(row(data.train, i)[0]) == doctest::Approx(z));
    CHECK(static_cast<double>(row(data.train, i)[1]) == doctest::Approx(z));
  }
  config.csv.standardize = false;
  CHECK(load_dataset(config, folder.path()).warnings ==
        std::vector<std::string>{"'time': numbers of 32 bits cannot tell apart values that differ in the file; set "
                                 "\"standardize\": true, or subtract a constant"});
  write(folder / "time.csv", "time,x\n1,1\n1e300,2\n2,3\n");
  CHECK(contains(data_error([&] { load_dataset(config, folder.path()); }),
                 "time.csv: in the train split, example 1, value 0 (both counted from 0) is 1e+300, too large"));
  config.csv.standardize = true;
  CHECK(contains(data_error([&] { load_dataset(config, folder.path()); }), "'time' holds numbers too large to be standardised"));
  write(folder / "time.csv", "time,x\n0.1,1\n0.1,2\n0.1,2\n");
  CHECK(row(load_dataset(config, folder.path()).train, 2)[0] == 0);  // 0.1 summed three times is not 0.3
}

TEST_CASE("read_csv: where numbers may be missing, an empty cell, ? and NaN are NaN; labels and conditions may not be") {
  const TempFolder folder;
  const CsvTable table = parse(folder, "a,b,kind\n1,,x\n?,2,y\nNaN,-3,x\n", {.header = true, .label = "kind", .missing = true});
  REQUIRE(table.numbers.size() == 6);
  CHECK(table.numbers[0] == 1);
  CHECK(table.numbers[3] == 2);
  CHECK(table.numbers[5] == -3);
  for (const std::size_t i : {1, 2, 4}) CHECK(std::isnan(table.numbers[i]));
  CHECK(contains(data_error([&] { parse(folder, "a,kind\n1,\n", {.header = true, .label = "kind", .missing = true}); }), "is a missing value; fill it in"));
  CHECK(contains(data_error([&] { parse(folder, "1,\n", {.conditions = {"1"}, .missing = true}); }), "is a missing value; fill it in"));
}
