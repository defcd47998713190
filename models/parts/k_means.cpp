#include "models/parts/k_means.hpp"

#include <algorithm>
#include <limits>

#include "autodiff/check.hpp"
#include "models/distributions/samplers.hpp"

namespace vaezoo {

using namespace ad;

namespace {

class KMeans {
 public:
  KMeans(std::span<const Real> points, Index dimensions, Index clusters)
      : points_(points), d_(dimensions), k_(clusters), n_(std::ssize(points) / dimensions) {}

  Clusters run(Key key) const {
    Clusters c{seeds(key), std::vector<Index>(static_cast<std::size_t>(n_), -1), 0};
    constexpr int kMostRounds = 200;
    for (int round = 0; round < kMostRounds && assign(c); ++round) centre(c);
    return c;
  }

 private:
  double square(Index point, const double* mean) const {
    double total = 0;
    for (Index j = 0; j < d_; ++j) {
      const double e = double(points_[static_cast<std::size_t>(point * d_ + j)]) - mean[j];
      total += e * e;
    }
    return total;
  }

  /// k-means++: each further seed is a point, drawn with the square of its distance from the seeds so far.
  std::vector<double> seeds(Key key) const {
    std::vector<double> mean, nearest(static_cast<std::size_t>(n_), std::numeric_limits<double>::infinity());
    for (Index k = 0; k < k_; ++k) {
      const double u = uniform_number(key.fold(static_cast<std::uint64_t>(k)));
      Index chosen = std::min(n_ - 1, static_cast<Index>(u * double(n_)));
      if (k > 0) {
        double total = 0;
        for (const double square : nearest) total += square;
        double below = 0;
        for (chosen = 0; chosen + 1 < n_ && (below += nearest[static_cast<std::size_t>(chosen)]) < u * total;) ++chosen;
      }
      for (Index j = 0; j < d_; ++j) mean.push_back(double(points_[static_cast<std::size_t>(chosen * d_ + j)]));
      for (Index i = 0; i < n_; ++i) {
        double& best = nearest[static_cast<std::size_t>(i)];
        best = std::min(best, square(i, mean.data() + k * d_));
      }
    }
    return mean;
  }

  /// Each point to its nearest mean; false when nothing changed.
  bool assign(Clusters& c) const {
    bool changed = false;
    c.inertia = 0;
    for (Index i = 0; i < n_; ++i) {
      Index best = 0;
      double least = std::numeric_limits<double>::infinity();
      for (Index k = 0; k < k_; ++k)
        if (const double distance = square(i, c.mean.data() + k * d_); distance < least) least = distance, best = k;
      c.inertia += least;
      Index& of = c.of[static_cast<std::size_t>(i)];
      changed = changed || of != best;
      of = best;
    }
    return changed;
  }

  /// A cluster that lost all its points keeps its mean.
  void centre(Clusters& c) const {
    std::vector<double> sum(c.mean.size(), 0), count(static_cast<std::size_t>(k_), 0);
    for (Index i = 0; i < n_; ++i) {
      const Index k = c.of[static_cast<std::size_t>(i)];
      ++count[static_cast<std::size_t>(k)];
      for (Index j = 0; j < d_; ++j) sum[static_cast<std::size_t>(k * d_ + j)] += double(points_[static_cast<std::size_t>(i * d_ + j)]);
    }
    for (std::size_t m = 0; m < sum.size(); ++m)
      if (const double of = count[m / static_cast<std::size_t>(d_)]; of > 0) c.mean[m] = sum[m] / of;
  }

  std::span<const Real> points_;
  Index d_, k_, n_;
};

}  // namespace

Clusters k_means(std::span<const Real> points, Index dimensions, Index clusters, Key key, int restarts) {
  AD_CHECK(dimensions >= 1 && clusters >= 1 && std::ssize(points) / dimensions >= clusters, "k_means",
           cat(std::ssize(points), " numbers are too few points of ", dimensions, " for ", clusters, " clusters"));
  const KMeans algorithm(points, dimensions, clusters);
  Clusters best = algorithm.run(key.fold(0));
  for (int again = 1; again < restarts; ++again)
    if (Clusters other = algorithm.run(key.fold(static_cast<std::uint64_t>(again))); other.inertia < best.inertia) best = std::move(other);
  return best;
}

}  // namespace vaezoo
