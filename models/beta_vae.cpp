// The beta-VAE in its two forms.
//   weight:   Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework", ICLR 2017, eq. (4)
//   capacity: Burgess et al., "Understanding disentangling in beta-VAE", 2018, eq. (8)
#include <algorithm>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/parts/latent_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct BetaVaeConfig : LatentConfig {
  std::string objective = "weight";
  double beta = 4;
  KlSchedule kl_weight;
  double free_bits = 0;
  double gamma = 1000;
  double max_capacity = 25;
  std::int64_t capacity_steps = 100'000;

  void fields(Fields& f) {
    LatentConfig::fields(f);
    f.one_of("objective", objective,
             {{"weight", "-log p(x|z) + beta KL", [this](Fields& g) {
                 g("beta", beta, "weight of the KL; 1 gives the VAE", at_least(0));
                 kl_weight.visit(g, "kl_weight", "how the weight of the KL rises to beta");
                 g("free_bits", free_bits, "nats of KL per dimension that cost nothing", at_least(0));
               }},
              {"capacity", "-log p(x|z) + gamma |KL - C|, the capacity C rising linearly", [this](Fields& g) {
                 g("gamma", gamma, "weight of the distance from the capacity", at_least(0));
                 g("max_capacity", max_capacity, "the capacity C at the end of the rise, in nats", at_least(0));
                 g("capacity_steps", capacity_steps, "steps over which C rises from 0", at_least(1));
               }}},
             "what is minimised");
  }
};

class BetaVae final : public LatentModel {
 public:
  BetaVae(const BetaVaeConfig& config, const DataSpec& data, Parameters p)
      : LatentModel(config, data, p), config_(config) {
    if (config.objective == "weight") require_kl_per_dimension(config.free_bits);
  }

  Objective objective(const Context& c, const Position& progress, const Minibatch& batch) const override {
    const Distribution &q = q_z(c, batch.x), &p = p_z(c, batch.x.shape()[0]);  // q(z | x), p(z)
    const Draw z = q.rsample(c.key.fold("z"));
    const Var distortion = -mean(p_x().log_prob(c, z.value, batch.x));         // -E_q log p(x | z)
    const Var kl = mean(rate(q, p, z));                                        // KL(q(z | x) || p(z))
    if (config_.objective == "capacity") {                                     // the mean, then the distance: C bounds the average rate
      const Real capacity =
          static_cast<Real>(config_.max_capacity * std::min(1.0, double(progress.step) / double(config_.capacity_steps)));
      return {distortion + static_cast<Real>(config_.gamma) * abs(kl - capacity),
              {terms::reconstruction(-distortion), terms::kl(kl),
               {"capacity", c.tape.constant(Shape{}, capacity), "nats", "what the KL is held to at the end of training"}}};
    }
    const Var counted = config_.free_bits > 0 ? with_free_bits(q, p, config_.free_bits) : kl;
    const Real beta = static_cast<Real>(config_.beta * config_.kl_weight.at(progress));
    return {beta == 1 ? distortion + counted : distortion + beta * counted,
            {terms::reconstruction(-distortion), terms::kl(kl), terms::beta(c.tape.constant(Shape{}, beta))}};
  }

  std::string describe() const override {
    const std::string form = config_.objective == "capacity"
                                 ? cat("-log p(x|z) + ", config_.gamma, " |KL - C|, C up to ", config_.max_capacity,
                                       " nats over ", config_.capacity_steps, " steps")
                                 : cat("-log p(x|z) + beta KL, beta ", config_.beta,
                                       config_.kl_weight.name == "constant" ? "" : cat(" (", config_.kl_weight.name, ")"),
                                       config_.free_bits > 0 ? cat(", free bits ", config_.free_bits) : "");
    return cat(form, describe_parts());
  }

 private:
  BetaVaeConfig config_;
};

}  // namespace

VAEZOO_MODEL(beta_vae, BetaVae, BetaVaeConfig, "VAE with a weighted KL, or with a capacity that the KL is held to",
             "Higgins et al., ICLR 2017; Burgess et al., 2018")
