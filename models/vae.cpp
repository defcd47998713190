// The variational autoencoder.
//   Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014, eq. (7) and (10)
//   Rezende, Mohamed & Wierstra, "Stochastic Backpropagation ...", ICML 2014
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/parts/gaussian_latent_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct VaeConfig : GaussianLatentConfig {
  KlSchedule kl_weight;
  double free_bits = 0;

  void fields(Fields& f) {
    GaussianLatentConfig::fields(f);
    kl_weight.visit(f, "kl_weight", "how the weight of the KL rises to 1");
    f("free_bits", free_bits, "nats of KL per dimension that cost nothing", at_least(0));
  }
};

class Vae final : public GaussianLatentModel {
 public:
  Vae(const VaeConfig& config, const DataSpec& data, Parameters p)
      : GaussianLatentModel(config, data, p), kl_weight_(config.kl_weight), free_bits_(config.free_bits) {
    require_kl_per_dimension(free_bits_);
  }

  Objective objective(const Context& c, const Position& progress, const Minibatch& batch) const override {
    const DiagonalNormal q = q_z(c, batch.x);                            // q(z | x)
    const Var z = q.rsample(c.key.fold("z"));
    const Var distortion = -mean(p_x().log_prob(c, z, batch.x));         // -E_q log p(x | z)
    const Var rate = mean(kl(c, q, z));                                  // KL(q(z | x) || p(z))
    const Var counted = free_bits_ > 0 ? with_free_bits(c, q, p_z(), free_bits_) : rate;
    const Real weight = static_cast<Real>(kl_weight_.at(progress));
    return {weight == 1 ? distortion + counted : distortion + weight * counted, {{"reconstruction", -distortion}, {"kl", rate}}};
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

VAEZOO_MODEL(vae, Vae, VaeConfig, "Gaussian latent code, amortised Gaussian posterior, standard normal prior",
             "Kingma & Welling, ICLR 2014")
