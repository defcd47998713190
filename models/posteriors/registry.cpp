#include "models/posteriors/posterior.hpp"

#define POSTERIOR(name) ::vaezoo::PosteriorEntry vaezoo_Posterior_##name();
#include "models/posteriors/registry.def"
#undef POSTERIOR

vaezoo::Registry<vaezoo::PosteriorEntry>& vaezoo::posterior_registry() {
  static Registry<PosteriorEntry> registry{
#define POSTERIOR(name) vaezoo_Posterior_##name(),
#include "models/posteriors/registry.def"
#undef POSTERIOR
  };
  return registry;
}
