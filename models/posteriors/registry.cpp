#include "models/posteriors/posterior.hpp"

#define POSTERIOR(name) ::vaezoo::PosteriorEntry vaezoo_posterior_##name();
#include "models/posteriors/registry.def"
#undef POSTERIOR

namespace vaezoo {
namespace {

std::span<const PosteriorEntry> registry() {
  static const PosteriorEntry entries[] = {
#define POSTERIOR(name) vaezoo_posterior_##name(),
#include "models/posteriors/registry.def"
#undef POSTERIOR
  };
  return entries;
}

}  // namespace

PosteriorConfig::PosteriorConfig() : PartChoice(registry(), "normal") {}

}  // namespace vaezoo
