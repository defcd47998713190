#include "models/likelihoods/likelihood.hpp"
#include "models/model.hpp"

#define LIKELIHOOD(name) ::vaezoo::LikelihoodEntry vaezoo_Likelihood_##name();
#include "models/likelihoods/registry.def"
#undef LIKELIHOOD

vaezoo::Registry<vaezoo::LikelihoodEntry>& vaezoo::likelihood_registry() {
  static Registry<LikelihoodEntry> registry{
#define LIKELIHOOD(name) vaezoo_Likelihood_##name(),
#include "models/likelihoods/registry.def"
#undef LIKELIHOOD
  };
  return registry;
}

void vaezoo::require_levels(const char* name, const DataSpec& data) {
  require_unit_interval(name, data);
  if (data.levels == 0)
    throw ConfigError(ad::cat("model.likelihood: ", name, " needs values on equal steps, such as bytes / 255, but ", data.name,
                              " has real numbers, which have no probability; choose gaussian or laplace"));
}

void vaezoo::require_unit_interval(const char* name, const DataSpec& data) {
  if (!data.unit_interval)
    throw ConfigError(ad::cat("model.likelihood: ", name, " needs data in [0, 1], these are real numbers; choose gaussian or laplace"));
}
