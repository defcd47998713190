// Structured output prediction: an image's missing quadrants from those that are seen.
//   Sohn, Lee & Yan, "Learning Structured Output Representation using Deep Conditional Generative Models", NeurIPS 2015, eq. (4), section 5.1
// With x the seen and y the missing pixels: p(y | x) = E_{p(z | x)} p(y | x, z). A deterministic network, the baseline that the
// paper compares with, guesses y first; prior and decoder receive its guess. It has a loss of its own, and no gradient passes between the two.
#include <array>
#include <span>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/latent_model.hpp"
#include "models/parts/schedules.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct CompletionVaeConfig {
  std::int64_t seen = 1;
  std::int64_t latent_dim = 50;
  NetworkConfig encoder{NetworkRole::encoder}, prior{NetworkRole::encoder}, decoder{NetworkRole::decoder},
      baseline{NetworkRole::encoder};
  LikelihoodConfig likelihood;
  KlSchedule kl_weight;
  Estimator estimator;
  LogVarianceBounds log_variance;

  CompletionVaeConfig() {
    for (NetworkConfig* n : {&encoder, &prior, &decoder, &baseline}) n->mlp.hidden = {500, 500};
  }
  void fields(Fields& f) {
    f("seen", seen, "quadrants that are seen: 1 lower left; 2 and upper left; 3 and lower right", between(1, 3));
    f("latent_dim", latent_dim, "dimension of z", between(1, 65536));
    encoder.visit(f, "encoder", "network of q(z | x, y)");
    prior.visit(f, "prior_network", "network of p(z | x)");
    decoder.visit(f, "decoder", "network of p(y | x, z)");
    baseline.visit(f, "baseline", "network that guesses y from x");
    likelihood.visit(f);
    kl_weight.visit(f, "kl_weight", "how the weight of the KL rises to 1");
    estimator.visit(f);
    log_variance.visit(f);
  }
};

/// The quadrants of an image [B, H W C]; of odd sides the lower and right ones have one row (column) more.
class Quadrants {
 public:
  Quadrants(const ImageShape& shape, Index seen) : shape_(shape), seen_(seen) {}

  /// The pixels that are not seen, [B, missing()].
  Var missing(Var image) const {
    const Index half = shape_.height / 2, middle = shape_.width / 2;
    const Var x = grid(image), upper = slice(x, 1, 0, half), lower = slice(x, 1, half, shape_.height);
    const Var upper_right = flat(slice(upper, 2, middle, shape_.width));
    if (seen_ == 3) return upper_right;
    const Var lower_right = flat(slice(lower, 2, middle, shape_.width));
    if (seen_ == 2) return concat({upper_right, lower_right}, 1);
    return concat({flat(slice(upper, 2, 0, middle)), upper_right, lower_right}, 1);
  }
  Index missing() const {
    const Index top = shape_.height / 2, left = shape_.width / 2, right = shape_.width - left;
    const Index pixels = top * right + (seen_ < 3 ? (shape_.height - top) * right : 0) + (seen_ < 2 ? top * left : 0);
    return pixels * shape_.channels;
  }
  /// The missing pixels [B, missing()] put into an image whose seen pixels are those of `image`.
  Var complete(Var image, Var missing) const {
    const Index half = shape_.height / 2, middle = shape_.width / 2, C = shape_.channels, batch = image.shape()[0];
    const Var x = grid(image), upper = slice(x, 1, 0, half), lower = slice(x, 1, half, shape_.height);
    Index at = 0;
    const auto take = [&](Index height, Index width) {
      const Index size = height * width * C;
      at += size;
      return reshape(slice(missing, 1, at - size, at), {batch, height, width, C});
    };
    const Var upper_left = seen_ < 2 ? take(half, middle) : slice(upper, 2, 0, middle);
    const Var upper_right = take(half, shape_.width - middle);
    const Var lower_right = seen_ < 3 ? take(shape_.height - half, shape_.width - middle) : slice(lower, 2, middle, shape_.width);
    const Var top = concat({upper_left, upper_right}, 2), bottom = concat({slice(lower, 2, 0, middle), lower_right}, 2);
    return flat(concat({top, bottom}, 1));
  }

