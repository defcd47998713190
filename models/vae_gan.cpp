// The VAE/GAN: reconstructions are compared by the features of a discriminator, which learns to tell images from decoded codes
// while the decoder learns to deceive it.
//   Larsen et al., "Autoencoding beyond pixels using a learned similarity metric", ICML 2016, algorithm 1
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/latent_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct VaeGanConfig : LatentConfig {
  double beta = 1, feature_weight = 1, equilibrium = 0.68, margin = 0.05;
  NetworkConfig discriminator{NetworkRole::encoder};

  void fields(Fields& f) {
    LatentConfig::fields(f);
    f("beta", beta, "weight of the KL; features have no unit, so that nothing makes 1 the right one", at_least(0));
    f("feature_weight", feature_weight,
      "the paper's gamma: what the decoder loses by other features, next to what it loses to the discriminator", at_least(0));
    f("equilibrium", equilibrium,
      "the discriminator's cross-entropy around which the two are kept; log 2 = 0.693: it sees no difference", at_least(0));
    f("margin", margin,
      "the discriminator rests while its cross-entropy is lower than equilibrium by this, and the decoder while it is higher by "
      "this (the authors' code)",
      at_least(0));
    discriminator.visit(f, "discriminator",
                        "network that tells images from decoded codes; its last hidden layer are the features; its optimiser is "
                        "train.optimizers.discriminator");
  }
};

class VaeGan final : public LatentModel {
 public:
  VaeGan(const VaeGanConfig& config, const DataSpec& data, Parameters p)
      : LatentModel(config, data, p),
        beta_(static_cast<Real>(config.beta)),
        feature_weight_(static_cast<Real>(config.feature_weight)),
        low_(config.equilibrium - config.margin),
        high_(config.equilibrium + config.margin),
        network_(make_encoder_network(config.discriminator, image_shape(data), p / "discriminator")),
        head_(p / "discriminator" / "head", network_->outputs().size(), 1),
        of_decoder_(p.store().groups({"decoder"})),
        of_discriminator_(p.store().groups({"discriminator"})) {}
  bool loss_measures_progress() const override { return false; }
  bool takes_mask() const override { return false; }  // the discriminator needs whole examples

  // Images, reconstructions and decoded draws of the prior go through the discriminator together, so that a batch norm sees one
  // law.
  Objective objective(const Context& c, const Minibatch& batch) const override {
    const Index rows = batch.x.shape()[0];
    const Distribution &q = q_z(c, batch.x), &p = p_z(c, rows);
    const Draw z = q.rsample(c.key.fold("z"));
    const Var decoded = p_x().mean(c, z.value), dreamt = p_x().mean(c, p.detached().rsample(c.key.fold("p")).value);
    const Var features = (*network_)(c, concat({batch.x, decoded, dreamt}, 0)), scores = squeeze(head_(c, features), 1);
    const auto part = [rows](Var v, Index i) { return slice(v, 0, i * rows, (i + 1) * rows); };
    // -log N(features of x; features of the reconstruction, I) but for its constant
    const Var similarity = mean(sum(Real(0.5) * square(part(features, 0) - part(features, 1)), 1));
    const Var kl = mean(rate(q, p, z));
    const Var deceit = Real(0.5) * (mean(softplus(-part(scores, 1))) + mean(softplus(-part(scores, 2))));
    const Var judgement = Real(0.5) * mean(softplus(-part(scores, 0))) +
                          Real(0.25) * (mean(softplus(part(scores, 1))) + mean(softplus(part(scores, 2))));
    // Whoever is ahead waits: in training its loss is then a constant.
    const auto unless = [&](bool waits, Var loss) { return c.training && waits ? Real(0) * loss : loss; };
    const bool discriminator_waits = double(judgement.item()) < low_,
               decoder_waits = !discriminator_waits && double(judgement.item()) > high_;
    return {{{terms::loss(similarity + beta_ * kl), ~(of_decoder_ | of_discriminator_)},
             {{"decoder_loss", unless(decoder_waits, feature_weight_ * similarity + deceit), "nats",
               "what the decoder lowers: other features, and being found out"},
              of_decoder_},
             {{"discriminator_loss", unless(discriminator_waits, judgement), "nats",
               "cross-entropy of the discriminator; log 2 = 0.693: it sees no difference"},
              of_discriminator_}},
            {{"feature_error", similarity, "", "half the squared distance of the features of images and reconstructions"},
             terms::kl(kl)}};
  }

  std::string describe() const override {
    return cat("|D_l(x) - D_l(decoder(z))|^2 / 2 + ", beta_, " KL, D_l the features of a discriminator; the decoder with ",
               feature_weight_, " of the first, against the discriminator", describe_parts());
  }

 private:
  Real beta_, feature_weight_;
  double low_, high_;  // of the discriminator's cross-entropy
  std::unique_ptr<Network> network_;
  Linear head_;
  Groups of_decoder_, of_discriminator_;
};

}  // namespace

VAEZOO_MODEL(vae_gan, VaeGan, VaeGanConfig,
             "VAE that compares images by the features of a discriminator, which it tries to deceive",
             "Larsen et al., ICML 2016, algorithm 1")
