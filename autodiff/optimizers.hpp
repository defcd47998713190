#pragma once
// Optimisers: each is one pass over the flat buffers of a ParameterStore. Names, formulas and defaults are PyTorch's.
// In the formulas p is a weight, g its gradient, t the number of the step from 1 on, and all operations are elementwise.
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/flat_buffer.hpp"
#include "autodiff/parameters.hpp"

namespace ad {

/// What every optimiser shares: the parameters it trains and its state, which is as flat as they are.
class Optimizer {
 public:
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer() = default;

  /// One update with the store's gradients. A weight that nothing has reached since zero_grad counts as one with gradient
  /// zero (PyTorch skips it when its gradient is None); a frozen one stays as it is.
  void step(double learning_rate);

  /// The L2 norm of the gradients that the last step() used; it comes with the update for free. Not finite when one of them
  /// is not (or when the squares overflow): then ParameterStore::first_nonfinite_gradient() tells which.
  double last_gradient_norm() const { return last_norm_; }

  // Before a step:
  /// The L2 norm over all gradients that this optimiser trains with. One pass.
  double gradient_norm();
  /// Scales the gradients by min(1, max_norm / (norm + 1e-6)), as PyTorch; returns the norm from before. Pascanu et al. 2013.
  double clip_gradient_norm(double max_norm);
  /// Limits every number of the gradients to [-limit, limit]; a NaN stays.
  void clip_gradient_value(double limit);

  /// The state by name ("m", "v"), each as long as the store's values; for checkpoints, together with steps().
  struct State {
    std::string name;
    std::span<Real> values;
  };
  virtual std::vector<State> state() = 0;
  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

 protected:
  /// Trains those parameters whose path begins with one of `prefixes` (all when empty) while they are trainable.
  /// Throws Error for a prefix that no parameter has.
  Optimizer(ParameterStore& store, const std::vector<std::string>& prefixes);
  FlatBuffer make_state() const { return FlatBuffer(std::ssize(store_.values())); }

  struct Chunk {  // consecutive trained numbers; a multiple of 64 bytes
    Real* value;
    const Real* gradient;
    Index offset, count;
  };
  /// Computes what the step number steps_ and the rate fix for all numbers.
  virtual void prepare(double learning_rate) = 0;
  /// Updates a chunk, returns the sum of its squared gradients. Called in parallel.
  virtual Real update(const Chunk& chunk) = 0;

  std::int64_t steps_ = 0;

 private:
  void find_ranges();
  /// sqrt of the sum of f(chunk), the chunks in parallel, their sums in order.
  template <class F>
  double each_chunk(const F& f);

  ParameterStore& store_;
  std::vector<const Parameter*> chosen_;
  std::vector<std::pair<Index, Index>> ranges_;  // of the chosen and trainable, [begin, end) in the flat buffers
  std::vector<double> sums_;                     // one per chunk
  double last_norm_ = 0;
};

struct SgdOptions {
  double momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;  ///< needs momentum and no dampening
};

/// Stochastic gradient descent: g += weight_decay p; b = momentum b + (1 - dampening) g (b = g at first);
/// p -= rate b, or with Nesterov's look-ahead p -= rate (g + momentum b) (Sutskever et al. 2013).
class Sgd final : public Optimizer {
 public:
  explicit Sgd(ParameterStore& store, SgdOptions options = {}, const std::vector<std::string>& prefixes = {});
  std::vector<State> state() override;

 private:
  void prepare(double learning_rate) override;
  Real update(const Chunk& chunk) override;
  SgdOptions options_;
  FlatBuffer momentum_;  // empty without momentum
  Real rate_ = 0, keep_ = 0, take_ = 0;
};

struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0;  ///< L2 penalty added to the gradient, or, when decoupled, taken off the weight
  bool decoupled = false;
  bool amsgrad = false;     ///< divides by the largest v so far (Reddi et al. 2018)
};
/// AdamW (Loshchilov & Hutter 2019): Adam with decoupled weight decay, p -= rate weight_decay p.
constexpr AdamOptions adamw(double weight_decay = 0.01) { return {.weight_decay = weight_decay, .decoupled = true}; }

/// Adam (Kingma & Ba 2015, algorithm 1): m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
/// p -= rate m' / (sqrt(v') + epsilon), m' = m / (1 - beta1^t), v' = v / (1 - beta2^t).
class Adam final : public Optimizer {
 public:
  explicit Adam(ParameterStore& store, AdamOptions options = {}, const std::vector<std::string>& prefixes = {});
  std::vector<State> state() override;

 private:
  void prepare(double learning_rate) override;
  Real update(const Chunk& chunk) override;
  AdamOptions options_;
  FlatBuffer m_, v_, v_max_;  // v_max_ is empty without amsgrad
  Real rate_ = 0, epsilon_ = 0, shrink_ = 1, l2_ = 0;
};

struct AdamaxOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
};

/// Adamax (Kingma & Ba 2015, algorithm 2): m as in Adam; u = max(beta2 u, |g| + epsilon); p -= rate / (1 - beta1^t) m / u.
class Adamax final : public Optimizer {
 public:
  explicit Adamax(ParameterStore& store, AdamaxOptions options = {}, const std::vector<std::string>& prefixes = {});
  std::vector<State> state() override { return {{"m", m_.span()}, {"u", u_.span()}}; }

 private:
  void prepare(double learning_rate) override;
  Real update(const Chunk& chunk) override;
  AdamaxOptions options_;
  FlatBuffer m_, u_;
  Real rate_ = 0;
};

struct RmspropOptions {
  double alpha = 0.99, epsilon = 1e-8, weight_decay = 0, momentum = 0;
  bool centered = false;
};

/// RMSprop (Hinton, 2012): s = alpha s + (1 - alpha) g^2; d = g / (sqrt(s) + epsilon), centred: s - mean(g)^2 under the root
/// with mean(g) averaged likewise (Graves 2013); p -= rate d, or with momentum b = momentum b + d; p -= rate b.
class Rmsprop final : public Optimizer {
 public:
  explicit Rmsprop(ParameterStore& store, RmspropOptions options = {}, const std::vector<std::string>& prefixes = {});
  std::vector<State> state() override;

 private:
  void prepare(double learning_rate) override;
  Real update(const Chunk& chunk) override;
  RmspropOptions options_;
  FlatBuffer square_, mean_, momentum_;  // the last two are empty when unused
  Real rate_ = 0;
};

}  // namespace ad
