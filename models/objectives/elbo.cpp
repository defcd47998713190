// The evidence lower bound, its KL weighted, warmed up or with free bits.
//   Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014, eq. (7) and (10)
//   Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework", ICLR 2017, eq. (4): beta
//   Kingma et al., "Improving Variational Inference with Inverse Autoregressive Flow", NeurIPS 2016, eq. (15): free bits
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/objectives/variational_objective.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

/// The KL of all levels, of which the mean over the batch of each dimension, of a map of each channel, counts as at least `free_bits` nats, so
/// that the model has nothing to gain from collapsing it. One number.
Var with_free_bits(const Trace& trace, double free_bits) {
  Var total;
  for (const LevelRate& level : trace.levels) {
    const Var kl = level.per_dimension;
    const Var group = sum(reshape(kl, {-1, level.channels}), 0) / static_cast<Real>(kl.shape()[0]);
    const Var counted = sum(maximum(group, group.tape().constant(group.shape(), static_cast<Real>(free_bits))));
    total = total ? total + counted : counted;
  }
  return total;
}

class Elbo final : public VariationalObjective {
 public:
  using VariationalObjective::VariationalObjective;

  Objective operator()(const Context& c, const Minibatch& batch) const override {
    const double free_bits = weight().free_bits;
    const Real beta = weight().at(c.progress);
    const Trace trace = model().trace(c, batch, free_bits > 0);     // z ~ q(z | x)
    const Var distortion = -mean(trace.log_p_x);                    // -E_q log p(x | z)
    const auto [kl, rates] = mean_rates(c, trace);                  // KL(q(z | x) || p(z))
    const Var counted = free_bits > 0 ? with_free_bits(trace, free_bits) : kl;
    Objective o{distortion + beta * counted, {terms::reconstruction(-distortion), terms::kl(kl)}};
    report(o, c, rates, beta);
    return o;
  }
  std::string describe() const override { return cat("-log p(x|z) + KL, ", weight().describe()); }
};

struct ElboSettings {
  void fields(Fields&) {}
  std::unique_ptr<VariationalObjective> build(const ObjectiveArgs& args) const {
    if (args.weight.free_bits > 0 && !args.model.has_rate_per_dimension())
      throw ConfigError(
          "model.free_bits: they need the KL of each dimension in closed form, which there is only with a normal posterior, \"prior\": "
          "\"standard_normal\" and \"estimator\": \"standard\"; set free_bits to 0 or change those");
    return std::make_unique<Elbo>(args);
  }
};

}  // namespace

VAEZOO_PART(VariationalObjective, elbo, ElboSettings, "-log p(x|z) + KL, with the model's weight of the KL")
