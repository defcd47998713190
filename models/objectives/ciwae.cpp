// A mixture of the ELBO and the importance-weighted bound.
//   Rainforth et al., "Tighter Variational Bounds are Not Necessarily Better", ICML 2018, section 5
#include <limits>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/objectives/variational_objective.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct CiwaeSettings {
  std::int64_t samples = 5;
  double beta = 0.05;

  void fields(Fields& f) {
    f("samples", samples, "draws of z for each example (K)", between(1, 100'000));
    f("beta", beta, "the ELBO's part of the objective; 0 gives the IWAE, 1 the VAE with K draws", between(0, 1));
  }
  std::unique_ptr<VariationalObjective> build(const ObjectiveArgs& args) const;
};

class Ciwae final : public ImportanceObjective {
 public:
  Ciwae(const ObjectiveArgs& args, const CiwaeSettings& settings)
      : ImportanceObjective(args, "ciwae"), samples_(settings.samples), part_(static_cast<Real>(settings.beta)) {}

  Objective operator()(const Context& c, const Minibatch& batch) const override {
    const Real beta = weight().at(c.progress);
    const ImportanceSamples draws = model().weighted_draws(c, batch, samples_);
    const Var log_w = draws.log_w(beta), elbo = mean(log_w), iwae = mean(log_mean_exp(log_w));
    const Var bound = part_ * elbo + (1 - part_) * iwae;
    if (model().estimator().doubly_reparameterized()) {
      // The bound weighs draw k by a = part / K + (1 - part) w, w its normalised weight; only the second part is dreg's.
      const Real flat = part_ / static_cast<Real>(samples_), tilted = 1 - part_;
      draws.scale_encoder_gradient(map(
          "ciwae_dreg",
          [=](auto w) {
            return (flat + tilted * w * ((1 - beta) + beta * w)) /
                   fmax(flat + tilted * w, decltype(w)(std::numeric_limits<Real>::min()));  // 0 / 0: no draw at all
          },
          softmax(stop_gradient(log_w))));
    }
    Objective o = objective(c, bound, draws, beta);
    o.add({"iwae", iwae, "nats", "the importance-weighted part of the bound"});
    return o;
  }
  std::string describe() const override {
    return cat("-", part_, " ELBO - ", 1 - part_, " log mean of ", samples_, " importance weights", weight_where_not_one());
  }

 private:
  Index samples_;
  Real part_;
};

std::unique_ptr<VariationalObjective> CiwaeSettings::build(const ObjectiveArgs& args) const { return std::make_unique<Ciwae>(args, *this); }

}  // namespace

VAEZOO_PART(VariationalObjective, ciwae, CiwaeSettings, "a mixture of the ELBO and the importance-weighted bound")
