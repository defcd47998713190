// The conditional VAE: everything is told a condition y, a label or real numbers.
//   Sohn, Lee & Yan, "Learning Structured Output Representation using Deep Conditional Generative Models", NeurIPS 2015, eq. (4)
//   Kingma et al., "Semi-Supervised Learning with Deep Generative Models", NeurIPS 2014 (labels beside x and z)
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/parts/gaussian_latent_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct ConditionalVaeConfig : GaussianLatentConfig {
  ConditionConfig condition;
  double beta = 1;
  KlSchedule kl_weight;

  ConditionalVaeConfig() { prior.told = true; }
  void fields(Fields& f) {
    GaussianLatentConfig::fields(f);
    f("condition", condition, "what the model is told, and how");
    f("beta", beta, "weight of the KL", at_least(0));
    kl_weight.visit(f, "kl_weight", "how the weight of the KL rises to beta");
  }
};

class ConditionalVae final : public GaussianLatentModel {
 public:
  ConditionalVae(const ConditionalVaeConfig& config, const DataSpec& data, Parameters p)
      : GaussianLatentModel(config, data, p, &config.condition), beta_(config.beta), kl_weight_(config.kl_weight) {}

  Objective objective(const Context& context, const Position& progress, const Minibatch& batch) const override {
    const Context c = told(context, batch);                              // y
    const DiagonalNormal q = q_z(c, batch.x);                            // q(z | x, y)
    const Var z = q.rsample(c.key.fold("z"));
    const Var distortion = -mean(p_x().log_prob(c, z, batch.x));         // -E_q log p(x | z, y)
    const Var rate = mean(kl(c, q, z));                                  // KL(q(z | x, y) || p(z | y))
    const Real weight = static_cast<Real>(beta_ * kl_weight_.at(progress));
    return {distortion + weight * rate, {{"reconstruction", -distortion}, {"kl", rate}}};
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
