// Two objectives from the same draws: the decoder's is the tight bound of all of them, the encoder's the mean of M looser ones, whose
// gradient has more signal.
//   Rainforth et al., "Tighter Variational Bounds are Not Necessarily Better", ICML 2018, section 5
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/latent_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct PiwaeConfig : LatentConfig {
  std::int64_t bounds = 3, samples = 5;

  void fields(Fields& f) {
    LatentConfig::fields(f);
    f("bounds", bounds, "bounds that the encoder's objective averages (M)", between(1, 100'000));
    f("samples", samples, "draws of z in each of them (K); the decoder's objective is the bound of all M K", between(1, 100'000));
  }
};

class Piwae final : public LatentModel {
 public:
  Piwae(const PiwaeConfig& config, const DataSpec& data, Parameters p)
      : LatentModel(config, data, p), bounds_(config.bounds), samples_(config.samples) {
    require_gradient_from_encoder("piwae");
  }

  // Both gradients are weighted sums over the draws, sum_i weight_i grad log w_i: with a_i = w_i / sum of all for the decoder (and a
  // trained prior), and for the encoder with b_i = w_i / (M sum of its group). So one pass serves both: the loss weighs by a_i, and what
  // draw i sends on to the encoder is multiplied by b_i / a_i. Where a_i has underflowed and b_i has not, that would be 0 * infinity;
  // a floor of 1e-20 makes it b_i again, and adds to the decoder's gradient 1e-13 of a rounding error.
  Objective objective(const Context& c, const Position&, const Minibatch& batch) const override {
    const ImportanceSamples draws = draw(c, batch.x, bounds_ * samples_);
    const Var log_w = reshape(draws.log_w, {-1, bounds_, samples_});       // [B, M, K]
    const Var iwae = mean(log_mean_exp(draws.log_w));                      // of the decoder: log 1/MK sum w
    const Var miwae = mean(log_mean_exp(log_w));                           // of the encoder: 1/M sum_m log 1/K sum_k w_mk
    const Var all = softmax(stop_gradient(draws.log_w)), in_group = reshape(softmax(stop_gradient(log_w)), all.shape());
    const Var a = maximum(all, c.tape.constant(all.shape(), Real(1e-20)));
    const Var b = (estimator().doubly_reparameterized() ? square(in_group) : in_group) / static_cast<Real>(bounds_);
    draws.scale_encoder_gradient(b / a);
    const Var bound = straight_through(iwae, mean(sum(a * draws.log_w, 1)));
    Objective objective = importance_objective(bound, draws);
    objective.add({"encoder_bound", miwae, "nats", "the bound of log p(x) that the encoder is trained on"});
    return objective;
  }

  std::string describe() const override {
    return cat("decoder: -log mean of ", bounds_ * samples_, " importance weights, encoder: -mean of ", bounds_, " log means of ",
               samples_, describe_parts());
  }

 private:
  Index bounds_, samples_;
};

}  // namespace

VAEZOO_MODEL(piwae, Piwae, PiwaeConfig,
             "The decoder trained on the bound of all draws, the encoder on the mean of M looser bounds",
             "Rainforth et al., ICML 2018")
