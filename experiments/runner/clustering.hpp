#pragma once
// How well clusters that were found without labels agree with them.
#include <span>
#include <vector>

#include "autodiff/shape.hpp"

namespace vaezoo {

struct ClusterScores {
  double accuracy = 0;  ///< share of the examples in the cluster that stands for their class, each cluster for one class at most: the best such choice
  double nmi = 0;       ///< mutual information over the mean of the two entropies; 0 where both are 0
};

/// Of examples with a label >= 0; those below 0 do not count.
ClusterScores cluster_scores(std::span<const ad::Index> clusters, std::span<const int> labels);

/// The column of each row that makes the sum of gain[row][column] the largest, no column twice. gain: [n, n].
///   Kuhn, "The Hungarian method for the assignment problem", 1955; here by shortest augmenting paths (Jonker & Volgenant 1987)
std::vector<std::size_t> best_assignment(const std::vector<std::vector<double>>& gain);

}  // namespace vaezoo