 private:
  Var grid(Var image) const { return reshape(image, {image.shape()[0], shape_.height, shape_.width, shape_.channels}); }
  static Var flat(Var x) { return reshape(x, {x.shape()[0], -1}); }

  ImageShape shape_;
  Index seen_;
};

class CompletionVae final : public Model {
 public:
  CompletionVae(const CompletionVaeConfig& config, const DataSpec& data, Parameters p)
      : config_(config), shape_(image_shape(data)), quadrants_(checked(shape_), config.seen),
        posterior_(PosteriorConfig().build({config.latent_dim, config.log_variance, p / "posterior"})),
        encoder_(config.encoder, data, posterior_->inputs(), p / "encoder"),
        prior_(config.prior, data, 2 * config.latent_dim, p / "prior"),
        likelihood_(config.likelihood.build({quadrants_.missing(), data, p / "likelihood"})),
        baseline_likelihood_(config.likelihood.build({quadrants_.missing(), data, p / "baseline" / "likelihood"})),
        numbers_(likelihood_->outputs() / quadrants_.missing()),
        decoder_(make_decoder_network(config.decoder, {1, 1, config.latent_dim}, shape_, numbers_, p / "decoder")),
        look_(make_encoder_network(config.baseline, shape_, p / "baseline" / "look")),
        guess_(p / "baseline" / "guess", look_->outputs().size(), likelihood_->outputs()) {}

  Objective objective(const Context& c, const Minibatch& batch) const override {
    const Var y = quadrants_.missing(batch.x), guess = guess_outputs(c, batch.x);
    const Var baseline = -mean(baseline_likelihood_->log_prob(c, guess, y));                 // -log p_baseline(y | x)
    const Var x = prior_input(batch.x, guess);
    const DiagonalNormal q = posterior(c, batch), p = p_z(c, x);                             // q(z | x, y), p(z | x)
    const Var z = q.rsample(c.key.fold("z")).value;
    const Var distortion = -mean(likelihood_->log_prob(c, outputs(c, z, guess), y));         // -E_q log p(y | x, z)
    const Var rate = mean(config_.estimator.through_z_alone() ? q.detached().log_prob(z) - p.log_prob(z) : kl(q, p));
    const Real weight = static_cast<Real>(config_.kl_weight.at(c.progress));
    return {distortion + weight * rate + baseline,
            {terms::reconstruction(-distortion), terms::kl(rate),
             {"baseline_nll", baseline, "nats", "-log p(y|x) of the deterministic baseline"}}};
  }

  ElboTerms elbo(const Context& c, const Minibatch& batch, Code code) const override {
    const Var guess = guess_outputs(c, batch.x);
    const DiagonalNormal q = posterior(c, batch), p = p_z(c, prior_input(batch.x, guess));
    const Var z = code == Code::mean ? q.mean : q.rsample(c.key.fold("z")).value;
    const Var rates = kl_per_dimension(q, p);
    return {likelihood_->log_prob(c, outputs(c, z, guess), quadrants_.missing(batch.x)), sum(rates, {1}), rates};
  }

  Var log_weights(const Context& c, const Minibatch& batch, Index samples) const override {
    const Var guess = guess_outputs(c, batch.x), x = prior_input(batch.x, guess);
    const Draws draws = draw(c, *posterior_, encoder_(c, batch.x), samples, config_.estimator);
    const Var y = repeat_rows(quadrants_.missing(batch.x), samples);
    const Var log_p_y = likelihood_->log_prob(c, outputs(c, draws.z, repeat_rows(guess, samples)), y);
    return reshape(log_p_y + repeat_rows(p_z(c, x), samples).log_prob(draws.z) - draws.log_q_z, {-1, samples});
  }

