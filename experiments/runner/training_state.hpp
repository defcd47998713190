#pragma once
// The file that resuming needs: parameters, optimiser, average and counters, all in one, so that no crash can pair the weights of
// one step with the moments of another.
#include "autodiff/averaging.hpp"
#include "autodiff/safetensors.hpp"
#include "experiments/runner/optimizers.hpp"
#include "experiments/runner/trainer.hpp"

namespace vaezoo {

/// What a checkpoint remembers of the run that wrote it.
struct Origin {
  std::string config;  ///< config.json's text
  DataRecord data;
};

/// What every checkpoint says of itself: experiment, model, step, epoch with its fraction (position_of reads them), and its origin.
ad::Metadata checkpoint_metadata(Session& session, const Position& position);

/// The origin that a checkpoint of this name tells; none when an earlier version wrote it. Throws FileError when it is damaged.
std::optional<Origin> origin_of(const ad::Metadata& metadata, const std::filesystem::path& name);

void save_training(const std::filesystem::path& path, Session& session, const TrainingState& state, const Position& position,
                   Optimizers& optimizers, ad::WeightAverage* average);

/// The origin of a state. Throws FileError when the file is missing, damaged, no state or one of an earlier version.
Origin origin_of_training(const std::filesystem::path& path);

/// Fills session, optimiser and average; `batches` is how many an epoch has. Throws FileError when the file is missing, damaged or of
/// another experiment: the configuration's differences are for check_resumable, this looks at tensors and counters.
TrainingState load_training(const std::filesystem::path& path, Session& session, Optimizers& optimizers,
                            ad::WeightAverage* average, Index batches);

}  // namespace vaezoo
