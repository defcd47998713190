// Measures of disentanglement on codes whose answer is known, and their classifiers against scikit-learn 1.9.
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <stdexcept>

#include "experiments/tasks/boosted_trees.hpp"
#include "experiments/tasks/density_information.hpp"
#include "experiments/tasks/disentanglement_measures.hpp"
#include "experiments/tasks/linear_classifiers.hpp"
#include "experiments/tasks/roc.hpp"

using namespace vaezoo;
using doctest::Approx;

namespace {

const std::vector<int> kCounts{5, 6, 7, 8};

/// Each code is what `f` makes of an example's factors.
template <class F>
Represent codes_of(Index dimensions, F f) {
  return [=](const FactorTable& factors, Key key) {
    Matrix codes(factors.rows, dimensions);
    for (Index i = 0; i < factors.rows; ++i)
      for (Index d = 0; d < dimensions; ++d) codes(i, d) = f(factors, i, d, key);
    return codes;
  };
}
Represent identity() {
  return codes_of(4, [](const FactorTable& v, Index i, Index d, Key) { return double(v(i, d)); });
}
Represent constant() {
  return codes_of(4, [](const FactorTable&, Index, Index, Key) { return 0.0; });
}
/// Every factor stands in two codes.
Represent twice() {
  return codes_of(8, [](const FactorTable& v, Index i, Index d, Key) { return double(v(i, d / 2)); });
}
/// Factors 0 and 1 by their sum and difference.
Represent rotated() {
  return codes_of(4, [](const FactorTable& v, Index i, Index d, Key) {
    return d == 0 ? v(i, 0) + v(i, 1) : d == 1 ? double(v(i, 0) - v(i, 1)) : double(v(i, d));
  });
}

struct Scores {
  double mig, modularity, irs, factor_vae, beta_vae, sap, explicitness, disentanglement, completeness;
};
Scores scores_of(const Represent& represent) {
  const FactorTable train = draw_factors(kCounts, 2000, Key(1)), test = draw_factors(kCounts, 1000, Key(2));
  const Matrix z = represent(train, Key(3)), z_test = represent(test, Key(4));
  const Matrix information = mutual_information(z, train, 20);
  double mig = 0;
  for (const double gap : information_gaps(information, factor_entropies(train))) mig += gap / 4;
  Matrix importance(z.columns, 4);
  for (Index k = 0; k < 4; ++k) {
    const BoostedTrees trees(z, train.column(k), kCounts[std::size_t(k)], {.rounds = 20});
    for (Index d = 0; d < z.columns; ++d) importance(d, k) = trees.importances()[std::size_t(d)];
  }
  const ImportanceScores dci = importance_scores(importance);
  const VoteOptions votes{.train = 500, .test = 300, .batch = 32, .variance_examples = 2000};
  return {mig, modularity(information), interventional_robustness(z, train).score, factor_vae_score(represent, kCounts, votes, Key(5)),
          beta_vae_score(represent, kCounts, votes, Key(6)), mean_top_gap(separability(z, train, z_test, test)), explicitness(z, train, z_test, test),
          dci.disentanglement, dci.completeness};
}

Matrix matrix(std::vector<std::vector<double>> rows) {
  Matrix m(std::ssize(rows), std::ssize(rows[0]));
  for (Index i = 0; i < m.rows; ++i)
    for (Index j = 0; j < m.columns; ++j) m(i, j) = rows[std::size_t(i)][std::size_t(j)];
  return m;
}

/// Numbers in [0, 1) that any language makes: s = (1664525 s + 1013904223) mod 2^32.
std::vector<double> numbers(std::size_t count, std::uint32_t seed) {
  std::vector<double> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(double(seed = seed * 1664525u + 1013904223u) / 4294967296.0);
  return out;
}

/// 240 rows of three numbers, and labels of three and of two classes that depend on them.
struct Golden {
  Matrix x{240, 3};
  std::vector<int> three, two;
  Golden() {
    x.values = numbers(720, 7);
    for (double& v : x.values) v = double(float(v));
    const std::vector<double> flip = numbers(240, 11), noise = numbers(240, 13);
    for (Index i = 0; i < 240; ++i) {
      const int y = std::min(2, int(3 * x(i, 0)));
      three.push_back(flip[std::size_t(i)] < 0.1 ? (y + 1) % 3 : y);
      two.push_back(x(i, 0) + 0.5 * x(i, 1) + 0.3 * noise[std::size_t(i)] > 0.9 ? 1 : 0);
    }
  }
};

}  // namespace

