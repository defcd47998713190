// The conditional VAE: all parts are conditioned on y, a label or real numbers, and the objective bounds log p(x | y).
//   Sohn, Lee & Yan, "Learning Structured Output Representation using Deep Conditional Generative Models", NeurIPS 2015, eq. (4)
//   Kingma et al., "Semi-Supervised Learning with Deep Generative Models", NeurIPS 2014 (labels concatenated to x and z)
#include "models/registry.hpp"
#include "models/vae.hpp"

namespace {

using namespace vaezoo;

struct ConditionalVaeConfig final : VaeConfig {
  ConditionalVaeConfig() {
    prior.conditional = true;
    condition.emplace();
  }
  void fields(Fields& f) override {
    LatentConfig::fields(f);
    f("condition", *condition, "what the model is conditioned on, and how");
    weight.visit(f);
    objective.visit(f);
  }
};

}  // namespace

VAEZOO_MODEL(conditional_vae, Vae, ConditionalVaeConfig,
             "VAE of x given a label or real conditions y; prior p(z) or p(z|y)", "Sohn, Lee & Yan, NeurIPS 2015, eq. (4)")
