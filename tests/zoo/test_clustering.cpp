#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autodiff/random.hpp"
#include "experiments/runner/clustering.hpp"

using namespace vaezoo;
using ad::Index;

TEST_CASE("the best assignment is the best of all permutations") {
  for (const std::size_t n : {1, 2, 5, 6})
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      std::vector<std::vector<double>> gain(n, std::vector<double>(n));
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j)  // with ties
          gain[i][j] = double(ad::uniform_integer(ad::Key(seed).fold(i * n + j), 12));
      const auto total = [&](const std::vector<std::size_t>& column) {
        double sum = 0;
        for (std::size_t i = 0; i < n; ++i) sum += gain[i][column[i]];
        return sum;
      };
      std::vector<std::size_t> order(n);
      std::iota(order.begin(), order.end(), std::size_t{0});
      double best = -1;
      do best = std::max(best, total(order));
      while (std::ranges::next_permutation(order).found);
      std::vector<std::size_t> found = best_assignment(gain);
      CHECK(total(found) == best);
      std::ranges::sort(found);
      std::iota(order.begin(), order.end(), std::size_t{0});
      CHECK(found == order);
    }
}

TEST_CASE("cluster scores do not depend on the numbers of the clusters, and skip examples without a label") {
  const std::vector<int> labels{0, 0, 1, 1, -1};
  const auto scores = [&](std::vector<Index> clusters) { return cluster_scores(clusters, labels); };
  CHECK(scores({1, 1, 0, 0, 3}).accuracy == 1);
  CHECK(scores({1, 1, 0, 0, 3}).nmi == doctest::Approx(1));
  CHECK(scores({5, 5, 2, 2, 0}).accuracy == 1);
  CHECK(scores({0, 1, 0, 1, 0}).accuracy == 0.5);
  CHECK(std::abs(scores({0, 1, 0, 1, 0}).nmi) < 1e-12);
  CHECK(scores({0, 0, 0, 0, 0}).accuracy == 0.5);  // one cluster stands for one class
  // scikit-learn's normalized_mutual_info_score([0,0,1,1,2,2], [0,0,0,1,1,2])
  const std::vector<int> truth{0, 0, 0, 1, 1, 2};
  const std::vector<Index> found{0, 0, 1, 1, 2, 2};
  CHECK(cluster_scores(found, truth).nmi == doctest::Approx(0.5206652).epsilon(1e-6));
  CHECK(cluster_scores(found, truth).accuracy == doctest::Approx(4.0 / 6));
}
