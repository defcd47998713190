// Weights: safetensors files of ours and of others.
#include "autodiff/layers.hpp"
#include "autodiff/safetensors.hpp"
#include "experiments/runner/summary.hpp"
#include "tests/fuzz/fuzz.hpp"

FUZZ_TARGET(safetensors) {
  const std::filesystem::path path = fuzzing::write_file("input.safetensors", input);
  fuzzing::may_refuse([&] {
    const ad::Safetensors file(path);
    vaezoo::position_of(file.metadata());
    for (const ad::Safetensors::Tensor& tensor : file.tensors()) {
      std::vector<ad::Real> values(static_cast<std::size_t>(tensor.size));
      fuzzing::may_refuse([&] { file.read(tensor, values); });
    }
  });
  fuzzing::may_refuse([&] {
    ad::ParameterStore store{ad::Key(1)};
    const ad::Linear layer(ad::Parameters(store) / "layer", 2, 1);
    ad::load_parameters(store, path);
  });
}
