// The archives of data sets, tar and zip, and any member of a zip archive.
#include "datasets/input_file.hpp"
#include "datasets/unpack.hpp"
#include "tests/fuzz/fuzz.hpp"

FUZZ_TARGET(archive) {
  using namespace vaezoo;
  fuzzing::empty_folder();
  const std::filesystem::path tar = fuzzing::write_file("input.tar.gz", input), zip = fuzzing::write_file("input.zip", input);
  fuzzing::may_refuse([&] { unpack("cifar10", tar, fuzzing::folder()); });
  fuzzing::may_refuse([&] { unpack("emnist", zip, fuzzing::folder()); });
  fuzzing::may_refuse([&] {
    for (const std::string& name : zip_members(zip)) {
      fuzzing::may_refuse([&] { open_zip_member(zip, name)->read_all(); });
    }
  });
}
