// CIFAR-10's binary version: the input is the first of its files, the others hold one picture each.
#include "datasets/sources.hpp"
#include "tests/fuzz/fuzz.hpp"

FUZZ_TARGET(cifar) {
  const std::string one(3073, '\1');
  for (const char* name : {"data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"}) {
    fuzzing::write_file(std::string("cifar10/") + name, one);
  }
  fuzzing::write_file("cifar10/data_batch_1.bin", input);
  fuzzing::may_refuse([&] { vaezoo::load_cifar10(fuzzing::folder()); });
}
