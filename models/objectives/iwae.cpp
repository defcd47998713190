// The importance-weighted bound.
//   Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, eq. (8)
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/objectives/variational_objective.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

class Iwae final : public ImportanceObjective {
 public:
  Iwae(const ObjectiveArgs& args, Index samples) : ImportanceObjective(args, "iwae"), samples_(samples) {}

  Objective operator()(const Context& c, const Minibatch& batch) const override {
    const Real beta = weight().at(c.progress);
    const ImportanceSamples draws = model().weighted_draws(c, batch, samples_);    // z_k ~ q(z | x)
    const Var log_w = draws.log_w(beta), bound = mean(log_mean_exp(log_w));        // log 1/K sum_k w_k
    if (model().estimator().doubly_reparameterized()) draws.scale_encoder_gradient(dreg_factors(softmax(stop_gradient(log_w)), beta));
    return objective(c, bound, draws, beta);
  }
  std::string describe() const override { return cat("-log mean of ", samples_, " importance weights", weight_where_not_one()); }

 private:
  Index samples_;
};

struct IwaeSettings {
  std::int64_t samples = 5;

  void fields(Fields& f) {
    f("samples", samples, "draws of z for each example (K); 1 gives the VAE with its KL estimated", between(1, 100'000));
  }
  std::unique_ptr<VariationalObjective> build(const ObjectiveArgs& args) const { return importance_weighted(args, samples); }
};

}  // namespace

std::unique_ptr<VariationalObjective> vaezoo::importance_weighted(const ObjectiveArgs& args, Index samples) {
  return std::make_unique<Iwae>(args, samples);
}

VAEZOO_PART(VariationalObjective, iwae, IwaeSettings, "-log 1/K sum_k w_k: the importance-weighted bound of K draws")
