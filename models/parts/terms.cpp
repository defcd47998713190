#include "models/parts/terms.hpp"

namespace vaezoo::terms {

using ad::cat;

Term loss(Var value) { return {"loss", value, "nats", "what training minimises, z sampled; lower is better"}; }
Term reconstruction(Var value) { return {"reconstruction", value, "nats", "E_q log p(x|z); higher is better"}; }
Term kl(Var value) { return {"kl", value, "nats", "KL(q(z|x) || p(z)): what the code says of x"}; }
Term beta(Var value) { return {"beta", value, "", "weight of the KL at the end of training"}; }

Named level_rate(const std::string& level) { return {"kl_" + level, "nats", "rate of level " + level}; }
Named part_of(const Term& whole, const std::string& suffix, const std::string& part) {
  return {cat(whole.name, "_", suffix), whole.unit, cat(whole.meaning, " (", part, ")")};
}

}  // namespace vaezoo::terms
