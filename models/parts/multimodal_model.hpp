#pragma once
// VAEs of several modalities x_1 ... x_M in one code, of which an example may lack some: p(x, z) = p(z) prod_m p(x_m | z), and
// q(z | x) is made of an expert q(z | x_m) for each modality that was observed. How it is made is what the papers differ in:
//   product              p(z) prod_m q(z | x_m)         Wu & Goodman, "Multimodal Generative Models for Scalable
//   Weakly-Supervised Learning", NeurIPS 2018 mixture              1/M sum_m q(z | x_m)           Shi, Siddharth, Paige & Torr,
//   "Variational Mixture-of-Experts Autoencoders for Multi-Modal Deep
//                                                       Generative Models", NeurIPS 2019
//   mixture_of_products  1/S sum_s prod_{m in s} q(z | x_m) of all S = 2^M - 1 subsets s     Sutter, Daunhawer & Vogt,
//   "Generalized Multimodal ELBO", ICLR 2021
#include <span>
#include <string>
#include <vector>

#include "models/objectives/variational_objective.hpp"
#include "models/parts/latent_model.hpp"
#include "models/parts/terms.hpp"

namespace vaezoo {

struct MultimodalConfig : AutoencoderConfig {
  std::string experts = "mixture_of_products";
  std::int64_t importance_samples = 0;
  bool rescale = false;
  double beta = 1;
  KlSchedule kl_weight;
  LogVarianceBounds log_variance;

  virtual ~MultimodalConfig() = default;
  virtual void fields(Fields& f);

 protected:
  void fields_of_bound(Fields& f);
};

class MultimodalModel final : public Model {
 public:
  /// Throws ConfigError when the data have no modalities.
  MultimodalModel(const MultimodalConfig& config, const DataSpec& data, ad::Parameters p);

  Objective objective(const Context& c, const Minibatch& batch) const override;
  /// Of all that was observed; the KL of a mixture is log q - log p of a draw.
  ElboTerms elbo(const Context& c, const Minibatch& batch, Code code) const override;
  Var log_weights(const Context& c, const Minibatch& batch, Index samples) const override;
  Var encode(const Context& c, const Minibatch& batch) const override { return posterior(c, batch).mean; }
  /// q(z | what was observed); of a mixture the normal with its mean and variances.
  DiagonalNormal posterior(const Context& c, const Minibatch& batch) const override;
  Var decode(const Context& c, Var z, const Minibatch& given) const override;
  Var sample_x(const Context& c, Var z, const Minibatch& given) const override;
  Var sample_prior(const Context& c, Index count, const Minibatch& given) const override;

  bool takes_mask() const override { return true; }
  Index latent_dim() const override { return config_.latent_dim; }
  bool has_density() const override { return true; }
  bool discrete() const override { return modalities_.front().p.likelihood().discrete(); }
  bool binary() const override { return modalities_.front().p.likelihood().binary(); }
  std::string describe() const override;

 private:
  struct ModalityParts {
    Index begin, end;
    Real scale;  ///< of its log-likelihood in the loss
    Encoder q;
    Decoder p;
    terms::Named reconstruction;

    ModalityParts(const MultimodalConfig& config, const ModalitySpec& spec, const DataSpec& data, Real scale,
                  const ad::Parameters& p);
  };
  /// A normal over z that is decoded on its own in the loss: of a product q itself and each expert, of a mixture its components.
  struct Component {
    DiagonalNormal q;
    std::span<Real> weight;  ///< [B], 0 where the example lacks what it is made of; those of a mixture sum to 1
    std::uint32_t decoded;   ///< bit m: its draws are to give modality m
  };

  bool mixture() const { return config_.experts != "product"; }
  std::uint32_t everything() const { return (1u << modalities_.size()) - 1; }
  std::span<const Component> infer(const Context& c, const Minibatch& batch) const;
  Var log_p_x(const Context& c, Var z, const Minibatch& batch) const;
  Var decoded(const Context& c, Var z, Var (Decoder::*how)(const Context&, Var) const) const;
  Objective elbo_objective(const Context& c, const Minibatch& batch, std::span<const Component> q) const;
  Objective importance_objective(const Context& c, const Minibatch& batch, std::span<const Component> q) const;
  Objective with_terms(Objective o, const Context& c, std::span<const Var> reconstructions) const;
  Real kl_weight(const Context& c) const { return static_cast<Real>(config_.beta * config_.kl_weight.at(c.progress)); }

  MultimodalConfig config_;
  std::vector<ModalityParts> modalities_;
  std::vector<std::uint32_t> members_;  ///< of each component: bit m says that it has the expert of modality m
};

}  // namespace vaezoo
