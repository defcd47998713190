// NumPy's arrays: .npy, .npz, gzipped or not.
#include "datasets/npy.hpp"
#include "datasets/sources.hpp"
#include "tests/fuzz/fuzz.hpp"

FUZZ_TARGET(npy) {
  using namespace vaezoo;
  const std::filesystem::path path = fuzzing::write_file("input.npz", input);
  fuzzing::may_refuse([&] { read_npy(path); });
  fuzzing::may_refuse([&] { load_npy({.train_file = "input.npz"}, fuzzing::folder()); });
}
