#include "models/penalties/penalty.hpp"

#define PENALTY(name) ::vaezoo::CodePenaltyEntry vaezoo_CodePenalty_##name();
#include "models/penalties/registry.def"
#undef PENALTY

vaezoo::Registry<vaezoo::CodePenaltyEntry>& vaezoo::penalty_registry() {
  static Registry<CodePenaltyEntry> registry{
#define PENALTY(name) vaezoo_CodePenalty_##name(),
#include "models/penalties/registry.def"
#undef PENALTY
  };
  return registry;
}