TEST_CASE("disentanglement: a code that is the factors scores 1 on everything") {
  const Scores s = scores_of(identity());
  CHECK(s.mig > 0.97);  // the other codes' information of 2000 examples is not quite 0
  CHECK(s.modularity > 0.999);
  CHECK(s.factor_vae == 1);
  CHECK(s.beta_vae > 0.99);
  CHECK(s.disentanglement > 0.97);
  CHECK(s.completeness > 0.97);
  CHECK(s.irs == Approx(1));
  // One line against the rest tells the two outer values of a factor and one between: the study's own test asks for no more than .9 of binary factors.
  CHECK(s.sap > 0.1);
  CHECK(s.explicitness > 0.85);
}

TEST_CASE("disentanglement: a code that says nothing scores 0, or chance") {
  const Scores s = scores_of(constant());
  CHECK(s.mig == 0);
  CHECK(s.modularity == 0);
  CHECK(s.irs == 0);
  CHECK(s.factor_vae == 0);
  CHECK(s.beta_vae < 0.35);  // four factors
  CHECK(s.sap == 0);
  CHECK(s.explicitness == Approx(0.5));
  CHECK(s.disentanglement == 0);
  CHECK(s.completeness == 0);
}

TEST_CASE("disentanglement: codes in pairs are modular without a gap; rotated ones are mixed, and linear classifiers do not mind") {
  const Scores pairs = scores_of(twice()), turned = scores_of(rotated()), plain = scores_of(identity());
  CHECK(pairs.mig == 0);
  CHECK(pairs.sap == 0);
  CHECK(pairs.modularity > 0.999);
  CHECK(pairs.factor_vae == 1);
  CHECK(pairs.disentanglement > 0.97);
  CHECK(turned.mig < 0.7);
  CHECK(turned.modularity < 0.95);
  CHECK(turned.disentanglement < 0.9);
  CHECK(turned.explicitness > plain.explicitness - 0.02);
}

TEST_CASE("disentanglement: bins are those of numpy") {
  // np.digitize(z, np.histogram(z, 4)[1][:-1]) - 1
  CHECK(equal_width_bins({0, 0.24, 0.25, 0.5, 0.74, 0.75, 1}, 4) == std::vector<int>{0, 0, 1, 2, 2, 3, 3});
  CHECK(equal_width_bins({2, 2, 2}, 4) == std::vector<int>{0, 0, 0});
}

TEST_CASE("disentanglement: information, gap and modularity of matrices that one can do by hand") {
  FactorTable v(4, {2, 2});
  v.values = {0, 0, 0, 1, 1, 0, 1, 1};
  const Matrix z = matrix({{0, 5}, {0, 5}, {1, 5}, {1, 5}});
  const Matrix information = mutual_information(z, v, 20);
  CHECK(information(0, 0) == Approx(std::log(2.0)));
  CHECK(information(0, 1) == Approx(0).epsilon(1e-12));
  CHECK(information(1, 0) == Approx(0).epsilon(1e-12));
  CHECK(factor_entropies(v)[1] == Approx(std::log(2.0)));
  CHECK(information_gaps(information, factor_entropies(v)) == std::vector<double>{1, 0});
  // The values of disentanglement_lib's own tests: an empty code of three; one code with two of four factors.
  CHECK(modularity(matrix({{1, 0, 0}, {0, 1, 0}, {0, 0, 0}})) == Approx(2.0 / 3));
  CHECK(modularity(matrix({{1, 0, 0, 1}, {0, 1, 0, 0}, {0, 0, 1, 0}})) == Approx(1 - 1.0 / 9));
}

