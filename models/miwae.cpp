// The mean of M importance-weighted bounds of K draws each.
//   Rainforth et al., "Tighter Variational Bounds are Not Necessarily Better", ICML 2018, section 5
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/latent_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct MiwaeConfig : LatentConfig {
  std::int64_t bounds = 3, samples = 5;

  void fields(Fields& f) {
    LatentConfig::fields(f);
    f("bounds", bounds, "independent bounds that are averaged (M); 1 gives the IWAE", between(1, 100'000));
    f("samples", samples, "draws of z in each bound (K); 1 gives the VAE with M draws", between(1, 100'000));
  }
};

class Miwae final : public LatentModel {
 public:
  Miwae(const MiwaeConfig& config, const DataSpec& data, Parameters p)
      : LatentModel(config, data, p), bounds_(config.bounds), samples_(config.samples) {}

  Objective objective(const Context& c, const Position&, const Minibatch& batch) const override {
    const ImportanceSamples draws = draw(c, batch.x, bounds_ * samples_);
    const Var log_w = reshape(draws.log_w, {-1, bounds_, samples_});    // [B, M, K]
    const Var bound = mean(log_mean_exp(log_w));                        // 1/M sum_m log 1/K sum_k w_mk
    if (estimator().doubly_reparameterized()) draws.scale_encoder_gradient(softmax(stop_gradient(log_w)));
    return importance_objective(bound, draws);
  }

  std::string describe() const override {
    return cat("-mean of ", bounds_, " log means of ", samples_, " importance weights", describe_parts());
  }

 private:
  Index bounds_, samples_;
};

}  // namespace

VAEZOO_MODEL(miwae, Miwae, MiwaeConfig, "The mean of M importance-weighted bounds of K draws each: between VAE and IWAE",
             "Rainforth et al., ICML 2018")
