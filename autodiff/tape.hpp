#pragma once
// Reverse-mode differentiation. Running a formula records its nodes on a tape; backward() walks them in reverse
// and each node adds its share of d(loss)/d(node) to the adjoints of its inputs. The tape is rebuilt every step on
// an arena that is rewound, which costs about a microsecond and lets a model be ordinary C++.
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "autodiff/arena.hpp"
#include "autodiff/check.hpp"
#include "autodiff/groups.hpp"
#include "autodiff/shape.hpp"

namespace ad {

class Tape;
class Parameter;

/// Where a pullback puts the gradient of one input. data == nullptr: nobody wants it. add: there is an earlier
/// contribution, so add to it; otherwise the memory is uninitialised and must be overwritten in full.
struct GradSlot {
  Real* data = nullptr;
  bool add = false;
  explicit operator bool() const { return data != nullptr; }
};

namespace detail {
struct Node {
  Real* value;
  Real* adjoint;        // nullptr until the first contribution
  bool* touched;        // has the adjoint been written? a parameter shares the flag of its flat gradient
  void (*pullback)(void*);
  void* closure;
  Node* previous;       // recording order
  Node** inputs;
  Index input_count;
  const char* name;
  const Parameter* parameter;
  Shape shape;
  Index size;
  Groups groups;        // of the parameters upstream, kVariables for a variable; none: no gradient flows here
  bool own_touched;
  bool borrowed;        // is the adjoint another node's memory?
};

/// A change of state that waits for the end of the step.
struct Effect {
  void (*run)(void*);
  void* closure;
  Effect* next;
};
}  // namespace detail

/// A handle to a tensor on a tape. Copying copies the handle. Valid until the tape is reset; use after that throws.
class Var {
 public:
  Var() = default;

  const Shape& shape() const { return node().shape; }
  Index size() const { return node().size; }
  bool live() const { return !node().groups.empty(); }  ///< does a gradient flow through here?
  Groups groups() const { return node().groups; }      ///< of the parameters (and variables) that this was computed from
  const char* name() const { return node().name; }
  Tape& tape() const { return *tape_; }

  Real* data() const { return node().value; }
  std::span<Real> value() const { return {node().value, static_cast<std::size_t>(node().size)}; }
  Real item() const;                                   ///< the one element; throws ShapeError when there are more

  /// d(loss)/d(this) of a variable or a parameter after backward(); all zeros when the loss does not depend on it. Empty when not
  /// live. Throws Error for the result of an op: the memory of its gradient is used again on the way back.
  std::span<const Real> gradient() const;

  explicit operator bool() const { return node_ != nullptr; }

 private:
  friend class Tape;
  Var(detail::Node* node, Tape* tape, std::uint64_t epoch) : node_(node), tape_(tape), epoch_(epoch) {}
  detail::Node& node() const;

  detail::Node* node_ = nullptr;
  Tape* tape_ = nullptr;
  std::uint64_t epoch_ = 0;
};

enum class Grad { off, on };

class Tape {
 public:
  /// Grad::off records no pullbacks and keeps no adjoints: the same model code, for evaluation.
  explicit Tape(Grad grad = Grad::on) : grad_(grad) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  // ---- leaves
  Var constant(const Shape& shape, std::span<const Real> data);  ///< borrows data, which must outlive the step
  Var constant(const Shape& shape, std::vector<Real>&& data) = delete;  // a temporary would be gone before the step is
  Var constant(const Shape& shape, Real value);                  ///< every element the same
  Var variable(const Shape& shape, std::span<const Real> data);  ///< copies data; has a gradient
  Var parameter(Parameter& p);                                   ///< its gradient is the parameter's own

  // ---- recording an op: make its node, fill the value, give the pullback
  /// A node with uninitialised value. live when gradients are on and an input is live; its groups are those of its inputs.
  Var node(const char* op, const Shape& shape, std::span<const Var> inputs);
  Var node(const char* op, const Shape& shape, std::initializer_list<Var> inputs) {
    return node(op, shape, std::span<const Var>(inputs.begin(), inputs.size()));
  }
  /// A node that looks at the value of x under another shape of equal size, or cuts it off from the gradient.
  Var alias(const char* op, const Shape& shape, Var x, bool live);

  /// The pullback of y: reads adjoint(y), writes grad(input) of each input. Captures must be plain data (they live
  /// in the arena and are never destroyed).
  template <class F>
  void on_backward(Var y, F pullback) {
    static_assert(std::is_trivially_copyable_v<F> && std::is_trivially_destructible_v<F>,
                  "a pullback captures plain data only: Vars, numbers, pointers into the arena");
    detail::Node& n = y.node();
    n.closure = new (arena_.allocate(sizeof(F))) F(pullback);
    n.pullback = [](void* f) { (*static_cast<F*>(f))(); };
  }
  /// The adjoint that has arrived at y; only inside y's pullback. May be overwritten there, it is not needed again.
  Real* adjoint(Var y) const { return y.node().adjoint; }
  /// The place for one contribution to the gradient of x; only inside a pullback. Each call is one contribution. Empty when no
  /// gradient flows to x, or none that this backward() asks for.
  GradSlot grad(Var x);
  /// The same inside y's pullback, where x may take over the memory of adjoint(y), which has the same size: for a pullback that
  /// reads each number of adjoint(y) for the last time before it writes that place of the gradient.
  GradSlot grad_over(Var x, Var y);

