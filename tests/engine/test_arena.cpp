#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "autodiff/arena.hpp"

using ad::Arena;

TEST_CASE("every allocation is aligned to 64 bytes and overlaps no other") {
  Arena arena;
  std::vector<std::pair<std::byte*, std::size_t>> pieces;
  for (std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65},
                            std::size_t{3'000'000}, std::size_t{7}, std::size_t{1'048'576}}) {
    auto* p = static_cast<std::byte*>(arena.allocate(bytes));
    CHECK(reinterpret_cast<std::uintptr_t>(p) % Arena::kAlign == 0);
    if (bytes > 0) std::memset(p, static_cast<int>(pieces.size()), bytes);  // of no bytes, the address may be null
    pieces.emplace_back(p, bytes);
  }
  for (std::size_t i = 0; i < pieces.size(); ++i)
    for (std::size_t k = 0; k < pieces[i].second; k += 61) REQUIRE(pieces[i].first[k] == static_cast<std::byte>(i));
}

TEST_CASE("the same requests after a reset take no memory from the system, in any number of rounds") {
  Arena arena;
  const auto round = [&] {
    for (int i = 0; i < 50; ++i) arena.allocate(static_cast<std::size_t>(i) * 40'000);
  };
  round();
  const std::size_t used = arena.used(), capacity = arena.capacity(), calls = arena.system_allocations();
  CHECK(used >= 49 * 50 / 2 * 40'000);
  CHECK(capacity >= used);
  for (int i = 0; i < 5; ++i) {
    arena.reset();
    CHECK(arena.used() == 0);
    round();
    CHECK(arena.used() == used);
  }
  CHECK(arena.capacity() == capacity);
  CHECK(arena.system_allocations() == calls);
}

TEST_CASE("an arena takes few blocks however much it grows") {
  Arena arena;
  for (int i = 0; i < 2000; ++i) arena.allocate(100'000);  // 200 MB
  CHECK(arena.system_allocations() <= 10);
}

TEST_CASE("a large request after small ones finds its block again after a reset") {
  Arena arena;
  arena.allocate(100);
  void* large = arena.allocate(5'000'000);
  const std::size_t calls = arena.system_allocations();
  arena.reset();
  arena.allocate(100);
  CHECK(arena.allocate(5'000'000) == large);
  CHECK(arena.system_allocations() == calls);
}
