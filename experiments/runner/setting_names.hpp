#pragma once
// Settings as names of runs and tables show them.
#include <string>
#include <vector>

namespace vaezoo {

/// Of each path its last part ("beta" of "model.objective.beta"), or the whole path where several end alike. One name a path.
std::vector<std::string> short_setting_names(const std::vector<std::string>& paths);

}  // namespace vaezoo
