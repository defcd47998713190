#include "autodiff/optimizers.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/check.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/simd.hpp"

namespace ad {
namespace {
constexpr Index kGrain = 16384;  // numbers per parallel task
}

Optimizer::Optimizer(ParameterStore& store, const std::vector<std::string>& prefixes) : store_(store) {
  for (const std::string& prefix : prefixes)
    AD_CHECK(std::ranges::any_of(store.all(), [&](const Parameter& p) { return !p.is_buffer() && p.path().starts_with(prefix); }),
             "Optimizer", cat("no parameter has a path that begins with \"", prefix, "\""));
  for (const Parameter& p : store.all()) {
    const auto begins = [&](const std::string& prefix) { return p.path().starts_with(prefix); };
    if (!p.is_buffer() && (prefixes.empty() || std::ranges::any_of(prefixes, begins))) chosen_.push_back(&p);
  }
  ranges_.reserve(chosen_.size());  // so that no step allocates
  sums_.reserve(chosen_.size() + store.values().size() / kGrain + 1);
}

void Optimizer::find_ranges() {
  ranges_.clear();
  for (const Parameter* p : chosen_) {
    if (!p->trainable()) continue;
    const Index begin = p->offset(), end = begin + FlatBuffer::padded(p->size());
    if (!ranges_.empty() && ranges_.back().second == begin)
      ranges_.back().second = end;
    else
      ranges_.emplace_back(begin, end);
  }
}

template <class F>
double Optimizer::each_chunk(const F& f) {
  find_ranges();
  Real *values = store_.values().data(), *gradients = store_.gradients().data();
  sums_.clear();
  for (const auto& [begin, end] : ranges_) {
    const std::size_t first_sum = sums_.size();
    const Index first = begin;
    sums_.resize(first_sum + static_cast<std::size_t>((end - begin + kGrain - 1) / kGrain));
    parallel_blocks(end - begin, kGrain, [&](Index from, Index to) {
      const Index at = first + from;
      sums_[first_sum + static_cast<std::size_t>(from / kGrain)] = f(Chunk{values + at, gradients + at, at, to - from});
    });
  }
  double sum = 0;
  for (const double s : sums_) sum += s;
  return std::sqrt(sum);
}

void Optimizer::step(double learning_rate) {
  ++steps_;
  prepare(learning_rate);
  last_norm_ = each_chunk([&](const Chunk& c) { return update(c); });
}

namespace {

/// p = rule(i, p, g) for every batch of a chunk, i its place in the flat buffers; returns the sum of g^2.
template <class Chunk, class Rule>
Real each_batch(const Chunk& c, const Rule& rule) {
  Batch squares(Real(0));
  for (Index i = 0; i < c.count; i += kLanes) {
    const Batch g = load(c.gradient + i);
    squares += g * g;
    store(c.value + i, rule(c.offset + i, load(c.value + i), g));
  }
  return sum_lanes(squares);
}

/// state = decay state + (1 - decay) x, for the batch at i; returns the new state.
Batch average(FlatBuffer& state, Index i, double decay, const Batch& x) {
  const Batch s = Real(decay) * load(state.data() + i) + Real(1 - decay) * x;
  store(state.data() + i, s);
  return s;
}

}  // namespace

double Optimizer::gradient_norm() {
  return each_chunk([](const Chunk& c) {
    Batch squares(Real(0));
    for (Index i = 0; i < c.count; i += kLanes) squares += load(c.gradient + i) * load(c.gradient + i);
    return sum_lanes(squares);
  });
}

double Optimizer::clip_gradient_norm(double max_norm) {
  AD_CHECK(max_norm > 0, "clip_gradient_norm", cat("the largest norm must be positive, got ", max_norm));
  const double norm = gradient_norm(), scale = max_norm / (norm + 1e-6);
  if (scale >= 1) return norm;
  Real* gradients = store_.gradients().data();
  each_chunk([&](const Chunk& c) {
    for (Index i = c.offset; i < c.offset + c.count; i += kLanes) store(gradients + i, Real(scale) * load(gradients + i));
    return Real(0);
  });
  return norm;
}

void Optimizer::clip_gradient_value(double limit) {
  AD_CHECK(limit > 0, "clip_gradient_value", cat("the limit must be positive, got ", limit));
  Real* gradients = store_.gradients().data();
  const Batch high(static_cast<Real>(limit)), low = -high;
  each_chunk([&](const Chunk& c) {
    for (Index i = c.offset; i < c.offset + c.count; i += kLanes) {
      const Batch g = load(gradients + i);
      store(gradients + i, select(g < low, low, select(g > high, high, g)));
    }
    return Real(0);
  });
}

// ---- Sgd

Sgd::Sgd(ParameterStore& store, SgdOptions options, const std::vector<std::string>& prefixes)
    : Optimizer(store, prefixes), options_(options), momentum_(options.momentum != 0 ? make_state() : FlatBuffer()) {
  AD_CHECK(!options.nesterov || (options.momentum > 0 && options.dampening == 0), "Sgd",
           "Nesterov's method needs momentum and no dampening");
}

std::vector<Optimizer::State> Sgd::state() {
  if (options_.momentum == 0) return {};
  return {{"momentum", momentum_.span()}};
}

void Sgd::prepare(double learning_rate) {
  rate_ = Real(learning_rate);
  keep_ = Real(options_.momentum);
  take_ = steps_ == 1 ? Real(1) : Real(1 - options_.dampening);  // the first gradient enters undamped
}

Real Sgd::update(const Chunk& chunk) {
  const Real l2 = Real(options_.weight_decay);
  if (options_.momentum == 0)
    return each_batch(chunk, [&](Index, const Batch& p, const Batch& g) { return p - rate_ * (g + l2 * p); });
  return each_batch(chunk, [&](Index i, const Batch& p, const Batch& gradient) {
    const Batch g = gradient + l2 * p, b = keep_ * load(momentum_.data() + i) + take_ * g;
    store(momentum_.data() + i, b);
    return p - rate_ * (options_.nesterov ? g + keep_ * b : b);
  });
}

// ---- Adam

Adam::Adam(ParameterStore& store, AdamOptions options, const std::vector<std::string>& prefixes)
    : Optimizer(store, prefixes), options_(options), m_(make_state()), v_(make_state()),
      v_max_(options.amsgrad ? make_state() : FlatBuffer()) {}

std::vector<Optimizer::State> Adam::state() {
  std::vector<State> s{{"m", m_.span()}, {"v", v_.span()}};
  if (options_.amsgrad) s.push_back({"v_max", v_max_.span()});
  return s;
}

void Adam::prepare(double learning_rate) {
  const double t = static_cast<double>(steps_), root = std::sqrt(1 - std::pow(options_.beta2, t));
  rate_ = Real(learning_rate * root / (1 - std::pow(options_.beta1, t)));  // both corrections in one factor
  epsilon_ = Real(options_.epsilon * root);
  shrink_ = options_.decoupled ? Real(1 - learning_rate * options_.weight_decay) : Real(1);
  l2_ = options_.decoupled ? Real(0) : Real(options_.weight_decay);
}

Real Adam::update(const Chunk& chunk) {
  // copies, which stay in registers: the stores below might alias the members
  const Real rate = rate_, epsilon = epsilon_, shrink = shrink_, l2 = l2_;
  return each_batch(chunk, [&, rate, epsilon, shrink, l2](Index i, const Batch& p, const Batch& gradient) {
    const Batch g = gradient + l2 * p;
    const Batch m = average(m_, i, options_.beta1, g);
    Batch v = average(v_, i, options_.beta2, g * g);
    if (options_.amsgrad) {
      v = fmax(load(v_max_.data() + i), v);
      store(v_max_.data() + i, v);
    }
    return shrink * p - rate * m / (xsimd::sqrt(v) + epsilon);
  });
}

// ---- Adamax

Adamax::Adamax(ParameterStore& store, AdamaxOptions options, const std::vector<std::string>& prefixes)
    : Optimizer(store, prefixes), options_(options), m_(make_state()), u_(make_state()) {}

void Adamax::prepare(double learning_rate) {
  rate_ = Real(learning_rate / (1 - std::pow(options_.beta1, static_cast<double>(steps_))));
}

Real Adamax::update(const Chunk& chunk) {
  return each_batch(chunk, [&](Index i, const Batch& p, const Batch& gradient) {
    const Batch g = gradient + Real(options_.weight_decay) * p;
    const Batch m = average(m_, i, options_.beta1, g);
    const Batch u = fmax(Real(options_.beta2) * load(u_.data() + i), xsimd::abs(g) + Real(options_.epsilon));
    store(u_.data() + i, u);
    return p - rate_ * m / u;
  });
}

// ---- Rmsprop

Rmsprop::Rmsprop(ParameterStore& store, RmspropOptions options, const std::vector<std::string>& prefixes)
    : Optimizer(store, prefixes), options_(options), square_(make_state()), mean_(options.centered ? make_state() : FlatBuffer()),
      momentum_(options.momentum != 0 ? make_state() : FlatBuffer()) {}

std::vector<Optimizer::State> Rmsprop::state() {
  std::vector<State> s{{"square", square_.span()}};
  if (options_.centered) s.push_back({"mean", mean_.span()});
  if (options_.momentum != 0) s.push_back({"momentum", momentum_.span()});
  return s;
}

void Rmsprop::prepare(double learning_rate) { rate_ = Real(learning_rate); }

Real Rmsprop::update(const Chunk& chunk) {
  return each_batch(chunk, [&](Index i, const Batch& p, const Batch& gradient) {
    const Batch g = gradient + Real(options_.weight_decay) * p;
    Batch s = average(square_, i, options_.alpha, g * g);
    if (options_.centered) {
      const Batch mean = average(mean_, i, options_.alpha, g);
      s = fmax(s - mean * mean, Batch(Real(0)));  // rounding must not make the variance negative
    }
    Batch d = g / (xsimd::sqrt(s) + Real(options_.epsilon));
    if (options_.momentum != 0) {
      d += Real(options_.momentum) * load(momentum_.data() + i);
      store(momentum_.data() + i, d);
    }
    return p - rate_ * d;
  });
}

}  // namespace ad
