#pragma once
#include <span>
#include <vector>

#include "autodiff/random.hpp"

namespace vaezoo {

struct Clusters {
  std::vector<double> mean;      ///< [K, D]
  std::vector<ad::Index> of;     ///< the cluster of each point
  double inertia = 0;            ///< sum of squared distances from the means
};

/// The best of `restarts` runs of Lloyd's algorithm from k-means++ starts, of points [N, D] with N >= K.
///   Arthur & Vassilvitskii, "k-means++: The Advantages of Careful Seeding", SODA 2007
Clusters k_means(std::span<const ad::Real> points, ad::Index dimensions, ad::Index clusters, ad::Key key, int restarts = 10);

}  // namespace vaezoo
