// The importance-weighted autoencoder.
//   Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, eq. (8)
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/parts/latent_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct IwaeConfig : LatentConfig {
  std::int64_t samples = 5;

  void fields(Fields& f) {
    LatentConfig::fields(f);
    f("samples", samples, "draws of z for each example (K); 1 gives the VAE with its KL estimated", between(1, 100'000));
  }
};

class Iwae final : public LatentModel {
 public:
  Iwae(const IwaeConfig& config, const DataSpec& data, Parameters p)
      : LatentModel(config, data, p), samples_(config.samples) {}

  Objective objective(const Context& c, const Position&, const Minibatch& batch) const override {
    const ImportanceSamples draws = draw(c, batch.x, samples_);   // z_k ~ q(z | x), log w_k [B, K]
    const Var bound = mean(log_mean_exp(draws.log_w));            // log 1/K sum_k w_k
    // The gradient of the bound weighs draw k by w_k / sum w; once more by it, and the encoder's is the doubly reparameterised one.
    if (estimator().doubly_reparameterized()) draws.scale_encoder_gradient(softmax(stop_gradient(draws.log_w)));
    return importance_objective(bound, draws);
  }

  std::string describe() const override { return cat("-log mean of ", samples_, " importance weights", describe_parts()); }

 private:
  Index samples_;
};

}  // namespace

VAEZOO_MODEL(iwae, Iwae, IwaeConfig, "VAE with a tighter bound: the log of the mean of K importance weights",
             "Burda et al., ICLR 2016")
