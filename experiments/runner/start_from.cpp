#include "experiments/runner/start_from.hpp"

#include "autodiff/safetensors.hpp"
#include "config/printable.hpp"
#include "experiments/runner/run_folder.hpp"

namespace vaezoo {

namespace fs = std::filesystem;
using ad::cat;

fs::path start_weights(const std::string& start_from) {
  const RunFolder folder{start_from};
  for (const fs::path& file : {fs::path(start_from), folder.best(), folder.last()})
    if (fs::is_regular_file(file)) return file;
  throw ConfigError(cat("train.start_from: ", excerpt(start_from), " is neither a .safetensors file nor a run's folder with a checkpoint"));
}

std::string take_start_weights(Session& session) {
  constexpr std::size_t kShown = 5;
  const fs::path file = start_weights(session.config.train.start_from);
  ad::Parameter* const variance = session.store.find("data_variance");  // of this run's own data, for its normalized_mse
  const Real own_variance = variance == nullptr ? 0 : variance->value()[0];
  const ad::MatchingParameters match = ad::load_matching(session.store, file);
  if (variance != nullptr) variance->value()[0] = own_variance;
  const std::string left = match.left.empty() ? "" : cat("; not taken: ", listed(match.left, kShown));
  if (match.taken == 0)
    throw ConfigError(cat("train.start_from: ", file.string(), " has no weights of this ", session.config.model_name, left));
  return cat("started from ", file.string(), ": took ", match.taken, " of ", match.taken + std::ssize(match.left), " tensors", left,
             match.unused.empty() ? "" : cat("; not of this model: ", listed(match.unused, kShown)));
}

}  // namespace vaezoo
