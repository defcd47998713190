// A run's folder whose state was changed: `resume` goes on, or refuses it.
//   line 1   laid over the state's counters, an object of JSON (RFC 7396: null takes a key away); anything else replaces them
//   line 2   laid over the header of state.safetensors, where the metadata are
//   rest     put at the end of metrics.jsonl
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "experiments/runner/run.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace vaezoo;
using nlohmann::json;

/// A run of 6 steps, 5 of them an epoch, with everything that a state can hold: an average, a plateau, a best step.
constexpr const char* kExperiment = R"({
  "name": "tiny",
  "dataset": {"name": "two_moons", "size": 48, "validation": 8, "test": 0},
  "model": {"name": "vae", "latent_dim": 1, "encoder": {"hidden": [2]}, "decoder": {"hidden": [2]}, "likelihood": "gaussian"},
  "train": {"steps": 6, "batch_size": 8, "ema_decay": 0.9, "log_every": 1, "schedule": {"name": "reduce_on_plateau"}},
  "evaluate": {"splits": [], "importance_samples": 0},
  "output": {"samples": 0, "reconstructions": 0, "latent_map": false, "tensorboard": false, "report": false}})";

const CommonOptions kQuiet = {.data_dir = std::nullopt, .threads = 1, .quiet = true};

/// The files of the run as training left them.
const std::map<std::string, std::string>& trained() {
  static const std::map<std::string, std::string> files = [] {
    const std::filesystem::path folder = fuzzing::folder() / "run";
    run_experiment(read_experiment(Document::from_text(kExperiment, "tiny.json")), folder, false, kQuiet);
    std::map<std::string, std::string> read;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) read[entry.path().lexically_relative(fuzzing::folder()).string()] = read_file(entry.path());
    }
    return read;
  }();
  return files;
}

void lay_over(json& value, std::string_view patch) {
  const json parsed = json::parse(patch, nullptr, false);
  if (parsed.is_object()) value.merge_patch(parsed);
}

std::string changed_state(const std::string& file, std::string_view state_patch, std::string_view header_patch) {
  std::uint64_t size = 0;
  std::memcpy(&size, file.data(), sizeof size);
  json header = json::parse(file.substr(sizeof size, size));
  json& text = header["__metadata__"]["state"];
  json state = json::parse(text.get<std::string>());
  lay_over(state, state_patch);
  const bool replaced = !state_patch.empty() && state_patch.front() != '{';
  const auto lenient = json::error_handler_t::replace;
  text = replaced ? std::string(state_patch) : state.dump(-1, ' ', false, lenient);
  lay_over(header, header_patch);
  const std::string written = header.dump(-1, ' ', false, lenient);
  const std::uint64_t length = written.size();
  std::string result(sizeof length, '\0');
  std::memcpy(result.data(), &length, sizeof length);
  return result + written + file.substr(sizeof size + size);
}

}  // namespace

FUZZ_TARGET(training_state) {
  const auto& files = trained();
  fuzzing::empty_folder();
  const bool unchanged = input.empty();
  const std::string_view state_patch = fuzzing::take_until('\n', input), header_patch = fuzzing::take_until('\n', input);
  for (const auto& [name, bytes] : files) {
    if (name == "run/checkpoints/state.safetensors") fuzzing::write_file(name, changed_state(bytes, state_patch, header_patch));
    else if (name == "run/metrics.jsonl") fuzzing::write_file(name, bytes + std::string(input));
    else fuzzing::write_file(name, bytes);
  }
  const auto resume = [] { return resume_run(fuzzing::folder() / "run", {}, kQuiet); };
  if (!unchanged) return fuzzing::may_refuse(resume);
  if (resume() != kDone) throw std::logic_error("a run that nobody changed does not go on");
}
