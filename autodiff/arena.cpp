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

Arena::~Arena() {
  for (const Block& b : blocks_) system_free(b.data);
}

std::size_t Arena::capacity() const {
  std::size_t n = 0;
  for (const Block& b : blocks_) n += b.size;
  return n;
}

void Arena::enter(std::size_t block) {
  current_ = block;
  next_ = blocks_[block].data;
  left_ = blocks_[block].size;
}

void Arena::grow(std::size_t bytes) {
  for (std::size_t i = current_ + 1; i < blocks_.size(); ++i)
    if (blocks_[i].size >= bytes) return enter(i);
  constexpr std::size_t kFirst = std::size_t{1} << 20;
  const std::size_t size = std::max({bytes, kFirst, capacity()});  // doubles, so that few blocks are ever made
  blocks_.push_back({system_allocate(size), size});
  ++system_allocations_;
  enter(blocks_.size() - 1);
}

void Arena::reset() {
#ifndef NDEBUG
  for (const Block& b : blocks_) std::memset(b.data, 0xff, b.size);  // NaN bits: a stale read shows
#endif
  if (!blocks_.empty()) enter(0);
  used_ = 0;
}

}  // namespace ad
