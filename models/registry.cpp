#include "models/registry.hpp"

#include <string>
#include <vector>

#include "config/suggest.hpp"

#define MODEL(name) ::vaezoo::ModelEntry vaezoo_model_##name();
#include "models/registry.def"
#undef MODEL

namespace vaezoo {

Registry<ModelEntry>& model_registry() {
  static Registry<ModelEntry> registry{
#define MODEL(name) vaezoo_model_##name(),
#include "models/registry.def"
#undef MODEL
  };
  return registry;
}

const ModelEntry& find_model(std::string_view name) {
  std::vector<std::string> names;
  for (const ModelEntry& e : model_registry()) {
    if (e.name == name) return e;
    names.emplace_back(e.name);
  }
  const auto guess = nearest(std::string(name), names);
  throw ConfigError(ad::cat("there is no model \"", name, "\"", guess ? ad::cat("; did you mean \"", *guess, "\"?") : ".",
                            " The models are ", joined(names)));
}

}  // namespace vaezoo
