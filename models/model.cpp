#include "models/model.hpp"

#include <algorithm>

namespace vaezoo {

Objective::Objective(Var loss_, std::initializer_list<Term> terms_) : loss(loss_) {
  for (const Term& term : terms_) add(term);
}

void Objective::add(const Term& term) {
  AD_CHECK(term_count < terms.size(), "Objective", ad::cat("at most ", terms.size(), " terms can be reported"));
  terms[term_count++] = term;
}

Var Model::resample_below(const Context&, Var z, std::size_t, const Minibatch&) const { return z; }
std::vector<CodeMap> Model::code_maps(const Context&, const Minibatch&) const { return {}; }
void Model::initialize(const Context&, const Minibatch&) {}

}  // namespace vaezoo
