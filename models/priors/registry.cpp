#include "models/priors/prior.hpp"

#define PRIOR(name) ::vaezoo::PriorEntry vaezoo_Prior_##name();
#include "models/priors/registry.def"
#undef PRIOR

vaezoo::Registry<vaezoo::PriorEntry>& vaezoo::prior_registry() {
  static Registry<PriorEntry> registry{
#define PRIOR(name) vaezoo_Prior_##name(),
#include "models/priors/registry.def"
#undef PRIOR
  };
  return registry;
}
