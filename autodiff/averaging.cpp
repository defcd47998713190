#include "autodiff/averaging.hpp"

#include <algorithm>

#include "autodiff/check.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/simd.hpp"

namespace ad {
namespace {
constexpr Index kGrain = 16384;  // numbers per parallel task
}

WeightAverage::WeightAverage(ParameterStore& store, AveragingOptions options)
    : store_(store), options_(options), average_(std::ssize(store.values())) {
  if (!(options.decay >= 0 && options.decay < 1))
    throw Error(cat("[WeightAverage] the decay must be in [0, 1), got ", options.decay));
  std::ranges::copy(store.values(), average_.data());
}

void WeightAverage::update() {
  if (swapped_) throw Error("[WeightAverage] the weights are swapped for evaluation; swap them back before the next update");
  ++updates_;
  const double t = static_cast<double>(updates_);
  const Batch move(static_cast<Real>(1 - (options_.warmup ? std::min(options_.decay, t / (t + 9)) : options_.decay)));
  const Real* weights = store_.values().data();
  Real* average = average_.data();
  parallel_blocks(average_.size(), kGrain, [&](Index begin, Index end) {
    for (Index i = begin; i < end; i += kLanes) {
      const Batch a = load(average + i);
      store(average + i, a + move * (load(weights + i) - a));
    }
  });
}

void WeightAverage::swap() {
  std::span<Real> weights = store_.values();
  std::swap_ranges(weights.begin(), weights.end(), average_.data());
  swapped_ = !swapped_;
}

}  // namespace ad
