// Two objectives from the same draws: the decoder's is the tight bound of all of them, the encoder's the mean of M looser ones, whose
// gradient has more signal.
//   Rainforth et al., "Tighter Variational Bounds are Not Necessarily Better", ICML 2018, section 5
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/objectives/variational_objective.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct PiwaeSettings {
  std::int64_t bounds = 3, samples = 5;

  void fields(Fields& f) {
    f("bounds", bounds, "bounds that the encoder's objective averages (M)", between(1, 100'000));
    f("samples", samples, "draws of z in each of them (K); the decoder's objective is the bound of all M K", between(1, 100'000));
  }
  std::unique_ptr<VariationalObjective> build(const ObjectiveArgs& args) const;
};

class Piwae final : public ImportanceObjective {
 public:
  Piwae(const ObjectiveArgs& args, const PiwaeSettings& settings)
      : ImportanceObjective(args, "piwae"), bounds_(settings.bounds), samples_(settings.samples) {}

  // Both gradients are weighted sums over the draws, sum_i weight_i grad log w_i: with a_i = w_i / sum of all for the decoder (and a
  // trained prior), and for the encoder with b_i = w_i / (M sum of its group). So one pass serves both: the loss weighs by a_i, and what
  // draw i sends on to the encoder is multiplied by b_i / a_i. Where a_i has underflowed and b_i has not, that would be 0 * infinity;
  // a floor of 1e-20 makes it b_i again, and adds to the decoder's gradient 1e-13 of a rounding error.
  Objective operator()(const Context& c, const Minibatch& batch) const override {
    const Real beta = weight().at(c.progress);
    const ImportanceSamples draws = model().weighted_draws(c, batch, bounds_ * samples_);
    const Var log_w_all = draws.log_w(beta), log_w = reshape(log_w_all, {-1, bounds_, samples_});  // [B, M, K]
    const Var iwae = mean(log_mean_exp(log_w_all));                        // of the decoder: log 1/MK sum w
    const Var miwae = mean(log_mean_exp(log_w));                           // of the encoder: 1/M sum_m log 1/K sum_k w_mk
    const Var all = softmax(stop_gradient(log_w_all)), in_group = reshape(softmax(stop_gradient(log_w)), all.shape());
    const Var a = maximum(all, c.tape.constant(all.shape(), Real(1e-20)));
    const Var b = model().estimator().doubly_reparameterized() ? in_group * dreg_factors(in_group, beta) : in_group;
    draws.scale_encoder_gradient(b / static_cast<Real>(bounds_) / a);
    const Var bound = straight_through(iwae, mean(sum(a * log_w_all, 1)));
    Objective o = objective(c, bound, draws, beta);
    o.add({"encoder_bound", miwae, "nats", "the bound of log p(x) that the encoder is trained on"});
    return o;
  }
  std::string describe() const override {
    return cat("decoder: -log mean of ", bounds_ * samples_, " importance weights, encoder: -mean of ", bounds_, " log means of ", samples_,
               weight_where_not_one());
  }

 private:
  Index bounds_, samples_;
};

std::unique_ptr<VariationalObjective> PiwaeSettings::build(const ObjectiveArgs& args) const {
  if (!args.model.can_weigh_draws())
    throw ConfigError(
        "model.objective: piwae weighs what each draw sends to the encoder, which a posterior with weights of its own (iaf) or a code of several "
        "levels does not allow; choose posterior normal or planar, with several levels estimator dreg, or another objective");
  return std::make_unique<Piwae>(args, *this);
}

}  // namespace

VAEZOO_PART(VariationalObjective, piwae, PiwaeSettings, "the decoder on the bound of all M K draws, the encoder on the mean of M bounds of K")
