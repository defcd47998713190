#pragma once
// The parts that most VAEs share: one latent z with an encoder that gives q(z | x), a prior p(z) and a decoder with a likelihood.
// A variant adds its objective.
#include <memory>
#include <optional>

#include "models/likelihoods/likelihood.hpp"
#include "models/parts/condition.hpp"
#include "models/parts/log_variance.hpp"
#include "models/parts/networks.hpp"
#include "models/parts/variational_model.hpp"
#include "models/posteriors/posterior.hpp"
#include "models/priors/prior.hpp"

namespace vaezoo {

/// What training does to x before the encoder sees it; the decoder is asked for x as it was.
///   Vincent, Larochelle, Bengio & Manzagol, "Extracting and Composing Robust Features with Denoising Autoencoders", ICML 2008; Im et al., "Denoising
///   Criterion for Variational Auto-Encoding Framework", AAAI 2017
struct CorruptionConfig {
  std::string name = "none";  // none, gaussian, masking, salt_and_pepper
  double sigma = 0.1, rate = 0.3;

  void visit(Fields& f);
  Var operator()(const Context& c, Var x) const;
};

struct AutoencoderConfig {
  std::int64_t latent_dim = 20;
  CorruptionConfig corruption;
  NetworkConfig encoder{NetworkRole::encoder}, decoder{NetworkRole::decoder};
  LikelihoodConfig likelihood;

  void fields(Fields& f);
};

struct LatentConfig : AutoencoderConfig {
  PosteriorConfig posterior;
  PriorConfig prior;
  Estimator estimator;
  LogVarianceBounds log_variance;

  void fields(Fields& f);
};

ImageShape image_shape(const DataSpec& data);

/// x -> network -> linear head of `width` numbers; of a conditional model x and the context's condition.
class Encoder {
 public:
  Encoder(const NetworkConfig& config, const DataSpec& data, Index width, ad::Parameters p, ConditionInputs condition = {},
          const CorruptionConfig& corruption = {});
  Var operator()(const Context& c, Var x) const;

 private:
  ImageShape shape_;
  bool concatenated_, every_pixel_;
  CorruptionConfig corruption_;
  std::unique_ptr<Network> network_;
  ad::Linear head_;
};

/// z -> network -> likelihood; of a conditional model z and the context's condition, of as many rows.
class Decoder {
 public:
  /// Throws ConfigError when the network or the likelihood does not fit the data.
  Decoder(const NetworkConfig& network, const LikelihoodConfig& likelihood, Index latent_dim, const DataSpec& data,
          ad::Parameters p, ConditionInputs condition = {});

  /// log p(x | z) of each row of z, for x (and its mask) of as many rows or of one row for some neighbouring rows of z.
  Var log_prob(const Context& c, Var z, Var x, Var mask = {}) const;
  Var mean(const Context& c, Var z) const;    ///< E[x | z], [B, D]; of a sequence each token the likeliest after those before it
  Var sample(const Context& c, Var z) const;  ///< x ~ p(x | z), [B, D]
  const Likelihood& likelihood() const { return *likelihood_; }

 private:
  Var inputs(const Context& c, Var z) const;

  bool concatenated_;
  std::unique_ptr<Likelihood> likelihood_;
  std::unique_ptr<Network> network_;
  const SequenceNetwork* sequence_;  // the network, where it makes x one after the other
};

class LatentModel : public VariationalModel {
 public:
  Trace trace(const Context& c, const Minibatch& batch, bool per_dimension) const final;
  ImportanceSamples weighted_draws(const Context& c, const Minibatch& batch, Index samples) const final;
  const Estimator& estimator() const final { return estimator_; }
  bool has_rate_per_dimension() const final;
  bool has_normal_code() const final { return posterior_->distribution() == typeid(DiagonalNormal); }
  bool has_code() const final { return true; }
  bool has_joint_code() const final { return posterior_->support() == Support::real_and_one_hot; }
  bool smooth_draws() const final { return posterior_->smooth_draws(); }
  bool relaxed() const final { return !posterior_->classes().empty(); }
  bool can_weigh_draws() const final { return posterior_->all_from_encoder(); }

  ElboTerms elbo(const Context& c, const Minibatch& batch, Code code) const final;
  Var encode(const Context& c, const Minibatch& batch) const final { return posterior(c, batch).mean; }
  DiagonalNormal posterior(const Context& c, const Minibatch& batch) const final;
  Var decode(const Context& c, Var z, const Minibatch& given) const final;
  Var sample_x(const Context& c, Var z, const Minibatch& given) const final;
  Var sample_prior(const Context& c, Index count, const Minibatch& given) const final;
  std::span<const Index> clusters(const Context& c, const Minibatch& batch) const final;
  Index initial_examples() const final { return prior_->initial_examples(); }
  void initialize(const Context& c, const Minibatch& examples) final;
  Conditioning conditioning() const final { return condition_ ? condition_->kind() : Conditioning::none; }
  bool conditional_prior(std::size_t) const final { return prior_name_ == "conditional"; }
  bool takes_mask() const override { return true; }
  Index latent_dim() const final { return latent_dim_; }
  bool has_density() const final { return true; }
  bool discrete() const final { return p_.likelihood().discrete(); }
  bool binary() const final { return p_.likelihood().binary(); }

 protected:
  /// With a condition y all parts depend on it: q(z | x, y), p(x | z, y), and a conditional prior. Contexts then hold it, see conditioned().
  LatentModel(const LatentConfig& config, const DataSpec& data, ad::Parameters p,
                      const ConditionConfig* condition = nullptr);

  /// The context with the condition of a batch; in a model without a condition, the context itself.
  Context conditioned(const Context& c, const Minibatch& given) const;
  const Distribution& q_z(const Context& c, Var x) const { return (*posterior_)(c, q_(c, x)); }  ///< q(z | x)
  const Decoder& p_x() const { return p_; }            ///< p(x | z)
  const Distribution& p_z(const Context& c, Index rows) const { return (*prior_)(c, rows); }  ///< p(z)

  /// KL(q(z | x) || p(z)), [B], for an objective that draws one z ~ q: in closed form where there is one, otherwise log q(z) - log p(z).
  /// The estimators stl and dreg need the latter, with q's parameters constant in log q.
  Var rate(const Distribution& q, const Distribution& p, const Draw& z) const;
  /// "; Bernoulli on logits", and condition, posterior, prior and estimator where they are not the plain ones.
  std::string describe_parts() const;

 private:
  Context with_pseudo_conditions(const Context& c) const;
  PosteriorOfX of_pseudo_inputs() const;

  Index latent_dim_;
  std::unique_ptr<Posterior> posterior_;  // what the encoder's numbers mean
  std::optional<Condition> condition_;
  ad::Parameter* pseudo_conditions_ = nullptr;  // of a VampPrior's pseudo-inputs, in a conditional model
  Encoder q_;
  Decoder p_;
  std::unique_ptr<Prior> prior_;
  std::string posterior_name_, prior_name_;
  Estimator estimator_;
};

}  // namespace vaezoo
