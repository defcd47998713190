#include "experiments/runner/session.hpp"

namespace vaezoo {

DataSpec data_spec(const Dataset& data) {
  return {.height = data.shape.height,
          .width = data.shape.width,
          .channels = data.shape.channels,
          .classes = data.classes,
          .unit_interval = data.unit_range,
          .conditions = data.train.condition_size(),
          .levels = data.levels,
          .name = data.name};
}

Session::Session(ExperimentConfig config_, Dataset data_, const Dataset* built_for)
    : config(std::move(config_)), data(std::move(data_)), record(record_of(data)), keys(config.seed), store(keys.initial()),
      model(config.model->build(data_spec(built_for != nullptr ? *built_for : data), ad::Parameters(store))) {}

EvaluationOptions evaluation_options(const EvaluateConfig& config, const Position& progress) {
  return {.batch_size = config.batch_size,
          .importance_samples = config.importance_samples,
          .chunk = config.chunk,
          .active_threshold = config.active_threshold,
          .active_kl = config.active_kl,
          .progress = progress};
}

}  // namespace vaezoo
