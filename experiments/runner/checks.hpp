#pragma once
// What data and model say to a configuration before the first step.
#include "experiments/runner/session.hpp"

namespace vaezoo {

/// Throws ConfigError, naming the setting, for what training or the evaluation after it would refuse later: no batch in an epoch, a
/// validation split that is watched and empty, a last batch of one that the model cannot take. Changes nothing.
void check_before_training(Session& session);

/// Throws ConfigError for what the evaluation would leave out without a word: a classifier without labels, or without a test split.
void check_evaluation(const Session& session);

/// "column 0 reaches from 9999998 to 10000003; set dataset.standardize": the column of the training data with the largest numbers, when
/// they are too large for a network that expects numbers around 1. "" when they are not.
std::string about_scale(const Dataset& data);

}  // namespace vaezoo
