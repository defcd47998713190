// The prior of codes with real numbers and categorical variables: N(0, I) and uniform.
#include <cmath>
#include <numeric>

#include "models/distributions/categorical.hpp"
#include "models/distributions/joined.hpp"
#include "models/distributions/normal.hpp"
#include "models/priors/prior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

class JointPrior final : public Prior {
 public:
  explicit JointPrior(const PriorArgs& args)
      : classes_(args.classes), real_(std::accumulate(classes_.begin(), classes_.end(), args.latent_dim, std::minus<>())) {}
  const Distribution& operator()(const Context& c, Index rows) const override {
    auto* const parts = c.tape.scratch<Joined::Part>(1 + std::ssize(classes_));
    parts[0] = {&on_tape(c.tape, StandardNormal(c.tape, rows, real_)), real_};
    for (std::size_t i = 0; i < classes_.size(); ++i)
      parts[1 + i] = {
          &on_tape(c.tape, OneHotCategorical(c.tape.constant({rows, 1, classes_[i]}, -std::log(static_cast<Real>(classes_[i]))))),
          classes_[i]};
    return on_tape(c.tape, Joined(c.tape, {parts, 1 + classes_.size()}));
  }
  const std::type_info& distribution() const override { return typeid(Joined); }
  Support support() const override { return Support::real_and_one_hot; }
  std::string describe() const override { return "prior: standard normal and uniform categorical"; }

 private:
  std::vector<Index> classes_;
  Index real_;
};

struct JointPriorSettings {
  void fields(Fields&) {}
  std::unique_ptr<Prior> build(const PriorArgs& args) const { return std::make_unique<JointPrior>(args); }
};

}  // namespace

VAEZOO_PART(Prior, joint, JointPriorSettings, "N(0, I) and uniform classes, for posterior joint; the KL in closed form")
