// The conditional VAE: everything is told a condition y, a label or real numbers.
//   Sohn, Lee & Yan, "Learning Structured Output Representation using Deep Conditional Generative Models", NeurIPS 2015, eq. (4)
//   Kingma et al., "Semi-Supervised Learning with Deep Generative Models", NeurIPS 2014 (labels beside x and z)
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/condition.hpp"
#include "models/parts/gaussian_latent_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct ConditionalVaeConfig {
  std::int64_t latent_dim = 20;
  NetworkConfig encoder{NetworkRole::encoder}, decoder{NetworkRole::decoder};
  LikelihoodConfig likelihood;
  ConditionConfig condition;
  std::string prior = "standard_normal";
  std::vector<std::int64_t> prior_hidden;
  double beta = 1;
  KlSchedule kl_weight;

  void fields(Fields& f) {
    f("latent_dim", latent_dim, "dimension of z", between(1, 65536));
    encoder.visit(f, "encoder", "network of q(z | x, y)");
    decoder.visit(f, "decoder", "network of p(x | z, y)");
    likelihood.visit(f);
    f("condition", condition, "what the model is told, and how");
    f.one_of("prior", prior,
             {{"standard_normal", "p(z) = N(0, I), whatever y", [](Fields&) {}},
              {"conditional", "p(z | y) = N(mean(y), diag variance(y)), trained", [this](Fields& g) {
                 g("hidden", prior_hidden, "width of each hidden layer of its network", at_least(1));
               }}},
             "p(z | y)");
    f("beta", beta, "weight of the KL", at_least(0));
    kl_weight.visit(f, "kl_weight", "how the weight of the KL rises to beta");
  }
};

class ConditionalVae final : public Model {
 public:
  ConditionalVae(const ConditionalVaeConfig& config, const DataSpec& data, Parameters p)
      : config_(config),
        shape_(image_shape(data)),
        condition_(config.condition, data, p / "condition"),
        beside_x_(condition_.film_width() == 0),
        encoder_(make_encoder_network(config.encoder, encoder_input(), p / "encoder", condition_.film_width())),
        posterior_(p / "encoder" / "head", encoder_->outputs().size(), 2 * config.latent_dim),
        likelihood_(make_likelihood(config.likelihood, data.size(), data.unit_interval, p / "decoder" / "likelihood")),
        decoder_(make_decoder_network(config.decoder, {1, 1, config.latent_dim + (beside_x_ ? condition_.width() : 0)}, shape_,
                                      likelihood_->outputs() / data.size(), p / "decoder", condition_.film_width())) {
    if (config.prior == "conditional") {
      std::vector<Index> sizes{condition_.width()};
      sizes.insert(sizes.end(), config.prior_hidden.begin(), config.prior_hidden.end());
      sizes.push_back(2 * config.latent_dim);
      prior_ = std::make_unique<Mlp>(p / "prior", sizes, Activation::relu);
    }
  }

  Objective objective(const Context& c, const Position& progress, const Minibatch& batch) const override {
    const Var y = condition_(c, batch);
    const DiagonalNormal q = q_z(c, batch.x, y);                                             // q(z | x, y)
    const Var z = q.rsample(c.key.fold("z"));
    const Var distortion = -mean(likelihood_->log_prob(c, outputs(c, z, y), batch.x));       // -E_q log p(x | z, y)
    const Var rate = mean(prior_ ? kl(q, p_z(c, y)) : kl(q, StandardNormal{}));              // KL(q(z | x, y) || p(z | y))
    const Real weight = static_cast<Real>(config_.beta * config_.kl_weight.at(progress));
    return {distortion + weight * rate, {{"reconstruction", -distortion}, {"kl", rate}}};
  }

  ElboTerms elbo(const Context& c, const Minibatch& batch, Code code) const override {
    const Var y = condition_(c, batch);
    const DiagonalNormal q = q_z(c, batch.x, y);
    const Var z = code == Code::mean ? q.mean : q.rsample(c.key.fold("z"));
    const Var rates = prior_ ? kl_per_dimension(q, p_z(c, y)) : kl_per_dimension(q, StandardNormal{});
    return {likelihood_->log_prob(c, outputs(c, z, y), batch.x), sum(rates, {1}), rates};
  }

