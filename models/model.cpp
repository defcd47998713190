#include "models/model.hpp"

#include <algorithm>

namespace vaezoo {

Objective::Objective(Var loss_, std::initializer_list<Term> terms_) : loss(loss_), term_count(terms_.size()) {
  AD_CHECK(term_count <= terms.size(), "Objective", ad::cat("at most ", terms.size(), " terms can be reported"));
  std::copy(terms_.begin(), terms_.end(), terms.begin());
}

}  // namespace vaezoo
