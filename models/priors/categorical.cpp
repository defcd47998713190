// The uniform prior of one-hot codes.
#include <cmath>

#include "models/distributions/categorical.hpp"
#include "models/priors/prior.hpp"

namespace {

using namespace vaezoo;

class CategoricalPrior final : public Prior {
 public:
  CategoricalPrior(Index variables, Index classes) : variables_(variables), classes_(classes) {}
  const Distribution& operator()(const Context& c, Index rows) const override {
    return on_tape(c.tape, OneHotCategorical(c.tape.constant({rows, variables_, classes_}, -std::log(static_cast<Real>(classes_)))));
  }
  const std::type_info& distribution() const override { return typeid(OneHotCategorical); }
  Support support() const override { return Support::one_hot; }
  std::string describe() const override { return "uniform categorical prior"; }

 private:
  Index variables_, classes_;
};

struct CategoricalPriorSettings {
  void fields(Fields&) {}
  std::unique_ptr<Prior> build(const PriorArgs& args) const {
    if (args.classes.empty())
      throw ConfigError("model.prior: categorical is a prior of one-hot codes, which come from posterior categorical; choose that, or another prior");
    return std::make_unique<CategoricalPrior>(std::ssize(args.classes), args.classes.front());
  }
};

}  // namespace

VAEZOO_PART(Prior, categorical, CategoricalPriorSettings, "uniform over the classes of each variable, for posterior categorical; the KL in closed form")
