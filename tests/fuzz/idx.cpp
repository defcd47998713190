// MNIST's format.
#include "datasets/idx.hpp"
#include "tests/fuzz/fuzz.hpp"

FUZZ_TARGET(idx) {
  const std::filesystem::path path = fuzzing::write_file("input.idx", input);
  for (const int axes : {3, 1}) fuzzing::may_refuse([&] { vaezoo::read_idx(path, axes); });
}
