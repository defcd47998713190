// A mixture of the ELBO and the importance-weighted bound.
//   Rainforth et al., "Tighter Variational Bounds are Not Necessarily Better", ICML 2018, section 5
#include <limits>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/parts/latent_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct CiwaeConfig : LatentConfig {
  std::int64_t samples = 5;
  double beta = 0.05;

  void fields(Fields& f) {
    LatentConfig::fields(f);
    f("samples", samples, "draws of z for each example (K)", between(1, 100'000));
    f("beta", beta, "the ELBO's part of the objective; 0 gives the IWAE, 1 the VAE with K draws", between(0, 1));
  }
};

class Ciwae final : public LatentModel {
 public:
  Ciwae(const CiwaeConfig& config, const DataSpec& data, Parameters p)
      : LatentModel(config, data, p), samples_(config.samples), beta_(static_cast<Real>(config.beta)) {}

  Objective objective(const Context& c, const Position&, const Minibatch& batch) const override {
    const ImportanceSamples draws = draw(c, batch.x, samples_);
    const Var elbo = mean(draws.log_w), iwae = mean(log_mean_exp(draws.log_w));
    const Var bound = beta_ * elbo + (1 - beta_) * iwae;
    if (estimator().doubly_reparameterized()) {
      // The bound weighs draw k by a_k = beta / K + (1 - beta) w~_k, the encoder's gradient wants b_k = beta / K + (1 - beta) w~_k^2.
      const Real flat = beta_ / static_cast<Real>(samples_), tilted = 1 - beta_;
      draws.scale_encoder_gradient(map(
          "b_over_a",
          [=](auto w) {
            return (flat + tilted * w * w) /
                   fmax(flat + tilted * w, decltype(w)(std::numeric_limits<Real>::min()));  // 0 / 0: no draw at all
          },
          softmax(stop_gradient(draws.log_w))));
    }
    Objective objective = importance_objective(bound, draws);
    objective.add({"iwae", iwae, "nats", "the importance-weighted part of the bound"});
    return objective;
  }

  std::string describe() const override {
    return cat("-", beta_, " ELBO - ", 1 - beta_, " log mean of ", samples_, " importance weights", describe_parts());
  }

 private:
  Index samples_;
  Real beta_;
};

}  // namespace

VAEZOO_MODEL(ciwae, Ciwae, CiwaeConfig, "A mixture of the ELBO and the bound of the IWAE", "Rainforth et al., ICML 2018")
