#pragma once
// The parts that most VAEs share: q(z | x) = N(mean(x), diag variance(x)), p(z) = N(0, I) and a decoder with a likelihood.
// A variant adds its objective.
#include <memory>

#include "models/model.hpp"
#include "models/parts/likelihoods.hpp"
#include "models/parts/networks.hpp"

namespace vaezoo {

struct GaussianLatentConfig {
  std::int64_t latent_dim = 20;
  NetworkConfig encoder{NetworkRole::encoder}, decoder{NetworkRole::decoder};
  LikelihoodConfig likelihood;

  void fields(Fields& f);
};

ImageShape image_shape(const DataSpec& data);

/// x -> network -> linear head of `width` numbers.
class Encoder {
 public:
  Encoder(const NetworkConfig& config, const DataSpec& data, Index width, ad::Parameters p);
  Var operator()(const Context& c, Var x) const { return head_(c, (*network_)(c, x)); }

 private:
  std::unique_ptr<Network> network_;
  ad::Linear head_;
};

/// z -> network -> likelihood.
class Decoder {
 public:
  /// Throws ConfigError when the network or the likelihood does not fit the data.
  Decoder(const NetworkConfig& network, const LikelihoodConfig& likelihood, Index latent_dim, const DataSpec& data, ad::Parameters p);

  Var log_prob(const Context& c, Var z, Var x) const { return likelihood_->log_prob(c, outputs(c, z), x); }  ///< log p(x | z), [B]
  Var mean(const Context& c, Var z) const { return likelihood_->mean(outputs(c, z)); }                       ///< E[x | z], [B, D]
  Var sample(const Context& c, Var z) const { return likelihood_->sample(c, outputs(c, z)); }                ///< x ~ p(x | z), [B, D]
  const Likelihood& likelihood() const { return *likelihood_; }

 private:
  Var outputs(const Context& c, Var z) const { return (*network_)(c, z); }

  std::unique_ptr<Likelihood> likelihood_;
  std::unique_ptr<Network> network_;
};

class GaussianLatentModel : public Model {
 public:
  ElboTerms elbo(const Context& c, const Minibatch& batch, Code code) const final;
  Var log_weights(const Context& c, const Minibatch& batch, Index samples) const final;
  Var encode(const Context& c, const Minibatch& batch) const final;
  Var decode(const Context& c, Var z, const Minibatch& given) const final;
  Var sample_x(const Context& c, Var z, const Minibatch& given) const final;
  Var sample_prior(const Context& c, Index count, const Minibatch& given) const final;
  Index latent_dim() const final { return latent_dim_; }
  bool has_density() const final { return true; }
  bool discrete() const final { return p_.likelihood().discrete(); }
  bool binary() const final { return p_.likelihood().binary(); }

 protected:
  GaussianLatentModel(const GaussianLatentConfig& config, const DataSpec& data, ad::Parameters p);

  DiagonalNormal q_z(const Context& c, Var x) const;   ///< q(z | x)
  const Decoder& p_x() const { return p_; }            ///< p(x | z)
  StandardNormal p_z() const { return {}; }            ///< p(z)

 private:
  Index latent_dim_;
  Encoder q_;
  Decoder p_;
};

/// The KL with free bits, one number: each dimension's mean over the batch counts as at least `free_bits` nats, so that the model
/// has nothing to gain from collapsing it (Kingma et al. 2016, eq. 15 with groups of one). For the objective; what is reported is
/// the KL itself.
Var with_free_bits(const DiagonalNormal& q, StandardNormal p, double free_bits);

}  // namespace vaezoo
