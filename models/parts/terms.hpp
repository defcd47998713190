#pragma once
// The reported terms that several models share, each with its unit and its meaning.
#include <string>

#include "models/model.hpp"

namespace vaezoo::terms {

Term loss(Var value);            ///< what a step minimises
Term reconstruction(Var value);  ///< E_q log p(x | z)
Term kl(Var value);              ///< KL(q(z | x) || p(z))
Term beta(Var value);            ///< the weight of the KL

/// A term whose name is made when the model is built. The terms that it gives point to it, so it must outlive them.
struct Named {
  std::string name;
  const char* unit;
  std::string meaning;
  Term operator()(Var value) const { return {name.c_str(), value, unit, meaning.c_str()}; }
};

/// "kl_z1": the rate of one level of the code.
Named level_rate(const std::string& level);
/// What `whole` says, of one part of the model only: "usage_top", "share of the codes that are in use (top codes)".
Named part_of(const Term& whole, const std::string& suffix, const std::string& part);

}  // namespace vaezoo::terms