  Var log_weights(const Context& c, const Minibatch& batch, Index samples) const override {
    const Var y_one = condition_(c, batch), y = repeat_rows(y_one, samples);
    const DiagonalNormal q_one = q_z(c, batch.x, y_one);
    const DiagonalNormal q{repeat_rows(q_one.mean, samples), repeat_rows(q_one.log_variance, samples)};  // [B K, Z]
    const Var z = q.rsample(c.key.fold("z"));
    const Var log_p_z = prior_ ? p_z(c, y).log_prob(z) : StandardNormal{}.log_prob(z);
    const Var log_w = likelihood_->log_prob(c, outputs(c, z, y), repeat_rows(batch.x, samples)) + log_p_z - q.log_prob(z);
    return reshape(log_w, {batch.x.shape()[0], samples});
  }

  Var encode(const Context& c, const Minibatch& batch) const override { return q_z(c, batch.x, condition_(c, batch)).mean; }
  Var decode(const Context& c, Var z, const Minibatch& given) const override { return likelihood_->mean(outputs(c, z, condition_(c, given))); }
  Var sample_x(const Context& c, Var z, const Minibatch& given) const override {
    return likelihood_->sample(c, outputs(c, z, condition_(c, given)));
  }
  Var sample_prior(const Context& c, Index count, const Minibatch& given) const override {
    if (!prior_) return StandardNormal{}.sample(c.tape, count, config_.latent_dim, c.key.fold("z"));
    return p_z(c, condition_(c, given)).rsample(c.key.fold("z"));
  }
  Conditioning conditioning() const override { return condition_.kind(); }
  Index latent_dim() const override { return config_.latent_dim; }
  bool has_density() const override { return true; }
  bool discrete() const override { return likelihood_->discrete(); }
  bool binary() const override { return likelihood_->binary(); }
  std::string describe() const override {
    return cat("-log p(x|z,y) + ", config_.beta == 1 ? "" : cat(config_.beta, " "), "KL(q(z|x,y) || p(z", prior_ ? "|y" : "", ")), ", condition_.describe(), "; ",
               likelihood_->describe());
  }

 private:
  bool every_pixel() const { return config_.encoder.convolutional(); }
  ImageShape encoder_input() const { return beside_x_ ? shape_beside(shape_, condition_.width(), every_pixel()) : shape_; }
  /// The same context, with y for the layers that it modulates.
  static Context told(const Context& c, Var y) { return {c.tape, c.training, c.key, y}; }

  DiagonalNormal q_z(const Context& c, Var x, Var y) const {
    return normal_of(posterior_(c, (*encoder_)(told(c, y), beside_x_ ? beside(x, y, shape_, every_pixel()) : x)));
  }
  DiagonalNormal p_z(const Context& c, Var y) const { return normal_of((*prior_)(c, y)); }
  /// What the likelihood of p(x | z, y) is made of.
  Var outputs(const Context& c, Var z, Var y) const { return (*decoder_)(told(c, y), beside_x_ ? concat({z, y}, 1) : z); }

  ConditionalVaeConfig config_;
  ImageShape shape_;
  Condition condition_;
  bool beside_x_;  ///< is y an input of the networks (else it modulates their layers)?
  std::unique_ptr<Network> encoder_;
  Linear posterior_;
  std::unique_ptr<Likelihood> likelihood_;
  std::unique_ptr<Network> decoder_;
  std::unique_ptr<Mlp> prior_;
};

}  // namespace

VAEZOO_MODEL(conditional_vae, ConditionalVae, ConditionalVaeConfig, "VAE of x given a label or real conditions y; prior p(z) or p(z|y)",
             "Sohn, Lee & Yan, NeurIPS 2015, eq. (4)")
