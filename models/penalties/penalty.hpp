#pragma once
// What holds the codes of a deterministic autoencoder together: "penalty": "none" or {"name": "mmd", "weight": 10}. A new one is one file
// models/penalties/<name>.cpp that ends in VAEZOO_PART, and one line in registry.def.
#include <memory>
#include <string>

#include "autodiff/layers.hpp"
#include "config/part.hpp"

namespace vaezoo {

class CodePenalty {
 public:
  virtual ~CodePenalty() = default;
  /// The weighted penalty of codes z [B, Z], a scalar; empty: there is none.
  virtual ad::Var operator()(const ad::Context& c, ad::Var z) const = 0;
  /// "10 MMD of q(z) and N(0, I)", for Model::describe(); "" where there is none.
  virtual std::string describe() const = 0;
};

struct PenaltyArgs {};

using CodePenaltyEntry = PartEntry<CodePenalty, PenaltyArgs>;
Registry<CodePenaltyEntry>& penalty_registry();

struct PenaltyConfig : PartChoice<CodePenalty, PenaltyArgs> {
  explicit PenaltyConfig(const char* name = "none") : PartChoice(penalty_registry(), name) {}
  void visit(Fields& f) { PartChoice::visit(f, "penalty", "what the codes z = f(x) are held to"); }
};

}  // namespace vaezoo
