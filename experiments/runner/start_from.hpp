#pragma once
// Training that begins with the weights of another run: "train": {"start_from": "runs/a"}.
#include <filesystem>
#include <string>

#include "experiments/runner/session.hpp"

namespace vaezoo {

/// The weights that train.start_from names: the best of a run's folder, else its last, or the file itself. Throws ConfigError when there
/// are none.
std::filesystem::path start_weights(const std::string& start_from);

/// Takes those of equal name and shape into the session's model and returns a sentence on what was taken and what was not. Throws ConfigError
/// when nothing was.
std::string take_start_weights(Session& session);

}  // namespace vaezoo
