#pragma once
// Layers: parameters with the op that uses them. A layer is built once at a place in the tree of names and called every step:
//
//   ParameterStore store(Key(1));
//   Mlp encoder(Parameters(store) / "encoder", {784, 400, 20}, Activation::relu);
//   Var z = encoder(Context{tape, true, Key(1).fold(step)}, x);
//
// Names ("weight", "bias", "running_mean") and initial values are PyTorch's.
#include <concepts>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/linalg.hpp"
#include "autodiff/parameters.hpp"
#include "autodiff/random.hpp"
#include "autodiff/tape.hpp"

namespace ad {

/// Where training stands.
struct Position {
  std::int64_t step = 0;  ///< updates done before this one
  double epoch = 0;       ///< the same in epochs, with its fraction
};

/// What a layer needs to know about the call: where to record, whether this is training (batch norm then uses the batch's
/// statistics, dropout drops), and the key of this step's noise. A network called twice in one step needs two keys, or both
/// calls drop the same units.
struct Context {
  Tape& tape;
  bool training = false;
  Key key{};
  Position progress{};  ///< what schedules ask for
  Var condition{};  ///< [B, C]: what layers that are modulated by something outside of x (FiLM) read
};

/// A function of one tensor with parameters. Every layer is one, so they can be put into a Sequential.
class Layer {
 public:
  Layer() = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;
  Layer(Layer&&) = default;
  Layer& operator=(Layer&&) = default;
  virtual ~Layer() = default;

  virtual Var operator()(const Context& context, Var x) const = 0;
};

struct LinearOptions {
  Activation activation = Activation::identity;
  bool bias = true;
  Initializer initial_weight = init::linear_default();
  Initializer initial_bias = nullptr;  ///< when empty init::bias_default, as in PyTorch
};

/// y = activation(x W^T + b).   x: [..., in]   returns: [..., out].   weight: [out, in], bias: [out].
class Linear final : public Layer {
 public:
  Linear(const Parameters& p, Index in, Index out, const LinearOptions& options);
  Linear(const Parameters& p, Index in, Index out, Activation activation = Activation::identity);
  Var operator()(const Context& context, Var x) const override;

  Parameter& weight() const { return *weight_; }
  Parameter* bias() const { return bias_; }  ///< nullptr when there is none

 private:
  Parameter *weight_, *bias_ = nullptr;
  Activation activation_;
};

/// A chain of Linear layers "0", "1", ..., from sizes[0] to sizes.back(), with the activation between them.
///   x: [..., sizes[0]]   returns: [..., sizes.back()].   Throws ShapeError for fewer than two sizes.
class Mlp final : public Layer {
 public:
  Mlp(const Parameters& p, const std::vector<Index>& sizes, Activation activation, Activation last = Activation::identity);
  Var operator()(const Context& context, Var x) const override;

  const std::vector<Linear>& layers() const { return layers_; }

 private:
  std::vector<Linear> layers_;
};

/// Batch norm, Ioffe & Szegedy 2015, over all axes but the last: [B, D], or images [B, H, W, C].
/// In training by the batch's mean and (biased) variance, and at Tape::commit() the running ones move towards the batch's (unbiased)
/// ones by `momentum`; otherwise by the running ones.   x: [..., D]   returns: [..., D].
class BatchNorm final : public Layer {
 public:
  struct Options {
    Real momentum = Real(0.1), epsilon = Real(1e-5);
    bool affine = true;  ///< with weight and bias
    Activation activation = Activation::identity;  ///< after it, in the same pass
  };
  BatchNorm(const Parameters& p, Index features, const Options& options);
  BatchNorm(const Parameters& p, Index features) : BatchNorm(p, features, Options{}) {}
  Var operator()(const Context& context, Var x) const override;

 private:
  Options options_;
  Parameter *weight_ = nullptr, *bias_ = nullptr;
  Parameter *running_mean_, *running_var_, *batches_;
};

/// Layer norm, Ba et al. 2016, over the last axis.   x: [..., D]   returns: [..., D].
class LayerNorm final : public Layer {
 public:
  LayerNorm(const Parameters& p, Index features, Real epsilon = Real(1e-5));
  Var operator()(const Context& context, Var x) const override;

 private:
  Parameter *weight_, *bias_;
  Real epsilon_;
};

/// In training, each number is 0 with this probability and else divided by 1 - probability; the layer's path and the
/// context's key choose which. Otherwise x itself.
class Dropout final : public Layer {
 public:
  Dropout(const Parameters& p, Real probability);  ///< throws ShapeError outside of [0, 1)
  Var operator()(const Context& context, Var x) const override;

 private:
  std::string path_;
  Real probability_;
};

/// An activation as a layer of its own, where it cannot be fused into a Linear.
class Activate final : public Layer {
 public:
  Activate(const Parameters&, Activation activation) : activation_(activation) {}
  Var operator()(const Context&, Var x) const override { return activate(x, activation_); }

 private:
  Activation activation_;
};

/// Layers one after the other; their names are their numbers, as in PyTorch:
///   Sequential net(p);
///   net.add<Linear>(784, 400).add<BatchNorm>(400).add<Activate>(Activation::relu).add<Linear>(400, 20);
class Sequential final : public Layer {
 public:
  explicit Sequential(const Parameters& p) : place_(p) {}
  /// Appends an L built from its place and the arguments.
  template <std::derived_from<Layer> L, class... Arguments>
  Sequential& add(Arguments&&... arguments) {
    layers_.push_back(std::make_unique<L>(place_ / size(), std::forward<Arguments>(arguments)...));
    return *this;
  }
  Var operator()(const Context& context, Var x) const override;
  Index size() const { return std::ssize(layers_); }

 private:
  Parameters place_;
  std::vector<std::unique_ptr<Layer>> layers_;
};

/// y = x + f(x), f the Sequential that `build` fills (He et al. 2016). f must keep the shape.
class Residual final : public Layer {
 public:
  Residual(const Parameters& p, const std::function<void(Sequential&)>& build) : body_(p) { build(body_); }
  Var operator()(const Context& context, Var x) const override;

 private:
  Sequential body_;
};

/// A learned vector for each of `count` symbols.   weight: [count, width], from N(0, 1).
class Embedding {
 public:
  Embedding(const Parameters& p, Index count, Index width);
  /// returns: [indices, width]. Throws ShapeError for an index outside of [0, count).
  Var operator()(const Context& context, std::span<const Index> indices) const;

  Parameter& weight() const { return *weight_; }

 private:
  Parameter* weight_;
};

}  // namespace ad
