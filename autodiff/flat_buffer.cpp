#include "autodiff/flat_buffer.hpp"

#include <algorithm>
#include <cstring>

#include "autodiff/arena.hpp"

namespace ad {

void FlatBuffer::Free::operator()(Real* p) const { system_free(reinterpret_cast<std::byte*>(p)); }

FlatBuffer::FlatBuffer(Index count, Real value) {
  append(count);
  std::fill_n(data_.get(), count, value);
}

Index FlatBuffer::append(Index count) {
  const Index begin = size_, end = size_ + padded(count);
  if (end > capacity_) {
    const Index capacity = std::max(end, 2 * capacity_);
    std::byte* memory = system_allocate(static_cast<std::size_t>(capacity) * sizeof(Real));
    std::unique_ptr<Real, Free> grown(reinterpret_cast<Real*>(memory));
    if (size_ > 0) std::memcpy(grown.get(), data_.get(), static_cast<std::size_t>(size_) * sizeof(Real));
    data_ = std::move(grown);
    capacity_ = capacity;
  }
  std::fill(data_.get() + begin, data_.get() + end, Real(0));
  size_ = end;
  return begin;
}

}  // namespace ad
