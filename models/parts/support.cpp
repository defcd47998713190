#include "models/parts/support.hpp"

#include <array>

#include "autodiff/check.hpp"
#include "config/fields.hpp"

namespace vaezoo {
namespace {

struct Words {
  const char* codes;
  const char* priors;
};

Words words(Support support) {
  switch (support) {
    case Support::real:
      return {"real numbers", "standard_normal"};
    case Support::positive:
      return {"positive numbers", "gamma"};
    case Support::unit_interval:
      return {"numbers in (0, 1)", "uniform"};
    case Support::simplex:
      return {"probabilities that add up to 1", "dirichlet"};
    case Support::sphere:
      return {"points of the unit sphere", "sphere"};
    case Support::ball:
      return {"points of the Poincare ball", "poincare"};
    case Support::one_hot:
      return {"one-hot vectors", "categorical"};
    case Support::real_and_one_hot:
      return {"real numbers and one-hot vectors", "joint"};
  }
  return {};
}

}  // namespace

void require_same_support(Support posterior, const std::string& posterior_name, Support prior, const std::string& prior_name) {
  if (posterior == prior) return;
  throw ConfigError(ad::cat("model.prior: ", prior_name, " is a law of ", words(prior).codes, ", and the codes of posterior ",
                            posterior_name, " are ", words(posterior).codes, "; choose prior ", words(posterior).priors,
                            ", or another posterior"));
}

}  // namespace vaezoo
