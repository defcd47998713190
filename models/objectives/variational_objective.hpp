#pragma once
// What a variational model is trained on: "objective": "elbo" or {"name": "iwae", "samples": 5}. A new one is one file
// models/objectives/<name>.cpp that ends in VAEZOO_PART, and one line in registry.def.
#include <memory>
#include <optional>
#include <string>

#include "config/part.hpp"
#include "models/parts/schedules.hpp"
#include "models/parts/variational_model.hpp"

namespace vaezoo {

/// What a nat of the KL costs.
struct RateWeight {
  double beta = 1;
  KlSchedule kl_weight{};
  double free_bits = 0;

  void visit(Fields& f);  ///< "beta", "kl_weight", "free_bits"
  Real at(const Position& progress) const { return static_cast<Real>(beta * kl_weight.at(progress)); }
  bool always_one() const { return beta == 1 && kl_weight.name == "constant"; }
  std::string describe() const;  ///< "KL weight 4 (linear), free bits 0.1"
};

/// Building throws ConfigError when the model lacks what the objective asks of it. `model` must outlive the objective.
struct ObjectiveArgs {
  const VariationalModel& model;
  RateWeight weight{};
  DataSpec data{};
  std::optional<ad::Parameters> parameters{};  ///< for what an objective learns
};

/// Throw ConfigError, in which the objective is called `name`: where z is not one vector with a diagonal normal q(z | x); where the KL has another
/// weight than 1, and the objective's own is called `own`; with free bits.
void require_normal_code(const ObjectiveArgs& args, const char* name);
void require_plain_weight(const ObjectiveArgs& args, const char* name, const char* own);
void require_no_free_bits(const ObjectiveArgs& args, const char* name);

class VariationalObjective {
 public:
  explicit VariationalObjective(const ObjectiveArgs& args) : model_(args.model), weight_(args.weight) {}
  virtual ~VariationalObjective() = default;

  virtual Objective operator()(const Context& c, const Minibatch& batch) const = 0;
  /// The formula in one line, for Model::describe().
  virtual std::string describe() const = 0;

 protected:
  const VariationalModel& model() const { return model_; }
  const RateWeight& weight() const { return weight_; }
  /// The rate of each level, where there are several, and the KL's weight where it is not always 1.
  void report(Objective& objective, const Context& c, std::span<const Var> rates, Real beta) const;

 private:
  const VariationalModel& model_;
  RateWeight weight_;
};

using VariationalObjectiveEntry = PartEntry<VariationalObjective, ObjectiveArgs>;
Registry<VariationalObjectiveEntry>& objective_registry();

struct ObjectiveConfig : PartChoice<VariationalObjective, ObjectiveArgs> {
  explicit ObjectiveConfig(const char* name = "elbo") : PartChoice(objective_registry(), name) {}
  void visit(Fields& f) { PartChoice::visit(f, "objective", "what the model is trained on"); }
};

/// The objective iwae, for models where `samples` above 1 stands for it.
std::unique_ptr<VariationalObjective> importance_weighted(const ObjectiveArgs& args, Index samples);

/// A bound of log p(x) from weighted draws. `name`: for messages.
class ImportanceObjective : public VariationalObjective {
 protected:
  /// Throws ConfigError with free bits: such a bound has no KL to free.
  ImportanceObjective(const ObjectiveArgs& args, const char* name);
  /// The loss -bound with what is reported of the draws.
  Objective objective(const Context& c, Var bound, const ImportanceSamples& draws, Real beta) const;
  std::string weight_where_not_one() const { return weight().always_one() ? "" : ", " + weight().describe(); }
};

}  // namespace vaezoo
