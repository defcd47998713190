// The semi-supervised VAE "M2": p(x, y, z) = p(y) p(z) p(x | y, z) with a class y that most examples lack.
//   Kingma, Rezende, Mohamed & Welling, "Semi-Supervised Learning with Deep Generative Models", NeurIPS 2014, eq. (6) to (9)
// With -L(x, y) = E_q(z|x,y) log p(x | y, z) + log p(y) - KL(q(z | x, y) || p(z)), a labelled example costs L(x, y) - alpha log q(y | x), and one
// without a label U(x) = sum_y q(y | x) (L(x, y) + log q(y | x)), a bound of -log p(x) in which y is summed out. p(y) is uniform.
#include <algorithm>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/distributions/categorical.hpp"
#include "models/parts/latent_model.hpp"
#include "models/parts/terms.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct M2Config : AutoencoderConfig {
  NetworkConfig classifier{NetworkRole::encoder};
  double alpha = 50;

  M2Config() { latent_dim = 50; }
  void fields(Fields& f) {
    AutoencoderConfig::fields(f);
    classifier.visit(f, "classifier", "network of q(y | x)");
    f("alpha", alpha, "weight of -log q(y | x) for each labelled example; the paper has 0.1 times all examples over the labelled ones", at_least(0));
  }
};

class M2 final : public Model {
 public:
  M2(const M2Config& config, const DataSpec& data, Parameters p)
      : classes_(checked(data)), latent_dim_(config.latent_dim), alpha_(static_cast<Real>(config.alpha)),
        log_p_y_(static_cast<Real>(-std::log(double(data.classes)))),
        q_z_(config.encoder, data, 2 * config.latent_dim, p / "encoder", {.concatenated = data.classes}, config.corruption),
        q_y_(config.classifier, data, data.classes, p / "classifier", {}, config.corruption),
        p_x_(config.decoder, config.likelihood, config.latent_dim, data, p / "decoder", {.concatenated = data.classes}) {}

  Objective objective(const Context& c, const Minibatch& batch) const override {
    const Var log_q_y = log_softmax(q_y_(c, batch.x));                        // log q(y | x), [B, K]
    const Var y = one_hot_labels(c.tape, batch.labels, classes_), known = sum(y, 1);  // [B, K], zeros without a label; [B]
    const EveryClass each = every_class(c, batch, Code::sample);
    const Var q = y + unsqueeze(1 - known, 1) * exp(log_q_y);                 // q(y | x), or the label: [B, K]
    const Var distortion = -mean(sum(q * each.log_p_x, 1));
    // KL(q(y, z | x) || p(y) p(z)); of a label, -log p(y) and the KL of z.
    const Var rate = mean(sum(q * (each.kl_z - log_p_y_), 1) + (1 - known) * sum(exp(log_q_y) * log_q_y, 1));
    const Var cross_entropy = -mean(sum(y * log_q_y, 1));                     // -log q(y | x) of the labelled ones
    return {distortion + rate + alpha_ * cross_entropy,
            {terms::reconstruction(-distortion),
             terms::kl(rate),
             {"classifier_loss", cross_entropy, "nats", "-log q(y|x) of the labelled examples, over all examples"},
             {"accuracy", label_accuracy(log_q_y, batch.labels), "", "share of the labelled examples whose likeliest class is their label"}}};
  }

  /// -U(x): labels are not looked at.
  ElboTerms elbo(const Context& c, const Minibatch& batch, Code code) const override {
    const Var log_q_y = log_softmax(q_y_(c, batch.x)), q_y = exp(log_q_y);
    const EveryClass each = every_class(c, batch, code);
    return {sum(q_y * each.log_p_x, 1), sum(q_y * (each.kl_z + log_q_y - log_p_y_), 1), {}};  // the KL of y is in no dimension of z
  }

  /// y_k ~ q(y | x), z_k ~ q(z | x, y_k).
  Var log_weights(const Context& c, const Minibatch& batch, Index samples) const override {
    const Var logits = repeat_rows(q_y_(c, batch.x), samples), x = repeat_rows(batch.x, samples);
    const std::span<const Index> y = draw_classes(logits, c.key.fold("y"));
    const Context given = conditioned(c, one_hot(c.tape, y, classes_));
    const DiagonalNormal q = q_z(given, x);
    const Var z = q.rsample(c.key.fold("z")).value, log_q_y = squeeze(gather(log_softmax(logits), 1, y), 1);
    const Var log_p = p_x_.log_prob(given, z, batch.x, batch.mask) + StandardNormal(c.tape, z.shape()[0], latent_dim_).log_prob(z) + log_p_y_;
    return reshape(log_p - q.log_prob(z) - log_q_y, {-1, samples});
  }

