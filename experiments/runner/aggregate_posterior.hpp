#pragma once
// q(z) = 1/N sum_n q(z | x_n) of a whole split, and the KL split by it.
#include <optional>
#include <vector>

#include "models/model.hpp"

namespace vaezoo {

/// Estimates of the first two parts of KL(q(z | x) || p(z)) over a split, in nats; the third is what is left of the KL. See models/parts/kl_split.hpp.
struct AggregateSplit {
  double mutual_information = 0;  ///< I(x; z) of the split's N examples: at most log N
  double total_correlation = 0;
};

/// Gathers the q(z | x_n) of a split.
class AggregatePosterior {
 public:
  /// At most so many examples make up q(z): the first ones.
  static constexpr Index kMost = 50'000;

  void add(const DiagonalNormal& q);
  /// I(x; z) within so many nats of log N says that hardly two q(z | x_n) overlap: the examples are too few to tell what q(z) looks like.
  static constexpr double kMargin = 2;
  /// From one draw z ~ q(z | x_n) for each of the first `draws` examples; empty where these are too few.
  std::optional<AggregateSplit> split(Index draws, ad::Key key) const;

 private:
  Index dimensions_ = 0, count_ = 0;
  std::vector<Real> mean_, log_variance_;
};

}  // namespace vaezoo