TEST_CASE("disentanglement: importance scores of matrices of ten codes and factors") {
  Matrix diagonal(10, 10), one_for_two(9, 10), two_for_one(10, 9);
  for (Index i = 0; i < 10; ++i) diagonal(i, i) = one_for_two(std::min<Index>(i, 8), i) = two_for_one(i, std::min<Index>(i, 8)) = 1;
  CHECK(importance_scores(diagonal).disentanglement == Approx(1));
  CHECK(importance_scores(diagonal).completeness == Approx(1));
  // One code that serves two factors, which is a fifth of all importance.
  CHECK(importance_scores(one_for_two).disentanglement == Approx(1 - 0.2 * std::log(2.0) / std::log(10.0)));
  CHECK(importance_scores(one_for_two).completeness == Approx(1));
  CHECK(importance_scores(two_for_one).completeness == Approx(1 - 0.2 * std::log(2.0) / std::log(10.0)));
  CHECK(importance_scores(two_for_one).disentanglement == Approx(1));
}

TEST_CASE("disentanglement: interventional robustness of a code that half follows a factor") {
  // z = v0 + v1 of two binary factors: given either, z is 0.5 off its mean; over all, 1.
  FactorTable v(4, {2, 2});
  v.values = {0, 0, 0, 1, 1, 0, 1, 1};
  const Robustness r = interventional_robustness(matrix({{0}, {1}, {1}, {2}}), v);
  CHECK(r.matrix(0, 0) == Approx(0.5));
  CHECK(r.matrix(0, 1) == Approx(0.5));
  CHECK(r.score == Approx(0.5));
}

TEST_CASE("disentanglement: the gap by densities against quadrature") {
  // z ~ N(v0, 0.6^2) of three values of v0; a second number is noise.
  const double sigma = 0.6;
  const auto posterior = [&](const FactorTable& v, Key) {
    NormalCodes q{Matrix(v.rows, 2), Matrix(v.rows, 2)};
    for (Index i = 0; i < v.rows; ++i) q.mean(i, 0) = v(i, 0);
    for (Index i = 0; i < v.rows; ++i) q.log_variance(i, 0) = 2 * std::log(sigma);
    return q;
  };
  double h = 0;
  for (double z = -5; z < 8; z += 1e-3) {
    double p = 0;
    for (int v = 0; v < 3; ++v) p += std::exp(-0.5 * std::pow((z - v) / sigma, 2)) / (3 * sigma * std::sqrt(2 * std::numbers::pi));
    h -= 1e-3 * p * std::log(p);
  }
  const double conditional = 0.5 * std::log(2 * std::numbers::pi * std::numbers::e * sigma * sigma);
  const auto gaps = density_information_gaps(posterior, {3, 4}, 2000, Key(9));
  REQUIRE(gaps);
  CHECK(std::abs((*gaps)[0] - (h - conditional) / std::log(3.0)) < 0.03);  // three standard errors of 6000 draws of log q
  CHECK(std::abs((*gaps)[1]) < 0.03);
  const auto point = density_information_gaps([](const FactorTable& v, Key) { return NormalCodes{Matrix(v.rows, 2), Matrix()}; }, {3, 4}, 10, Key(9));
  CHECK(!point);
}

// From here on, scikit-learn's answers for the same numbers.

TEST_CASE("classifiers: mutual information of binned numbers and labels") {
  const Golden g;
  FactorTable v(240, {3});
  v.values = g.three;
  Matrix z(240, 1);
  z.values = g.x.column(1);
  CHECK(mutual_information(z, v, 20)(0, 0) == Approx(0.040271651187405014).epsilon(1e-10));
  CHECK(factor_entropies(v)[0] == Approx(1.095272635030105).epsilon(1e-10));
}

