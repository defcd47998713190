#pragma once
// The file that resuming needs: parameters, optimiser, average and counters, all in one, so that no crash can pair the weights of
// one step with the moments of another.
#include "autodiff/averaging.hpp"
#include "autodiff/optimizers.hpp"
#include "autodiff/safetensors.hpp"
#include "experiments/runner/trainer.hpp"

namespace vaezoo {

/// What the files of weights say of themselves: experiment, model, step, epoch with its fraction (position_of reads them).
ad::Metadata checkpoint_metadata(const ExperimentConfig& config, const Position& position);

void save_training(const std::filesystem::path& path, Session& session, const TrainingState& state, const Position& position,
                   ad::Optimizer& optimizer, ad::WeightAverage* average);

/// Fills session, optimiser and average. Throws FileError when the file is missing, damaged or of another experiment.
TrainingState load_training(const std::filesystem::path& path, Session& session, ad::Optimizer& optimizer,
                            ad::WeightAverage* average);

}  // namespace vaezoo
