// Experiment files. Up to the first NUL the input is the file; each piece after one is a KEY=VALUE of --set.
#include <stdexcept>

#include "experiments/runner/experiment.hpp"
#include "tests/fuzz/fuzz.hpp"

FUZZ_TARGET(json) {
  using namespace vaezoo;
  fuzzing::may_refuse([&] {
    Document document = Document::from_text(fuzzing::take_until('\0', input), "input.json");
    while (!input.empty()) document.set(std::string(fuzzing::take_until('\0', input)));
    ExperimentConfig config = read_experiment(document);
    // What config.json holds is the same experiment.
    const std::string text = experiment_text(config);
    ExperimentConfig again = read_experiment(Document::from_text(text, "config.json"));
    if (experiment_text(again) != text) throw std::logic_error("config.json reads back as another experiment");
  });
}
