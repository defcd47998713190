#pragma once
#include <memory>
#include <span>

#include "autodiff/real.hpp"

namespace ad {

/// Numbers side by side that grow by whole tensors. Each tensor starts at a multiple of 64 bytes and the gap after it holds
/// zeros, so a kernel may run over the whole buffer in full vectors.
class FlatBuffer {
 public:
  static constexpr Index kPad = static_cast<Index>(64 / sizeof(Real));
  static constexpr Index padded(Index count) { return (count + kPad - 1) / kPad * kPad; }

  FlatBuffer() = default;
  /// `count` numbers, all equal to `value`.
  explicit FlatBuffer(Index count, Real value = 0);

  /// Room for `count` more numbers, zeros at first; returns where they begin. Moves the buffer.
  Index append(Index count);

  Real* data() { return data_.get(); }
  const Real* data() const { return data_.get(); }
  Index size() const { return size_; }
  std::span<Real> span() { return {data_.get(), static_cast<std::size_t>(size_)}; }

 private:
  struct Free {
    void operator()(Real* p) const;
  };
  std::unique_ptr<Real, Free> data_;
  Index size_ = 0, capacity_ = 0;
};

}  // namespace ad