TEST_CASE("classifiers: gradient boosting's importances, accuracy and predictions") {
  const Golden g;
  // Of trees two levels deep; in the tiny nodes of a third, splits are equally good and rounding or scikit-learn's seed chooses.
  const BoostedTrees three(g.x, g.three, 3, {.rounds = 20, .depth = 2}), two(g.x, g.two, 2, {.rounds = 20, .depth = 2});
  const auto equal = [](const std::vector<double>& a, const std::vector<double>& b) {
    for (std::size_t i = 0; i < b.size(); ++i) CHECK(std::abs(a[i] - b[i]) < 1e-9);
  };
  equal(three.importances(), {0.9718238288523017, 0.004062023966470508, 0.024114147181227768});
  equal(two.importances(), {0.8229734017358471, 0.17702659826415282, 0});
  equal(BoostedTrees(g.x, g.three, 3, {.rounds = 1}).importances(), {0.9657757969, 0, 0.0342242031});
  CHECK(accuracy(three.predict(g.x), g.three) == Approx(0.8833333333333333));
  CHECK(accuracy(two.predict(g.x), g.two) == Approx(0.9458333333333333));
  const BoostedTrees deep(g.x, g.two, 2, {.rounds = 20});
  CHECK(std::abs(deep.importances()[0] - 0.823517615662) < 1e-3);
  CHECK(accuracy(deep.predict(g.x), g.two) == Approx(0.9708333333333333));
  const std::vector<int> predicted = three.predict(g.x);
  CHECK(std::vector<int>(predicted.begin(), predicted.begin() + 20) == std::vector<int>{0, 2, 1, 2, 1, 2, 1, 1, 2, 2, 1, 1, 1, 1, 1, 0, 1, 0, 1, 1});
  CHECK(BoostedTrees(g.x, std::vector<int>(240, 1), 3).predict(g.x) == std::vector<int>(240, 1));
}

TEST_CASE("classifiers: logistic regression's probabilities") {
  const Golden g;
  const LogisticRegression three(g.x, g.three, 3, 1), two(g.x, g.two, 2, 1);
  const Matrix p = three.probabilities(g.x), q = two.probabilities(g.x);
  const std::vector<double> expected{0.5357034340795189, 0.4076966693976475, 0.05659989652283362, 0.03258930004281755, 0.18223713428356492, 0.7851735656736175};
  for (std::size_t i = 0; i < 6; ++i) CHECK(p.values[i] == Approx(expected[i]).epsilon(1e-4));
  CHECK(q(0, 1) == Approx(0.3665852246527306).epsilon(1e-4));
  CHECK(q(1, 1) == Approx(0.7799316208296094).epsilon(1e-4));
  CHECK(accuracy(three.predict(g.x), g.three) == Approx(0.8291666666666667));
  CHECK(accuracy(two.predict(g.x), g.two) == Approx(0.9291666666666667));
}

TEST_CASE("classifiers: the support vector machine of one number") {
  const Golden g;
  const std::vector<int> three = LinearSvm(g.x.column(0), g.three, 3, 0.01).predict(g.x.column(0));
  CHECK(accuracy(three, g.three) == Approx(0.6875));
  CHECK(std::vector<int>(three.begin(), three.begin() + 20) == std::vector<int>{0, 2, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 1, 0, 2, 1});
  const std::vector<int> two = LinearSvm(g.x.column(0), g.two, 2, 0.01).predict(g.x.column(0));
  CHECK(accuracy(two, g.two) == Approx(0.85));
  CHECK(std::vector<int>(two.begin(), two.begin() + 20) == std::vector<int>{0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1});
}

TEST_CASE("classifiers: areas under ROC and precision-recall curves, with ties") {
  const Golden g;
  std::vector<double> scores;
  std::vector<bool> positive;
  for (Index i = 0; i < 240; ++i) {
    scores.push_back(std::round(g.x(i, 0) * 10) / 10);
    positive.push_back(g.two[std::size_t(i)] == 1);
  }
  CHECK(roc_area(scores, positive) == Approx(0.9419204236638562).epsilon(1e-12));
  CHECK(average_precision(scores, positive) == Approx(0.9393816991691848).epsilon(1e-12));
  CHECK(roc_area({1, 1, 1, 1}, {true, false, true, false}) == 0.5);
  CHECK(roc_area({3, 2, 1}, {true, false, false}) == 1);
  CHECK(roc_area({1, 2, 3}, {true, false, false}) == 0);
  CHECK(average_precision({1, 1, 1, 1}, {true, false, true, false}) == 0.5);
  CHECK_THROWS_AS(roc_area({1, 2}, {true, true}), std::invalid_argument);
}
