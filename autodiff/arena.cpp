#include "autodiff/arena.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace ad {

std::byte* system_allocate(std::size_t bytes) {
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  const std::size_t align = bytes >= kHugePage ? kHugePage : Arena::kAlign;
  void* p = std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (p == nullptr) throw std::bad_alloc();
#ifdef __linux__
  if (align == kHugePage) madvise(p, bytes, MADV_HUGEPAGE);
#endif
  return static_cast<std::byte*>(p);
}

void system_free(std::byte* data) { std::free(data); }

Arena::~Arena() { release_all(); }

void Arena::release_all() {
  for (const Block& b : blocks_) system_free(b.data);
  blocks_.clear();
}

std::size_t Arena::capacity() const {
  std::size_t n = 0;
  for (const Block& b : blocks_) n += b.size;
  return n;
}

void Arena::grow(std::size_t bytes) {
  constexpr std::size_t kFirst = std::size_t{1} << 20;
  const std::size_t size = std::max({bytes, kFirst, capacity()});  // doubles, so that few blocks are ever made
  blocks_.push_back({system_allocate(size), size});
  ++system_allocations_;
  next_ = blocks_.back().data;
  left_ = size;
}

void Arena::reset() {
  if (blocks_.size() > 1) {  // the last step did not fit one block: make one that holds it
    const std::size_t size = used_ + used_ / 8;
    release_all();
    grow(size);
  }
  if (!blocks_.empty()) {
    next_ = blocks_.back().data;
    left_ = blocks_.back().size;
#ifndef NDEBUG
    std::memset(next_, 0xff, std::min(used_, left_));  // NaN bits: a stale read shows
#endif
  }
  used_ = 0;
}

}  // namespace ad
