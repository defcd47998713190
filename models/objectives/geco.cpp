// The KL minimised under a constraint on the reconstruction, whose multiplier is learned.
//   Rezende & Viola, "Taming VAEs", 2018, section 2.2 and algorithm 1: GECO
#include <algorithm>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/objectives/variational_objective.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct GecoSettings {
  double tolerance = 0.1, rate = 0.01, decay = 0.99;

  void fields(Fields& f) {
    f("tolerance", tolerance, "what the reconstruction may cost: -log p(x|z) in nats per number of x; for densities it may be negative");
    f("rate", rate,
      "growth of log lambda at a step where a number of x costs 0.1 nats more than the tolerance, or less by as much: then it shrinks; in between in "
      "proportion",
      more_than(0));
    f("decay", decay, "of the moving average of the constraint", below_one());
  }
  std::unique_ptr<VariationalObjective> build(const ObjectiveArgs& args) const;
};

class Geco final : public VariationalObjective {
 public:
  Geco(const ObjectiveArgs& args, const GecoSettings& settings)
      : VariationalObjective(args), settings_(settings), size_(static_cast<Real>(args.data.size())),
        lambda_(args.parameters.value().add_buffer("lambda", Shape{}, 1)), average_(args.parameters->add_buffer("constraint", Shape{}, 0)),
        updates_(args.parameters->add_buffer("updates", Shape{}, 0)) {}

  Objective operator()(const Context& c, const Minibatch& batch) const override {
    const Trace trace = model().trace(c, batch, false);            // z ~ q(z | x)
    const Var distortion = -mean(trace.log_p_x);                   // -E_q log p(x | z)
    const auto [kl, rates] = mean_rates(c, trace);                 // KL(q(z | x) || p(z))
    const Var constraint = distortion / size_ - static_cast<Real>(settings_.tolerance);  // C, to be at most 0
    const Real lambda = lambda_.value()[0];
    Var counted = constraint;
    if (c.training) {  // the moving average in value, the batch's own in gradient
      const Real now = constraint.item(), decay = static_cast<Real>(settings_.decay);
      const Real average = updates_.value()[0] == 0 ? now : decay * average_.value()[0] + (1 - decay) * now;
      counted = constraint + (average - now);
      c.tape.after_step([this, average] {
        average_.value()[0] = average;
        updates_.value()[0] += 1;
        const double growth = settings_.rate * std::clamp(10 * double(average), -1.0, 1.0);
        lambda_.value()[0] = static_cast<Real>(std::clamp(double(lambda_.value()[0]) * std::exp(growth), 1e-6, 1e6));
      });
    }
    Objective o{kl + lambda * size_ * counted,
                {terms::reconstruction(-distortion), terms::kl(kl),
                 {"constraint", constraint, "nats", "-log p(x|z) per number of x above its tolerance; negative: the constraint holds"},
                 {"lambda", c.tape.constant(Shape{}, lambda), "", "multiplier of the constraint: 1 / beta of a beta-VAE"}}};
    report(o, c, rates, 1);
    return o;
  }
  std::string describe() const override { return cat("KL + lambda (-log p(x|z) - ", settings_.tolerance, " D), lambda learned"); }

 private:
  GecoSettings settings_;
  Real size_;
  Parameter &lambda_, &average_, &updates_;
};

std::unique_ptr<VariationalObjective> GecoSettings::build(const ObjectiveArgs& args) const {
  require_plain_weight(args, "geco", "1 / lambda");
  return std::make_unique<Geco>(args, *this);
}

}  // namespace

VAEZOO_PART(VariationalObjective, geco, GecoSettings, "KL under the constraint that -log p(x|z) stays below a tolerance (Rezende & Viola 2018)")
