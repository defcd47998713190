// The mean of M importance-weighted bounds of K draws each.
//   Rainforth et al., "Tighter Variational Bounds are Not Necessarily Better", ICML 2018, section 5
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/objectives/variational_objective.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct MiwaeSettings {
  std::int64_t bounds = 3, samples = 5;

  void fields(Fields& f) {
    f("bounds", bounds, "independent bounds that are averaged (M); 1 gives the IWAE", between(1, 100'000));
    f("samples", samples, "draws of z in each bound (K); 1 gives the VAE with M draws", between(1, 100'000));
  }
  std::unique_ptr<VariationalObjective> build(const ObjectiveArgs& args) const;
};

class Miwae final : public ImportanceObjective {
 public:
  Miwae(const ObjectiveArgs& args, const MiwaeSettings& settings)
      : ImportanceObjective(args, "miwae"), bounds_(settings.bounds), samples_(settings.samples) {}

  Objective operator()(const Context& c, const Minibatch& batch) const override {
    const Real beta = weight().at(c.progress);
    const ImportanceSamples draws = model().weighted_draws(c, batch, bounds_ * samples_);
    const Var log_w = reshape(draws.log_w(beta), {-1, bounds_, samples_});  // [B, M, K]
    const Var bound = mean(log_mean_exp(log_w));                            // 1/M sum_m log 1/K sum_k w_mk
    if (model().estimator().doubly_reparameterized()) draws.scale_encoder_gradient(dreg_factors(softmax(stop_gradient(log_w)), beta));
    return objective(c, bound, draws, beta);
  }
  std::string describe() const override {
    return cat("-mean of ", bounds_, " log means of ", samples_, " importance weights", weight_where_not_one());
  }

 private:
  Index bounds_, samples_;
};

std::unique_ptr<VariationalObjective> MiwaeSettings::build(const ObjectiveArgs& args) const { return std::make_unique<Miwae>(args, *this); }

}  // namespace

VAEZOO_PART(VariationalObjective, miwae, MiwaeSettings, "the mean of M importance-weighted bounds of K draws each")
