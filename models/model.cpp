#include "models/model.hpp"

#include <algorithm>

#include "models/parts/terms.hpp"

namespace vaezoo {

Objective::Objective(Var loss_, std::initializer_list<Term> terms_) : loss(loss_), losses_{Loss{terms::loss(loss_)}} {
  for (const Term& term : terms_) add(term);
}

Objective::Objective(std::initializer_list<Loss> losses, std::initializer_list<Term> terms_) : loss(losses.begin()->value) {
  AD_CHECK(losses.size() <= losses_.size(), "Objective", ad::cat("at most ", losses_.size(), " losses can be minimised"));
  loss_count_ = losses.size();
  std::ranges::copy(losses, losses_.begin());
  for (const Term& term : terms_) add(term);
  for (const Loss& other : this->losses().subspan(1)) add(other);
}

void Objective::add(const Term& term) {
  AD_CHECK(term_count < terms.size(), "Objective", ad::cat("at most ", terms.size(), " terms can be reported"));
  terms[term_count++] = term;
}

Var Model::resample_below(const Context&, Var z, std::size_t, const Minibatch&) const { return z; }
DiagonalNormal Model::posterior(const Context& c, const Minibatch& batch) const { return {encode(c, batch), Var()}; }
std::vector<CodeMap> Model::code_maps(const Context&, const Minibatch&) const { return {}; }
std::vector<CodeMap> Model::code_shapes() const { return {}; }
Var Model::embed_codes(const Context&, const std::vector<CodeMap>&) const {
  throw ad::Error("[embed_codes] a model of continuous codes has none to look up");
}
void Model::initialize(const Context&, const Minibatch&) {}

}  // namespace vaezoo
