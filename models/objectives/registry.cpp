#include "models/objectives/variational_objective.hpp"

#define OBJECTIVE(name) ::vaezoo::VariationalObjectiveEntry vaezoo_VariationalObjective_##name();
#include "models/objectives/registry.def"
#undef OBJECTIVE

vaezoo::Registry<vaezoo::VariationalObjectiveEntry>& vaezoo::objective_registry() {
  static Registry<VariationalObjectiveEntry> registry{
#define OBJECTIVE(name) vaezoo_VariationalObjective_##name(),
#include "models/objectives/registry.def"
#undef OBJECTIVE
  };
  return registry;
}
