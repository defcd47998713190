// The VAE whose aggregate posterior q(z) = E_x q(z | x) is pushed towards the product of its marginals: the loss has gamma times the total
// correlation TC = KL(q(z) || prod_j q(z_j)), estimated by a discriminator that is trained to tell codes from codes whose dimensions
// were shuffled over the batch.
//   Kim & Mnih, "Disentangling by Factorising", ICML 2018, eq. (2) and (3), algorithm 2
#include <algorithm>
#include <utility>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/discriminator.hpp"
#include "models/parts/latent_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct FactorVaeConfig : LatentConfig {
  double gamma = 10;
  DiscriminatorConfig discriminator{std::vector<std::int64_t>(6, 1000)};

  void fields(Fields& f) {
    LatentConfig::fields(f);
    f("gamma", gamma, "weight of the total correlation", at_least(0));
    f("discriminator", discriminator, "network that tells codes from shuffled ones; its optimiser is train.optimizers.discriminator");
  }
};

class FactorVae final : public LatentModel {
 public:
  FactorVae(const FactorVaeConfig& config, const DataSpec& data, Parameters p)
      : LatentModel(config, data, p), gamma_(static_cast<Real>(config.gamma)),
        discriminator_(config.discriminator, config.latent_dim, p / "discriminator"),
        of_discriminator_(p.store().groups({"discriminator"})) {}

  // The discriminator gives one number D(z), log d(z) / (1 - d(z)) of the paper's d. Codes and shuffled codes are of the same batch; the
  // paper draws a second batch, so that a code and its shuffled parts are independent, which they are here but for 1 in B.
  Objective objective(const Context& c, const Minibatch& batch) const override {
    const Distribution &q = q_z(c, batch.x), &p = p_z(c, batch.x.shape()[0]);          // q(z | x), p(z)
    const Draw draw = q.rsample(c.key.fold("z"));
    const Var z = draw.value, distortion = -mean(p_x().log_prob(c, z, batch.x, batch.mask));       // -E_q log p(x | z)
    const Var kl = mean(rate(q, p, draw));                                             // KL(q(z | x) || p(z))
    const Var of_codes = discriminator_(c, z), of_shuffled = discriminator_(c, shuffled(c, z));
    const Var total_correlation = mean(of_codes);                                      // E_q(z) log d(z) / (1 - d(z))
    return {{{terms::loss(distortion + kl + gamma_ * total_correlation), ~of_discriminator_},
             {{"discriminator_loss", cross_entropy(of_codes, of_shuffled), "nats",
               "cross-entropy of the discriminator; log 2 = 0.693: it sees no difference"},
              of_discriminator_}},
            {terms::reconstruction(-distortion), terms::kl(kl),
             {"total_correlation", total_correlation, "nats",
              "KL of q(z) from the product of its marginals, as the discriminator sees it"}}};
  }

  std::string describe() const override {
    return cat("-log p(x|z) + KL + ", gamma_, " total correlation of q(z), from a discriminator", describe_parts());
  }

 private:
  /// A constant: the numbers of each dimension of z [B, Z] in a random order of their own, so that draws from q(z) become draws from
  /// prod_j q(z_j).
  static Var shuffled(const Context& c, Var z) {
    const Index batch = z.shape()[0], dimensions = z.shape()[1];
    const Var moved = c.tape.node("shuffled", z.shape(), {});
    std::ranges::copy(z.value(), moved.data());
    for (Index j = 0; j < dimensions; ++j) {
      const Key key = c.key.fold("shuffle").fold(static_cast<std::uint64_t>(j));
      for (Index i = batch - 1; i > 0; --i) {  // Fisher-Yates
        const auto other = static_cast<Index>(uniform_integer(key.fold(static_cast<std::uint64_t>(i)), static_cast<std::uint64_t>(i) + 1));
        std::swap(moved.data()[i * dimensions + j], moved.data()[other * dimensions + j]);
      }
    }
    return moved;
  }

  Real gamma_;
  Discriminator discriminator_;
  Groups of_discriminator_;
};

}  // namespace

VAEZOO_MODEL(factor_vae, FactorVae, FactorVaeConfig,
             "VAE whose code has little total correlation, as a discriminator sees it", "Kim & Mnih, ICML 2018, eq. (2)")
