// Counts the heap allocations of each thread, for tests that promise none.
#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#include "tests/zoo/output_support.hpp"

namespace {
thread_local std::size_t counter = 0, largest = 0;
}

std::size_t test_support::allocations() { return counter; }
std::size_t test_support::largest_allocation() { return std::exchange(largest, 0); }

void* operator new(std::size_t size) {
  ++counter;
  largest = std::max(largest, size);
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