  Var encode(const Context& c, const Minibatch& batch) const override { return posterior(c, batch).mean; }
  DiagonalNormal posterior(const Context& c, const Minibatch& batch) const override {
    return config_.log_variance(normal_of(encoder_(c, batch.x)));
  }
  Var decode(const Context& c, Var z, const Minibatch& given) const override {
    return quadrants_.complete(given.x, likelihood_->mean(outputs(c, z, guess_outputs(c, given.x))));
  }
  Var sample_x(const Context& c, Var z, const Minibatch& given) const override {
    return quadrants_.complete(given.x, likelihood_->sample(c, outputs(c, z, guess_outputs(c, given.x))));
  }
  Var sample_prior(const Context& c, Index, const Minibatch& given) const override {
    return p_z(c, prior_input(given.x, guess_outputs(c, given.x))).rsample(c.key.fold("z")).value;
  }
  Conditioning conditioning() const override { return Conditioning::x; }
  bool conditional_prior(std::size_t) const override { return true; }
  Index latent_dim() const override { return config_.latent_dim; }
  bool has_density() const override { return true; }
  bool discrete() const override { return false; }  // of the missing pixels only: not bits per dimension of the data
  bool binary() const override { return false; }
  std::string describe() const override {
    return cat("-log p(y|x,z) + KL(q(z|x,y) || p(z|x)) - log p_baseline(y|x), x ", config_.seen, " of 4 quadrants; ",
               likelihood_->describe());
  }

 private:
  static const ImageShape& checked(const ImageShape& shape) {
    if (shape.height < 2 || shape.width < 2)
      throw ConfigError(
          cat("model: completion_vae needs images with quadrants, these data are ", shape.height, " x ", shape.width));
    return shape;
  }
  DiagonalNormal p_z(const Context& c, Var x) const { return config_.log_variance(normal_of(prior_(c, x))); }
  /// The image with -1, which is outside of the data's range, where nothing is seen.
  Var hidden(Var image) const {
    return quadrants_.complete(image, image.tape().constant({image.shape()[0], quadrants_.missing()}, Real(-1)));
  }
  /// What the baseline says of y, as outputs for the likelihood.
  Var guess_outputs(const Context& c, Var image) const { return guess_(c, (*look_)(c, hidden(image))); }
  /// x and the guess of y: what the prior sees.
  Var prior_input(Var image, Var guess) const { return quadrants_.complete(image, stop_gradient(baseline_likelihood_->mean(guess))); }
  /// The decoder corrects the baseline's guess, as in the paper's recurrent connection.
  Var outputs(const Context& c, Var z, Var guess) const {
    const Var image = (*decoder_)(c, z);  // [B, numbers H W C]
    if (numbers_ == 1) return quadrants_.missing(image) + stop_gradient(guess);
    const Index size = shape_.size();
    Var* const parts = c.tape.scratch<Var>(numbers_);
    for (Index k = 0; k < numbers_; ++k)
      parts[k] = quadrants_.missing(slice(image, 1, k * size, (k + 1) * size));
    return concat(std::span<const Var>(parts, static_cast<std::size_t>(numbers_)), 1) + stop_gradient(guess);
  }

  CompletionVaeConfig config_;
  ImageShape shape_;
  Quadrants quadrants_;
  std::unique_ptr<Posterior> posterior_;  // diagonal normal
  Encoder encoder_, prior_;
  std::unique_ptr<Likelihood> likelihood_, baseline_likelihood_;
  Index numbers_;
  std::unique_ptr<Network> decoder_, look_;
  Linear guess_;
};

}  // namespace

VAEZOO_MODEL(completion_vae, CompletionVae, CompletionVaeConfig,
             "Completes an image from some of its quadrants, and compares with a deterministic baseline",
             "Sohn, Lee & Yan, NeurIPS 2015, section 5.1")
