#pragma once
// What becomes of the settings of one choice, {"name": "beta_vae", "latent_dim": 10, ...}, when another one is made.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace vaezoo {

/// Does `value` fit `schema`, of the kind that config_schema writes? Of the fields together (Fields::require) a schema says nothing.
bool fits(const nlohmann::json& value, const nlohmann::ordered_json& schema);

/// A tagged object as it stands in a configuration, and the schema of what may stand there.
struct ChoiceMade {
  std::string name;      ///< given, or the default
  nlohmann::json value;  ///< the object; null or a string when no settings are given
  const nlohmann::ordered_json* schema;
};

/// The tagged object that the keys lead to; nothing when they lead to something else. `schema` is of the whole and must outlive the result.
std::optional<ChoiceMade> choice_at(const nlohmann::json& config, const nlohmann::ordered_json& schema,
                                    const std::vector<std::string>& keys);

struct Rechosen {
  nlohmann::json value;  ///< {"name": name} with the settings that were kept
  std::string note;      ///< which were not, one sentence; "" when all were
};

/// Takes the choice `name` instead and keeps the settings that it has too, where it allows their values.
Rechosen choose_again(const ChoiceMade& old, const std::string& name);

/// The settings of the old choice that are gone when `value` takes its place.
std::vector<std::string> replaced_settings(const ChoiceMade& old, const nlohmann::json& value);

}  // namespace vaezoo