  Var encode(const Context& c, const Minibatch& batch) const override { return posterior(c, batch).mean; }
  /// q(z | x, y) of the label, or of the likeliest class where there is none.
  DiagonalNormal posterior(const Context& c, const Minibatch& batch) const override {
    const std::span<const Index> likeliest = argmax(q_y_(c, batch.x));
    const Index rows = batch.x.shape()[0];
    Index* const y = c.tape.scratch<Index>(rows);
    for (Index i = 0; i < rows; ++i) {
      const int label = batch.labels.empty() ? -1 : batch.labels[static_cast<std::size_t>(i)];
      y[i] = label >= 0 ? label : likeliest[static_cast<std::size_t>(i)];
    }
    return q_z(conditioned(c, one_hot(c.tape, {y, static_cast<std::size_t>(rows)}, classes_)), batch.x);
  }
  Var decode(const Context& c, Var z, const Minibatch& given) const override { return p_x_.mean(of_labels(c, given), z); }
  Var sample_x(const Context& c, Var z, const Minibatch& given) const override { return p_x_.sample(of_labels(c, given), z); }
  Var sample_prior(const Context& c, Index count, const Minibatch&) const override {
    return StandardNormal(c.tape, count, latent_dim_).rsample(c.key.fold("z")).value;
  }
  Conditioning conditioning() const override { return Conditioning::labels; }
  bool takes_mask() const override { return true; }
  Index latent_dim() const override { return latent_dim_; }
  bool has_density() const override { return true; }
  bool discrete() const override { return p_x_.likelihood().discrete(); }
  bool binary() const override { return p_x_.likelihood().binary(); }
  std::string describe() const override {
    return cat("L(x, y) - ", alpha_, " log q(y|x) with a label, U(x) without; ", p_x_.likelihood().describe());
  }

 private:
  static Index checked(const DataSpec& data) {
    if (data.classes == 0) throw ConfigError("model: m2 needs data with labels, of which dataset.labels may keep some; these have none");
    return data.classes;
  }
  static Context conditioned(const Context& c, Var y) {
    Context other = c;
    other.condition = y;
    return other;
  }
  DiagonalNormal q_z(const Context& given_y, Var x) const { return normal_of(q_z_(given_y, x)); }

  /// What each class makes of each example.
  struct EveryClass {
    Var log_p_x, kl_z;  ///< [B, K]
  };
  EveryClass every_class(const Context& c, const Minibatch& examples, Code code) const {
    const Index batch = examples.x.shape()[0], rows = batch * classes_;
    Index* const y = c.tape.scratch<Index>(rows);  // 0, 1, ..., K - 1 for the first example, and so on
    for (Index i = 0; i < rows; ++i) y[i] = i % classes_;
    const Context given = conditioned(c, one_hot(c.tape, {y, static_cast<std::size_t>(rows)}, classes_));
    const DiagonalNormal q = q_z(given, repeat_rows(examples.x, classes_));
    const Var z = code == Code::mean ? q.mean : q.rsample(c.key.fold("z")).value;
    return {reshape(p_x_.log_prob(given, z, examples.x, examples.mask), {batch, classes_}),
            reshape(kl(q, StandardNormal(c.tape, rows, latent_dim_)), {batch, classes_})};
  }

  Context of_labels(const Context& c, const Minibatch& given) const {
    AD_CHECK(std::ranges::all_of(given.labels, [&](int k) { return k >= 0 && k < classes_; }) && !given.labels.empty(), "m2",
             "needs the class of each row to decode");
    return conditioned(c, one_hot_labels(c.tape, given.labels, classes_));
  }

  Index classes_, latent_dim_;
  Real alpha_, log_p_y_;
  Encoder q_z_, q_y_;
  Decoder p_x_;
};

}  // namespace

VAEZOO_MODEL(m2, M2, M2Config, "Semi-supervised: a class that most examples lack, summed out", "Kingma et al., NeurIPS 2014, eq. (6) to (9)")
