#pragma once
#include "models/objectives/variational_objective.hpp"
#include "models/parts/latent_model.hpp"

namespace vaezoo {

/// What a VAE is made of. beta_vae, conditional_vae, iwae and their like are VAEs whose configurations say less or say it in other words.
struct VaeConfig : LatentConfig {
  std::optional<ConditionConfig> condition;
  RateWeight weight;
  ObjectiveConfig objective;

  virtual ~VaeConfig() = default;
  virtual void fields(Fields& f);
  /// `args` with the weight of the KL not yet set.
  virtual std::unique_ptr<VariationalObjective> build_objective(ObjectiveArgs args) const {
    args.weight = weight;
    return objective.build(args);
  }
};

/// A VAE that is trained on one objective, whose settings stand among the model's.
struct VaeWithObjectiveConfig : VaeConfig {
  explicit VaeWithObjectiveConfig(const char* name) { objective.choose(name); }
  void fields(Fields& f) override;
};

class Vae final : public LatentModel {
 public:
  Vae(const VaeConfig& config, const DataSpec& data, ad::Parameters p)
      : LatentModel(config, data, p, config.condition ? &*config.condition : nullptr),
        objective_(config.build_objective({*this, {}, data, p / "objective"})) {}

  Objective objective(const Context& c, const Minibatch& batch) const override {
    return (*objective_)(c, batch);
  }
  std::string describe() const override { return ad::cat(objective_->describe(), describe_parts()); }

 private:
  std::unique_ptr<VariationalObjective> objective_;
};

}  // namespace vaezoo
