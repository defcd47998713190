// The KL held to a capacity that rises over training.
//   Burgess et al., "Understanding disentangling in beta-VAE", 2018, eq. (8)
#include <algorithm>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/objectives/variational_objective.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct CapacitySettings {
  double gamma = 1000;
  double max_capacity = 25;
  std::int64_t capacity_steps = 100'000;

  void fields(Fields& f) {
    f("gamma", gamma, "weight of the distance from the capacity", at_least(0));
    f("max_capacity", max_capacity, "the capacity C at the end of the rise, in nats", at_least(0));
    f("capacity_steps", capacity_steps, "steps over which C rises from 0", at_least(1));
  }
  std::unique_ptr<VariationalObjective> build(const ObjectiveArgs& args) const;
};

class Capacity final : public VariationalObjective {
 public:
  Capacity(const ObjectiveArgs& args, const CapacitySettings& settings) : VariationalObjective(args), settings_(settings) {}

  Objective operator()(const Context& c, const Minibatch& batch) const override {
    const Trace trace = model().trace(c, batch, false);            // z ~ q(z | x)
    const Var distortion = -mean(trace.log_p_x);                   // -E_q log p(x | z)
    const auto [kl, rates] = mean_rates(c, trace);                 // KL(q(z | x) || p(z))
    // The mean over the batch, then the distance: C bounds the average rate.
    const Real capacity = static_cast<Real>(settings_.max_capacity * std::min(1.0, double(c.progress.step) / double(settings_.capacity_steps)));
    Objective o{distortion + static_cast<Real>(settings_.gamma) * abs(kl - capacity),
                {terms::reconstruction(-distortion), terms::kl(kl),
                 {"capacity", c.tape.constant(Shape{}, capacity), "nats", "what the KL is held to at the end of training"}}};
    report(o, c, rates, 1);
    return o;
  }
  std::string describe() const override {
    return cat("-log p(x|z) + ", settings_.gamma, " |KL - C|, C up to ", settings_.max_capacity, " nats over ", settings_.capacity_steps,
               " steps");
  }

 private:
  CapacitySettings settings_;
};

std::unique_ptr<VariationalObjective> CapacitySettings::build(const ObjectiveArgs& args) const {
  require_plain_weight(args, "capacity", "gamma");
  return std::make_unique<Capacity>(args, *this);
}

}  // namespace

VAEZOO_PART(VariationalObjective, capacity, CapacitySettings, "-log p(x|z) + gamma |KL - C|, the capacity C rising linearly")
