#pragma once
// Optimisers: each is one pass over the flat buffers of a ParameterStore. Names, formulas and defaults are PyTorch's.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "autodiff/parameters.hpp"

namespace ad {

/// What every optimiser shares: the parameters it trains and its state, which is as flat as they are.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// One update with the store's gradients and this learning rate.
  void step(Real learning_rate);

  std::int64_t steps() const { return steps_; }

  /// The state by name ("m", "v"), each as long as the store's values; for checkpoints.
  struct State {
    std::string name;
    std::span<Real> values;
  };
  virtual std::vector<State> state() = 0;
  void set_steps(std::int64_t steps) { steps_ = steps; }

 protected:
  /// Trains those trainable parameters whose path begins with one of `prefixes` (all when empty).
  Optimizer(ParameterStore& store, const std::vector<std::string>& prefixes);
  std::vector<Real> make_state(Real value = 0) const { return std::vector<Real>(store_.values().size(), value); }

  struct Chunk {  // consecutive trained numbers
    Real* value;
    const Real* gradient;
    std::size_t offset;
    Index count;
  };
  virtual void update(const Chunk& chunk, Real learning_rate) = 0;

 private:
  ParameterStore& store_;
  std::vector<std::pair<Index, Index>> ranges_;  // [begin, end) in the flat buffers

 protected:
  std::int64_t steps_ = 0;
};

struct AdamOptions {
  Real beta1 = Real(0.9), beta2 = Real(0.999), epsilon = Real(1e-8);
  Real weight_decay = 0;    ///< L2 penalty added to the gradient; decoupled (AdamW, Loshchilov & Hutter 2019) when `decoupled`
  bool decoupled = false;
};

/// Adam: Kingma & Ba, ICLR 2015, algorithm 1.
class Adam final : public Optimizer {
 public:
  explicit Adam(ParameterStore& store, AdamOptions options = {}, const std::vector<std::string>& prefixes = {});
  std::vector<State> state() override { return {{"m", m_}, {"v", v_}}; }

 private:
  void update(const Chunk& chunk, Real learning_rate) override;
  AdamOptions options_;
  std::vector<Real> m_, v_;
};

}  // namespace ad
