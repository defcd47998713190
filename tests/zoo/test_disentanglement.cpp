// Measures of disentanglement on codes whose answers are known.
#include <doctest/doctest.h>

#include <cmath>

#include "experiments/runner/disentanglement.hpp"
#include "experiments/runner/trees.hpp"

using namespace vaezoo;

namespace {

/// Three factors of 4, 3 and 5 values; the images are not looked at.
Factors grid() {
  return {{{"a", evenly(0, 1, 4)}, {"b", evenly(0, 1, 3)}, {"c", evenly(0, 1, 5)}},
          {1, 1, 1},
          255,
          [](std::span<const int>, std::span<std::uint8_t> p) { p[0] = 0; }};
}

using Code = std::vector<double> (*)(const std::vector<int>&);

EncodeFactors by(Code code) {
  return [code](std::span<const std::vector<int>> tuples) {
    std::vector<double> codes;
    for (const std::vector<int>& tuple : tuples) {
      const std::vector<double> z = code(tuple);
      codes.insert(codes.end(), z.begin(), z.end());
    }
    return codes;
  };
}

double of(const std::vector<Metric>& metrics, const std::string& name) {
  for (const Metric& m : metrics)
    if (m.name == name) return m.value;
  FAIL("there is no ", name);
  return 0;
}

std::vector<Metric> scores(Code code, Index dimensions) {
  return judge_disentanglement(grid(), by(code), dimensions, {.samples = 3000, .votes = 200}, Key(1));
}

/// Every tuple of the grid once, so that counts are exact.
CodedFactors all(Code code, Index dimensions) {
  const Factors truth = grid();
  CodedFactors data{dimensions, 3, {}, {}};
  for (Index i = 0; i < truth.size(); ++i) {
    const std::vector<int> tuple = truth.tuple(i);
    const std::vector<double> z = code(tuple);
    data.codes.insert(data.codes.end(), z.begin(), z.end());
    data.values.insert(data.values.end(), tuple.begin(), tuple.end());
  }
  return data;
}

std::vector<double> identity(const std::vector<int>& t) { return {double(t[0]), double(t[1]), double(t[2])}; }
std::vector<double> zeros(const std::vector<int>&) { return {0, 0, 0}; }
std::vector<double> twice(const std::vector<int>& t) {
  return {double(t[0]), double(t[1]), double(t[2]), double(t[0]), double(t[1]), double(t[2])};
}
std::vector<double> rotated(const std::vector<int>& t) {
  return {double(t[0] + t[1] + t[2]), double(t[0] - t[1]), double(t[1] - t[2])};
}

}  // namespace

TEST_CASE(
    "disentanglement: codes that are the factors score 1, constants 0, duplicates are modular but no dimension is the only one") {
  const std::vector<Metric> perfect = scores(identity, 3), nothing = scores(zeros, 3), doubled = scores(twice, 6),
                            mixed = scores(rotated, 3);
  for (const char* name :
       {"mig", "dci_disentanglement", "dci_completeness", "dci_informativeness", "factor_vae_score", "modularity", "irs"}) {
    CAPTURE(name);
    CHECK(of(perfect, name) > 0.97);  // other factors' chance share of information is a few thousandths
    CHECK(of(perfect, name) <= 1 + 1e-12);
    if (std::string(name) != "dci_informativeness") CHECK(of(nothing, name) == 0);
  }
  CHECK(of(nothing, "dci_informativeness") < 0.4);  // chance: (1/4 + 1/3 + 1/5) / 3
  CHECK(of(doubled, "mig") < 1e-9);
  CHECK(of(doubled, "modularity") > 0.97);
  CHECK(of(doubled, "factor_vae_score") > 0.97);
  CHECK(of(mixed, "mig") < 0.4);
  CHECK(of(mixed, "dci_disentanglement") < 0.6);
  CHECK(of(mixed, "irs") < 0.6);
  CHECK(of(mixed, "dci_informativeness") > 0.9);  // all is there, only not in single dimensions
}

