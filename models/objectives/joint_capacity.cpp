// Two capacities: one for the real numbers of the code and one for its categorical variables.
//   Dupont, "Learning Disentangled Joint Continuous and Discrete Representations", NeurIPS 2018, eq. (7)
#include <algorithm>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/distributions/joined.hpp"
#include "models/objectives/variational_objective.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct JointCapacitySettings {
  double gamma = 30, max_capacity = 5, max_discrete_capacity = 5;
  std::int64_t capacity_steps = 25'000;

  void fields(Fields& f) {
    f("gamma", gamma, "weight of the distance from the capacities", at_least(0));
    f("max_capacity", max_capacity, "the capacity of the real numbers at the end of the rise, in nats", at_least(0));
    f("max_discrete_capacity", max_discrete_capacity,
      "the capacity of the categorical variables at the end of the rise, in nats; what they can hold at most is the sum of log K",
      at_least(0));
    f("capacity_steps", capacity_steps, "steps over which both rise from 0", at_least(1));
  }
  std::unique_ptr<VariationalObjective> build(const ObjectiveArgs& args) const;
};

class JointCapacity final : public VariationalObjective {
 public:
  JointCapacity(const ObjectiveArgs& args, const JointCapacitySettings& settings)
      : VariationalObjective(args), settings_(settings) {}

  Objective operator()(const Context& c, const Minibatch& batch) const override {
    const Trace trace = model().trace(c, batch, false);  // z ~ q(z | x)
    const auto q = static_cast<const Joined&>(*trace.levels[0].q).parts(),
               p = static_cast<const Joined&>(*trace.levels[0].p).parts();
    const Var distortion = -mean(trace.log_p_x);
    const Var of_real = mean(kl(*q[0].law, *p[0].law, {}));
    Var of_classes;
    double most = 0;
    for (std::size_t i = 1; i < q.size(); ++i) {
      const Var one = mean(kl(*q[i].law, *p[i].law, {}));
      of_classes = of_classes ? of_classes + one : one;
      most += std::log(double(q[i].width));
    }
    // Means over the batch, then the distances, as in the paper's code.
    const double risen = std::min(1.0, double(c.progress.step) / double(settings_.capacity_steps));
    const Real capacity = static_cast<Real>(settings_.max_capacity * risen),
               discrete = static_cast<Real>(std::min(settings_.max_discrete_capacity * risen, most));
    return {distortion + static_cast<Real>(settings_.gamma) * (abs(of_real - capacity) + abs(of_classes - discrete)),
            {terms::reconstruction(-distortion),
             terms::kl(of_real + of_classes),
             {"kl_real", of_real, "nats", "KL of the real numbers of the code"},
             {"kl_classes", of_classes, "nats", "KL of its categorical variables"},
             {"capacity", c.tape.constant(Shape{}, capacity), "nats", "what the KL of the real numbers is held to"},
             {"discrete_capacity", c.tape.constant(Shape{}, discrete), "nats",
              "what the KL of the categorical variables is held to"}}};
  }
  std::string describe() const override {
    return cat("-log p(x|z) + ", settings_.gamma, " (|KL - C| of the real numbers + |KL - C| of the classes), C up to ",
               settings_.max_capacity, " and ", settings_.max_discrete_capacity, " nats over ", settings_.capacity_steps,
               " steps");
  }

 private:
  JointCapacitySettings settings_;
};

std::unique_ptr<VariationalObjective> JointCapacitySettings::build(const ObjectiveArgs& args) const {
  if (!args.model.has_joint_code())
    throw ConfigError(
        "model.objective: joint_capacity needs a code of real numbers and classes; choose posterior joint in a model of one "
        "level, or another objective");
  require_plain_weight(args, "joint_capacity", "gamma");
  return std::make_unique<JointCapacity>(args, *this);
}

}  // namespace

VAEZOO_PART(VariationalObjective, joint_capacity, JointCapacitySettings,
            "-log p(x|z) + gamma (|KL_real - C_real| + |KL_classes - C_classes|), the capacities rising linearly (Dupont 2018)")
