#pragma once
// An experiment made real: data loaded, model built, parameters initialised.
#include <filesystem>
#include <memory>

#include "datasets/dataset.hpp"
#include "experiments/runner/data_record.hpp"
#include "experiments/runner/evaluate.hpp"
#include "experiments/runner/experiment.hpp"
#include "models/model.hpp"

namespace vaezoo {

/// What a model must know of these data, which must outlive it.
DataSpec data_spec(const Dataset& data);

/// Key streams of a run, all from its seed.
struct RunKeys {
  explicit RunKeys(std::int64_t seed) : root(static_cast<std::uint64_t>(seed)) {}
  Key root;
  Key initial() const { return root.fold("initial"); }        ///< parameters
  Key order() const { return root.fold("order"); }            ///< shuffling and dynamic binarisation
  Key noise() const { return root.fold("noise"); }            ///< of training steps
  Key evaluation(Split split) const { return root.fold("evaluation").fold(to_text(split)); }
  Key pictures() const { return root.fold("pictures"); }
};

struct Session {
  /// The model is built for the data, or for those of `built_for`, of which it was trained. Throws ConfigError when it does not fit.
  Session(ExperimentConfig config, Dataset data, const Dataset* built_for = nullptr);

  ExperimentConfig config;
  Dataset data;
  DataRecord record;  ///< of the data
  RunKeys keys;
  ad::ParameterStore store;
  std::unique_ptr<Model> model;
};

EvaluationOptions evaluation_options(const EvaluateConfig& config, const Position& progress);

}  // namespace vaezoo
