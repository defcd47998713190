#pragma once
// The models by name. A new model is one file models/<name>.cpp that ends in VAEZOO_MODEL, and one line in registry.def; in a program of
// your own, model_registry().add(vaezoo_model_<name>()).
#include <memory>
#include <string_view>

#include "config/fields.hpp"
#include "config/registry.hpp"
#include "models/model.hpp"

namespace vaezoo {

/// The settings of one model and how to build it.
class ModelConfig {
 public:
  virtual ~ModelConfig() = default;
  virtual void fields(Fields& f) = 0;
  /// Throws ConfigError when the settings do not fit the data.
  virtual std::unique_ptr<Model> build(const DataSpec& data, ad::Parameters p) const = 0;
};

struct ModelEntry {
  const char* name;
  const char* summary;  ///< one sentence
  const char* paper;    ///< authors, venue and year, equation
  std::unique_ptr<ModelConfig> (*make_config)();  ///< with every default
};

Registry<ModelEntry>& model_registry();
/// Throws ConfigError with the nearest name when there is none.
const ModelEntry& find_model(std::string_view name);

template <class M, class Config>
class ModelConfigOf final : public ModelConfig {
 public:
  void fields(Fields& f) override { config_.fields(f); }
  std::unique_ptr<Model> build(const DataSpec& data, ad::Parameters p) const override {
    return std::make_unique<M>(config_, data, p);
  }

 private:
  Config config_;
};

/// Defines the registry entry of a model whose constructor takes (const Config&, const DataSpec&, ad::Parameters).
#define VAEZOO_MODEL(NAME, CLASS, CONFIG, SUMMARY, PAPER)                                   \
  ::vaezoo::ModelEntry vaezoo_model_##NAME() {                                              \
    return {#NAME, SUMMARY, PAPER, []() -> std::unique_ptr<::vaezoo::ModelConfig> {         \
              return std::make_unique<::vaezoo::ModelConfigOf<CLASS, CONFIG>>();            \
            }};                                                                             \
  }

}  // namespace vaezoo
