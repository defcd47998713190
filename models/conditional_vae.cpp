// The conditional VAE: all parts are conditioned on y, a label or real numbers.
//   Sohn, Lee & Yan, "Learning Structured Output Representation using Deep Conditional Generative Models", NeurIPS 2015, eq. (4)
//   Kingma et al., "Semi-Supervised Learning with Deep Generative Models", NeurIPS 2014 (labels concatenated to x and z)
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/parts/latent_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct ConditionalVaeConfig : LatentConfig {
  ConditionConfig condition;
  double beta = 1;
  KlSchedule kl_weight;

  ConditionalVaeConfig() { prior.conditional = true; }
  void fields(Fields& f) {
    LatentConfig::fields(f);
    f("condition", condition, "what the model is conditioned on, and how");
    f("beta", beta, "weight of the KL", at_least(0));
    kl_weight.visit(f, "kl_weight", "how the weight of the KL rises to beta");
  }
};

class ConditionalVae final : public LatentModel {
 public:
  ConditionalVae(const ConditionalVaeConfig& config, const DataSpec& data, Parameters p)
      : LatentModel(config, data, p, &config.condition), beta_(config.beta), kl_weight_(config.kl_weight) {}

  Objective objective(const Context& context, const Position& progress, const Minibatch& batch) const override {
    const Context c = conditioned(context, batch);                             // y
    const Distribution &q = q_z(c, batch.x), &p = p_z(c, batch.x.shape()[0]);  // q(z | x, y), p(z | y)
    const Draw z = q.rsample(c.key.fold("z"));
    const Var distortion = -mean(p_x().log_prob(c, z.value, batch.x));         // -E_q log p(x | z, y)
    const Var kl = mean(rate(q, p, z));                                        // KL(q(z | x, y) || p(z | y))
    const Real weight = static_cast<Real>(beta_ * kl_weight_.at(progress));
    return {distortion + weight * kl, {terms::reconstruction(-distortion), terms::kl(kl)}};
  }

  std::string describe() const override {
    return cat("-log p(x|z,y) + ", beta_ == 1 ? "" : cat(beta_, " "), "KL(q(z|x,y) || p(z))", describe_parts());
  }

 private:
  double beta_;
  KlSchedule kl_weight_;
};

}  // namespace

VAEZOO_MODEL(conditional_vae, ConditionalVae, ConditionalVaeConfig,
             "VAE of x given a label or real conditions y; prior p(z) or p(z|y)", "Sohn, Lee & Yan, NeurIPS 2015, eq. (4)")