  /// Scratch memory until reset(), 64-byte aligned, uninitialised.
  template <class T = Real>
  T* scratch(Index count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return static_cast<T*>(arena_.allocate(static_cast<std::size_t>(count) * sizeof(T)));
  }

  /// Memory of the op that is running, 64-byte aligned, uninitialised: valid until the next call, so one call an op. All ops of a
  /// tape share it; for what need not stay until reset().
  Real* workspace(Index count);

  // ---- running
  /// Gradients of `loss` (one element) with respect to everything live. Parameters' gradients add up over calls
  /// until ParameterStore::zero_grad; the gradients of other nodes start from zero at each call.
  ///
  /// With `groups`, only the parameters of these groups (and variables) receive a gradient, and only nodes on the way to them are
  /// walked. So several losses of one recording train a part each: backward(vae_loss, encoder and decoder),
  /// backward(discriminator_loss, discriminator); then all optimisers step. Throws ShapeError when the loss depends on none of them.
  void backward(Var loss, Groups groups = Groups::all());
  /// Forgets every node and every effect, keeps the memory. All Vars of this tape become invalid.
  void reset();

  // ---- what a step does to state that no gradient trains: running statistics, codebook averages
  /// Keeps f, a closure of plain data like that of on_backward, for commit(). Nothing while a WithoutEffects lives.
  template <class F>
  void after_step(F f) {
    static_assert(std::is_trivially_copyable_v<F> && std::is_trivially_destructible_v<F>,
                  "an effect captures plain data only: Vars, numbers, pointers into the arena");
    if (without_effects_) return;
    auto* effect = new (arena_.allocate(sizeof(detail::Effect))) detail::Effect{};
    effect->closure = new (arena_.allocate(sizeof(F))) F(f);
    effect->run = [](void* closure) { (*static_cast<F*>(closure))(); };
    (last_effect_ != nullptr ? last_effect_->next : first_effect_) = effect;
    last_effect_ = effect;
  }
  /// Runs the effects in the order in which they came, each once. Called by whoever trains, after the optimisers have stepped:
  /// an evaluation that records the same model commits nothing.
  void commit();

  bool recording() const { return grad_ == Grad::on; }
  std::uint64_t epoch() const { return epoch_; }
  const Arena& arena() const { return arena_; }
  Index node_count() const { return count_; }

  /// "node 12 'linear' (encoder/0/weight)": the first node whose value holds a NaN or an infinity; "" when all are finite.
  std::string first_nonfinite() const;
  /// The recorded graph in Graphviz's dot language.
  std::string dot() const;

 private:
  friend class Var;
  friend class FrozenParameters;
  friend class WithoutEffects;
  std::vector<const detail::Node*> in_order() const;

  Grad grad_;
  bool frozen_ = false;
  bool without_effects_ = false;
  Groups active_ = Groups::all();  // what the running backward() asks for
  Arena arena_;
  std::unique_ptr<std::byte, void (*)(std::byte*)> workspace_{nullptr, system_free};
  Index workspace_size_ = 0;
  detail::Node* last_ = nullptr;
  detail::Effect *first_effect_ = nullptr, *last_effect_ = nullptr;
  Index count_ = 0;
  std::uint64_t epoch_ = 1;
};

/// As long as it lives, parameters enter the tape as constants: a network that is called then passes the gradient on to what it is
/// given and leaves its weights alone.
class FrozenParameters {
 public:
  explicit FrozenParameters(Tape& tape) : tape_(tape), before_(tape.frozen_) { tape.frozen_ = true; }
  FrozenParameters(const FrozenParameters&) = delete;
  FrozenParameters& operator=(const FrozenParameters&) = delete;
  ~FrozenParameters() { tape_.frozen_ = before_; }

 private:
  Tape& tape_;
  bool before_;
};

/// As long as it lives, after_step keeps nothing: for a second look at a batch, which the running statistics have seen.
class WithoutEffects {
 public:
  explicit WithoutEffects(Tape& tape) : tape_(tape), before_(tape.without_effects_) { tape.without_effects_ = true; }
  WithoutEffects(const WithoutEffects&) = delete;
  WithoutEffects& operator=(const WithoutEffects&) = delete;
  ~WithoutEffects() { tape_.without_effects_ = before_; }

 private:
  Tape& tape_;
  bool before_;
};

inline detail::Node& Var::node() const {
  if (node_ == nullptr || tape_->epoch() != epoch_) [[unlikely]]
    fail("Var", node_ == nullptr ? "this Var is empty: it was never assigned the result of an op"
                                 : "this Var is from before tape.reset(); values do not live across steps, copy what is needed");
  return *node_;
}

}  // namespace ad
