// Missing numbers of new examples, filled in.
#include <doctest/doctest.h>

#include <sstream>

#include "autodiff/random.hpp"
#include "experiments/runner/errors.hpp"
#include "tests/zoo/runner_support.hpp"

using namespace vaezoo;
using namespace test_support;
using nlohmann::json;

TEST_CASE("impute: what is missing is filled in by what the model knows of the rest, and what is there stays as it is") {
  const TempFolder temp;
  std::vector<ad::Real> z(800), noise(1600);
  ad::fill_normal(ad::Key(1), z);
  ad::fill_normal(ad::Key(2), noise);
  std::string table = "a,b,c\n";
  for (std::size_t i = 0; i < z.size(); ++i)  // b = 100 + 10 a, c = -a, each with a little noise
    table += ad::cat(z[i], ",", i % 7 == 0 ? std::string() : std::to_string(100 + 10 * double(z[i]) + double(noise[2 * i])), ",",
                     -double(z[i]) + 0.1 * double(noise[2 * i + 1]), "\n");
  atomic_write(temp / "train.csv", table);
  json e = tiny_experiment();
  e["dataset"] = {
      {"name", "csv"}, {"train_file", (temp / "train.csv").string()}, {"header", true}, {"missing", true}, {"standardize", true}};
  e["model"]["latent_dim"] = 1;
  e["model"]["likelihood"] = {{"name", "gaussian"}, {"scale", "learned"}};
  e["train"]["epochs"] = 60;
  e["train"]["optimizer"] = {{"name", "adam"}, {"learning_rate", 5e-3}};
  REQUIRE(run(e, temp / "run") == kDone);

  atomic_write(temp / "new.csv", "a,b,c\n1.5,,-1.5\n-1,,1\n,105,-0.5\n0.25,102,-0.3\n");
  const std::string folder = (temp / "run").string(), out = (temp / "full.csv").string();
  const auto result = run_program(temp, {"impute", folder, (temp / "new.csv").string(), "--out", out});
  CHECK(result.code == kDone);
  CHECK(contains(result.output, "4 examples with 3 missing numbers filled in"));
  std::istringstream lines(read_file(temp / "full.csv"));
  std::vector<std::array<double, 3>> rows;
  std::string line;
  std::getline(lines, line);
  CHECK(line == "x_a,x_b,x_c");
  while (std::getline(lines, line)) {
    std::array<double, 3> row{};
    REQUIRE(std::sscanf(line.c_str(), "%lf,%lf,%lf", &row[0], &row[1], &row[2]) == 3);
    rows.push_back(row);
  }
  REQUIRE(rows.size() == 4);
  CHECK(std::abs(rows[0][1] - 115) < 4);  // b has a standard deviation of 10
  CHECK(std::abs(rows[1][1] - 90) < 4);
  CHECK(std::abs(rows[2][0] - 0.5) < 0.4);
  CHECK(rows[0][0] == doctest::Approx(1.5));
  CHECK(rows[3][0] == doctest::Approx(0.25));
  CHECK(rows[3][1] == doctest::Approx(102));
  CHECK(rows[3][2] == doctest::Approx(-0.3));

  atomic_write(temp / "whole.csv", "a,b,c\n1,110,-1\n");
  const auto whole = run_program(temp, {"impute", folder, (temp / "whole.csv").string()});
  CHECK(whole.code == kUsage);
  CHECK(contains(whole.output, "has no missing number"));
}
