#include "autodiff/optimizers.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/parallel.hpp"
#include "autodiff/simd.hpp"

namespace ad {
namespace {
constexpr Index kGrain = 16384;  // numbers per parallel task
}

Optimizer::Optimizer(ParameterStore& store, const std::vector<std::string>& prefixes) : store_(store) {
  constexpr Index kPad = static_cast<Index>(64 / sizeof(Real));
  for (const Parameter& p : store.all()) {
    const bool chosen = prefixes.empty() || std::ranges::any_of(prefixes, [&](const std::string& s) { return p.path().starts_with(s); });
    if (!p.trainable() || !chosen) continue;
    const Index begin = p.offset(), end = begin + (p.size() + kPad - 1) / kPad * kPad;  // the gap up to the next tensor is zeros
    if (!ranges_.empty() && ranges_.back().second == begin)
      ranges_.back().second = end;
    else
      ranges_.emplace_back(begin, end);
  }
}

void Optimizer::step(Real learning_rate) {
  ++steps_;
  Real* values = store_.values().data();
  const Real* gradients = store_.gradients().data();
  for (const auto& [begin, end] : ranges_) {
    const Index first = begin;
    parallel_blocks(end - begin, kGrain, [&](Index from, Index to) {
      const Index at = first + from;
      update({values + at, gradients + at, static_cast<std::size_t>(at), to - from}, learning_rate);
    });
  }
}

Adam::Adam(ParameterStore& store, AdamOptions options, const std::vector<std::string>& prefixes)
    : Optimizer(store, prefixes), options_(options), m_(make_state()), v_(make_state()) {}

void Adam::update(const Chunk& c, Real learning_rate) {
  const Real b1 = options_.beta1, b2 = options_.beta2;
  const Real correction2 = std::sqrt(Real(1 - std::pow(double(b2), double(steps_))));
  const Real rate = learning_rate * correction2 / Real(1 - std::pow(double(b1), double(steps_)));
  const Batch epsilon(options_.epsilon * correction2);
  const Real shrink = options_.decoupled ? 1 - learning_rate * options_.weight_decay : Real(1);
  const Real l2 = options_.decoupled ? 0 : options_.weight_decay;
  Real *m = m_.data() + c.offset, *v = v_.data() + c.offset;
  for (Index i = 0; i < c.count; i += kLanes) {  // counts are multiples of 64 bytes
    const Batch p = load(c.value + i), g = load(c.gradient + i) + l2 * p;
    const Batch mi = b1 * load(m + i) + (1 - b1) * g;
    const Batch vi = b2 * load(v + i) + (1 - b2) * g * g;
    store(m + i, mi);
    store(v + i, vi);
    store(c.value + i, shrink * p - rate * mi / (xsimd::sqrt(vi) + epsilon));
  }
}

}  // namespace ad
