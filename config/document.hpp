#pragma once
// A configuration is built in layers: the file that "extends" names, the file itself, and the command line's KEY=VALUE. Upper
// layers win. A document remembers its layers, so that an error names the one that said the wrong thing.
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace vaezoo {

/// Lays `upper` over `lower`. Objects merge key by key; everything else replaces, lists too. Two rules serve the tagged objects
/// {"name": "adam", ...}: below the root, an object with another "name" replaces (the fields of the old choice mean nothing to
/// the new one), and an object over a bare string "adam" is laid over {"name": "adam"}.
void merge(nlohmann::json& lower, const nlohmann::json& upper);

/// Sets one value by its path, `model.latent_dim=2`, `model.encoder.hidden=[200]`, `optimizer=sgd`, by the rules of merge; objects on the
/// way are made. The value is JSON, or else a string. Throws ConfigError "--set ASSIGNMENT: sentence".
void apply_override(nlohmann::json& config, const std::string& assignment);

class Document {
 public:
  /// Reads a file and what it extends ("extends": a path relative to the file; at the root only). "$schema" at the root is for
  /// editors and dropped. Throws ConfigError, also for a cycle of extends.
  static Document from_file(const std::filesystem::path& file);
  /// The same for a text; "extends" is relative to the working directory.
  static Document from_text(std::string_view text, const std::string& source);
  /// A value without layers.
  static Document from_json(const nlohmann::json& value, const std::string& source);

  /// apply_override as the topmost layer.
  void set(const std::string& assignment);
  /// The same, with the schema of the whole document (see config_schema): `model.name=vae` over another model keeps those of its settings
  /// that vae has too, where vae allows their values; `model=vae` puts defaults in their place. Returns a sentence that names
  /// the settings that are lost in either way, "" when none are.
  std::string set(const std::string& assignment, const nlohmann::ordered_json& schema);

  /// Takes a key of the root out of all layers and returns its merged value as JSON text; "" when there is none.
  std::string take(const std::string& key);

  /// All layers merged.
  const nlohmann::json& value() const { return *merged_; }
  /// The topmost layer in which the object keys `path` lead to a value; the file itself when none does.
  const std::string& source_of(const std::vector<std::string>& path) const;

 private:
  struct Layer {
    std::string source;
    std::shared_ptr<const nlohmann::json> value;
  };
  Document() = default;
  void push(nlohmann::json value, const std::string& source);
  void push_with_bases(nlohmann::json value, const std::string& source, const std::filesystem::path& folder,
                       std::vector<std::filesystem::path>& open_files);

  std::string file_;
  std::vector<Layer> layers_;  // lowest first
  std::shared_ptr<const nlohmann::json> merged_;
};

}  // namespace vaezoo
