// The variational autoencoder.
//   Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014, eq. (7) and (10)
//   Rezende, Mohamed & Wierstra, "Stochastic Backpropagation ...", ICML 2014
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/parts/latent_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct VaeConfig : LatentConfig {
  KlSchedule kl_weight;
  double free_bits = 0;

  void fields(Fields& f) {
    LatentConfig::fields(f);
    kl_weight.visit(f, "kl_weight", "how the weight of the KL rises to 1");
    f("free_bits", free_bits, "nats of KL per dimension that cost nothing", at_least(0));
  }
};

class Vae final : public LatentModel {
 public:
  Vae(const VaeConfig& config, const DataSpec& data, Parameters p)
      : LatentModel(config, data, p), kl_weight_(config.kl_weight), free_bits_(config.free_bits) {
    require_kl_per_dimension(free_bits_);
  }

  Objective objective(const Context& c, const Position& progress, const Minibatch& batch) const override {
    const Distribution &q = q_z(c, batch.x), &p = p_z(c, batch.x.shape()[0]);   // q(z | x), p(z)
    const Draw z = q.rsample(c.key.fold("z"));
    const Var distortion = -mean(p_x().log_prob(c, z.value, batch.x));          // -E_q log p(x | z)
    const Var kl = mean(rate(q, p, z));                                         // KL(q(z | x) || p(z))
    const Var counted = free_bits_ > 0 ? with_free_bits(q, p, free_bits_) : kl;
    const Real weight = static_cast<Real>(kl_weight_.at(progress));
    return {weight == 1 ? distortion + counted : distortion + weight * counted,
            {terms::reconstruction(-distortion), terms::kl(kl)}};
  }

  std::string describe() const override {
    return cat("-log p(x|z) + KL, KL weight ", kl_weight_.name == "constant" ? "1" : kl_weight_.name,
               free_bits_ > 0 ? cat(", free bits ", free_bits_) : "", describe_parts());
  }

 private:
  KlSchedule kl_weight_;
  double free_bits_;
};

}  // namespace

VAEZOO_MODEL(vae, Vae, VaeConfig, "One latent z with an amortised posterior (diagonal normal or a flow) and a prior",
             "Kingma & Welling, ICLR 2014")
