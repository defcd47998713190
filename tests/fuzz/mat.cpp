// MATLAB's files of level 5, and the two data sets that come in them.
#include "datasets/mat.hpp"
#include "datasets/sources.hpp"
#include "tests/fuzz/fuzz.hpp"

FUZZ_TARGET(mat) {
  using namespace vaezoo;
  const std::filesystem::path path = fuzzing::write_file("svhn/train_32x32.mat", input);
  fuzzing::write_file("svhn/test_32x32.mat", input);
  fuzzing::write_file("omniglot/chardata.mat", input);
  fuzzing::may_refuse([&] { read_mat(path, {"X"}); });
  fuzzing::may_refuse([&] { load_svhn(fuzzing::folder()); });
  fuzzing::may_refuse([&] { load_omniglot(fuzzing::folder(), Key(1)); });
}
