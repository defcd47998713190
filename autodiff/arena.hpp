#pragma once
#include <cstddef>
#include <vector>

namespace ad {

/// A bump allocator: allocation moves a pointer, reset() forgets everything at once and keeps the memory, so a
/// training loop allocates from the system in its first step only. Every allocation is aligned and padded to 64 bytes.
class Arena {
 public:
  static constexpr std::size_t kAlign = 64;

  Arena() = default;
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void* allocate(std::size_t bytes) {
    bytes = (bytes + kAlign - 1) & ~(kAlign - 1);
    if (bytes > left_) [[unlikely]] grow(bytes);
    void* p = next_;
    next_ += bytes;
    left_ -= bytes;
    used_ += bytes;
    return p;
  }

  void reset();

  std::size_t used() const { return used_; }          ///< bytes handed out since the last reset
  std::size_t capacity() const;                       ///< bytes held from the system
  std::size_t system_allocations() const { return system_allocations_; }

 private:
  struct Block {
    std::byte* data;
    std::size_t size;
  };
  void grow(std::size_t bytes);
  void enter(std::size_t block);

  std::vector<Block> blocks_;
  std::size_t current_ = 0;  // the block being filled
  std::byte* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t used_ = 0;
  std::size_t system_allocations_ = 0;
};

/// 64-byte aligned memory from the system, in huge pages when it is large (fewer TLB misses in the big GEMMs).
std::byte* system_allocate(std::size_t bytes);
void system_free(std::byte* data);

}  // namespace ad
