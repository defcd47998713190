#include "experiments/runner/aggregate_posterior.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/shape_ops.hpp"
#include "models/parts/kl_split.hpp"

namespace vaezoo {

void AggregatePosterior::add(const DiagonalNormal& q) {
  dimensions_ = q.mean.shape()[1];
  const Index rows = std::min(q.mean.shape()[0], kMost - count_);
  for (const auto& [from, to] : {std::pair(q.mean, &mean_), std::pair(q.log_variance, &log_variance_)})
    to->insert(to->end(), from.data(), from.data() + rows * dimensions_);
  count_ += rows;
}

std::optional<AggregateSplit> AggregatePosterior::split(Index draws, ad::Key key) const {
  if (count_ == 0) return {};
  constexpr Index kNumbers = 2'000'000;  // of the largest intermediate result
  draws = std::min(draws, count_);
  const Index block = std::max<Index>(1, kNumbers / (count_ * dimensions_));
  ad::Tape tape(ad::Grad::off);
  AggregateSplit total;
  for (Index begin = 0; begin < draws; begin += block) {
    tape.reset();
    const ad::Shape shape{count_, dimensions_};
    const DiagonalNormal all{tape.constant(shape, std::span(mean_)), tape.constant(shape, std::span(log_variance_))};
    const Index end = std::min(begin + block, draws);
    const DiagonalNormal own{ad::slice(all.mean, 0, begin, end), ad::slice(all.log_variance, 0, begin, end)};
    const Var z = own.rsample(key.fold(static_cast<std::uint64_t>(begin))).value, none = tape.constant({end - begin}, Real(0));
    const KlSplit split = split_kl(z, own.log_prob(z), none, all, tape.constant({end - begin, count_}, static_cast<Real>(-std::log(double(count_)))));
    for (Index i = 0; i < end - begin; ++i) {
      total.mutual_information += double(split.mutual_information.data()[i]) / double(draws);
      total.total_correlation += double(split.total_correlation.data()[i]) / double(draws);
    }
  }
  if (total.mutual_information > std::log(double(count_)) - kMargin) return {};
  return total;
}

}  // namespace vaezoo