TEST_CASE("disentanglement: mutual information and entropies of a full grid are exact") {
  const CodedFactors data = all(
      [](const std::vector<int>& t) {
        return std::vector<double>{double(t[0]), double(t[0] / 2), double(t[1] + 3 * t[2])};
      },
      3);
  const CodeFactorMatrix i = mutual_information(data);
  const std::vector<double> h = factor_entropies(data);
  CHECK(h[0] == doctest::Approx(std::log(4)));
  CHECK(h[1] == doctest::Approx(std::log(3)));
  CHECK(h[2] == doctest::Approx(std::log(5)));
  CHECK(i[0][0] == doctest::Approx(std::log(4)));
  CHECK(i[1][0] == doctest::Approx(std::log(2)));
  CHECK(i[2][1] == doctest::Approx(std::log(3)));  // 15 values in 20 bins: none is shared
  CHECK(i[2][2] == doctest::Approx(std::log(5)));
  CHECK(std::abs(i[0][1]) < 1e-12);
  const std::vector<double> gaps = mutual_information_gaps(i, h);
  CHECK(gaps[0] == doctest::Approx(0.5));  // (log 4 - log 2) / log 4
  CHECK(gaps[1] == doctest::Approx(1));
  CHECK(modularity(i) == doctest::Approx((2 + 1 - std::pow(std::log(3) / std::log(5), 2) / 2) / 3));
}

TEST_CASE("disentanglement: exact values of modularity, DCI and IRS") {
  // One code for two of ten factors: 1 - ln 2 / ln 10, and modularity 1 - 1/9. Eastwood & Williams; the tests of
  // disentanglement_lib.
  CodeFactorMatrix ten(10, std::vector<double>(10));
  for (std::size_t d = 0; d < 10; ++d) ten[d][d] = 1;
  CHECK(disentanglement(ten) == doctest::Approx(1));
  CHECK(completeness(ten) == doctest::Approx(1));
  CHECK(modularity(ten) == doctest::Approx(1));
  const CodeFactorMatrix shared(1, [] {
    std::vector<double> row(10);
    row[0] = row[1] = 1;
    return row;
  }());
  CHECK(disentanglement(shared) == doctest::Approx(1 - std::log(2) / std::log(10)));
  CHECK(modularity(shared) == doctest::Approx(1 - 1.0 / 9));
  CodeFactorMatrix redundant(10, std::vector<double>(1));
  redundant[0][0] = redundant[1][0] = 1;
  CHECK(completeness(redundant) == doctest::Approx(1 - std::log(2) / std::log(10)));
  CHECK(modularity({{1, 0, 0}, {0, 1, 0}, {0, 0, 0}}) == doctest::Approx(2.0 / 3));  // an empty code

  // z = a + e with e in {0, 1/2}, which another factor decides: groups of a deviate by 1/4, all reach 7/4 from their mean.
  CodedFactors data{1, 2, {}, {}};
  for (int a = 0; a < 4; ++a)
    for (int e = 0; e < 2; ++e) data.codes.push_back(a + 0.5 * e), data.values.insert(data.values.end(), {a, e});
  CHECK(interventional_robustness(data) == doctest::Approx(1 - 0.25 / 1.75));
}

TEST_CASE("disentanglement: boosted trees find thresholds, and importances go where the information is") {
  CodedFactors data{3, 2, {}, {}}, test = data;
  std::vector<Real> u(3);
  for (std::uint64_t i = 0; i < 1500; ++i) {
    ad::fill_uniform(Key(4).fold(i), u);
    CodedFactors& to = i < 1000 ? data : test;
    to.codes.insert(to.codes.end(), {double(u[0]), double(u[1]), double(u[2])});
    to.values.insert(to.values.end(), {u[0] < 0.3   ? 0
                                       : u[0] < 0.6 ? 1
                                                    : 2,
                                       (u[1] < 0.5) != (u[2] < 0.5) ? 1 : 0});  // the second is an exclusive or
  }
  const TreeImportances trees = tree_importances(data, test);
  CHECK(trees.accuracy > 0.97);
  CHECK(trees.importance[0][0] > 0.95);
  CHECK(trees.importance[0][1] < 0.1);
  CHECK(trees.importance[1][1] + trees.importance[2][1] > 0.9);
  for (std::size_t k = 0; k < 2; ++k)
    CHECK(trees.importance[0][k] + trees.importance[1][k] + trees.importance[2][k] == doctest::Approx(1));
}
