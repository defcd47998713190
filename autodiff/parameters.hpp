#pragma once
// The trained numbers of a model. All values are one flat buffer and all gradients another with equal offsets, so
// zero_grad, optimisers, clipping, averaging and checkpoints are single passes. A parameter is named by its path.
#include <deque>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/flat_buffer.hpp"
#include "autodiff/groups.hpp"
#include "autodiff/initializers.hpp"
#include "autodiff/random.hpp"
#include "autodiff/shape.hpp"

namespace ad {

class ParameterStore;

/// One named tensor of a store: a trained weight, or a buffer (state that is saved but not trained, like the
/// running mean of a batch norm).
class Parameter {
 public:
  const std::string& path() const { return path_; }  ///< "encoder/0/weight"
  const Shape& shape() const { return shape_; }
  Index size() const { return shape_.size(); }
  Index offset() const { return offset_; }           ///< into the flat buffers of its kind
  Groups group() const { return group_; }            ///< that of the first part of its path
  bool is_buffer() const { return is_buffer_; }
  bool trainable() const { return trainable_; }
  void set_trainable(bool on) { trainable_ = on && !is_buffer_; }  ///< false freezes it: no gradient is computed

  std::span<Real> value();
  std::span<const Real> gradient();  ///< zeros when nothing has arrived since zero_grad

 private:
  friend class ParameterStore;
  friend class Tape;
  Real* gradient_data();
  bool* touched_flag() { return &touched_; }

  ParameterStore* store_ = nullptr;
  std::string path_;
  Shape shape_;
  Index offset_ = 0;
  Groups group_;
  bool is_buffer_ = false;
  bool trainable_ = true;
  bool touched_ = false;  // does the gradient memory hold this step's sum?
};

class ParameterStore {
 public:
  /// Initial values are drawn from key.fold(path): adding a layer does not change how the others start.
  explicit ParameterStore(Key key) : key_(key) {}
  ParameterStore(const ParameterStore&) = delete;
  ParameterStore& operator=(const ParameterStore&) = delete;

  /// A new trained tensor. Throws Error when the path is taken, empty or has a '.' (files put it between the parts, for '/').
  /// References stay valid.
  Parameter& add(std::string_view path, const Shape& shape, const Initializer& initializer);
  Parameter& add_buffer(std::string_view path, const Shape& shape, Real value);

  std::deque<Parameter>& all() { return parameters_; }
  const std::deque<Parameter>& all() const { return parameters_; }
  Parameter* find(std::string_view path);  ///< nullptr when there is none
  /// The groups with these names: {"encoder", "decoder"} are all parameters "encoder/..." and "decoder/...". Throws Error for a name
  /// that no parameter begins with, and in a store with more than Groups::kMost groups.
  Groups groups(std::initializer_list<std::string_view> names) const;
  const std::vector<std::string>& group_names() const { return group_names_; }  ///< in the order in which they came
  Index count() const;                     ///< trained numbers, buffers not counted

  // The flat buffers. Tensors start at multiples of 64 bytes; the gaps hold zeros.
  std::span<Real> values() { return values_.span(); }
  std::span<Real> gradients();             ///< of every parameter; what nothing has reached is zero
  std::span<Real> buffers() { return buffers_.span(); }

  /// Forgets the gradients. No memory is written: the first contribution of the next step overwrites.
  void zero_grad();

  /// The path of the first weight whose gradient, or of the first tensor whose value, holds a NaN or an infinity; "" when
  /// there is none.
  std::string first_nonfinite_gradient();
  std::string first_nonfinite_value();

 private:
  friend class Parameter;
  Parameter& insert(std::string_view path, const Shape& shape, bool is_buffer);
  Groups group_of(std::string_view name);  // a new one for a new name

  Key key_;
  std::deque<Parameter> parameters_;
  std::vector<std::string> group_names_;  // by number
  FlatBuffer values_, gradients_, buffers_;
};

/// A place in the tree of names: Parameters p; p / "encoder" / "0" names its tensors "encoder/0/weight" and so on.
class Parameters {
 public:
  explicit Parameters(ParameterStore& store, std::string prefix = "") : store_(&store), prefix_(std::move(prefix)) {}
  Parameters operator/(std::string_view name) const { return Parameters(*store_, path(name)); }
  Parameters operator/(Index number) const { return *this / std::to_string(number); }

  Parameter& add(std::string_view name, const Shape& shape, const Initializer& initializer) const {
    return store_->add(path(name), shape, initializer);
  }
  Parameter& add_buffer(std::string_view name, const Shape& shape, Real value) const {
    return store_->add_buffer(path(name), shape, value);
  }
  const std::string& prefix() const { return prefix_; }
  ParameterStore& store() const { return *store_; }

 private:
  std::string path(std::string_view name) const {
    return prefix_.empty() ? std::string(name) : prefix_ + "/" + std::string(name);
  }

  ParameterStore* store_;
  std::string prefix_;
};

}  // namespace ad
