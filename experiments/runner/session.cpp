#include "experiments/runner/session.hpp"

#include <algorithm>
#include <new>
#include <string_view>

namespace vaezoo {

DataSpec data_spec(const Dataset& data) {
  std::vector<ModalitySpec> modalities;
  for (const Modality& m : data.modalities) modalities.push_back({m.name, m.begin, m.shape.height, m.shape.width, m.shape.channels});
  return {.height = data.shape.height,
          .width = data.shape.width,
          .channels = data.shape.channels,
          .classes = data.classes,
          .unit_interval = data.unit_range,
          .conditions = data.train.condition_size(),
          .counts = data.counts,
          .levels = data.levels,
          .unlabelled = std::ranges::count(data.train.labels(), -1),
          .hidden = data.train.hidden(),
          .missing = data.train.missing_cells(),
          .examples = data.train.size() + data.left_out,
          .vocabulary = std::ssize(data.vocabulary),
          .name = data.name,
          .modalities = std::move(modalities)};
}

namespace {

std::unique_ptr<Model> build_model(const ModelConfig& config, const DataSpec& data, ad::ParameterStore& store) {
  constexpr std::string_view kStore = "[ParameterStore] ";
  try {
    return config.build(data, ad::Parameters(store));
  } catch (const ad::Error& e) {
    const std::string_view what = e.what();
    if (!what.starts_with(kStore)) throw;
    throw ConfigError(ad::cat("model: ", std::string(what.substr(kStore.size())), "; choose smaller sizes"));
  } catch (const std::bad_alloc&) {
    throw ConfigError("model: there is not enough memory for its parameters; choose smaller sizes");
  }
}

}  // namespace

Session::Session(ExperimentConfig config_, Dataset data_, const Dataset* built_for)
    : config(std::move(config_)), data(std::move(data_)), record(record_of(data)), keys(config.seed), store(keys.initial()),
      model(build_model(*config.model, data_spec(built_for != nullptr ? *built_for : data), store)) {}

EvaluationOptions evaluation_options(const EvaluateConfig& config, const Position& progress) {
  return {.batch_size = config.batch_size,
          .importance_samples = config.importance_samples,
          .chunk = config.chunk,
          .active_threshold = config.active_threshold,
          .active_kl = config.active_kl,
          .kl_split = config.kl_split,
          .progress = progress};
}

}  // namespace vaezoo
