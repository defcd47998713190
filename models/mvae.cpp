// The multimodal VAE of an image x and its label y, either of which an example may lack: p(x, y, z) = p(z) p(x | z) p(y | z), and q(z | what was
// observed) is the product of p(z) and an expert for each modality that was.
//   Wu & Goodman, "Multimodal Generative Models for Scalable Weakly-Supervised Learning", NeurIPS 2018, eq. (4) and (5)
// An example with both contributes ELBO(x, y) + ELBO(x) + ELBO(y), one with x or y only that one's, each with a draw of its own.
#include <algorithm>
#include <vector>

#include "autodiff/elementwise.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/latent_model.hpp"
#include "models/parts/schedules.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct MvaeConfig : AutoencoderConfig {
  std::vector<std::int64_t> label_hidden{512};
  double label_weight = 10;
  KlSchedule kl_weight;
  LogVarianceBounds log_variance;

  MvaeConfig() { latent_dim = 64; }
  void fields(Fields& f) {
    AutoencoderConfig::fields(f);
    f("label_hidden", label_hidden, "width of each hidden layer (SiLU) of the networks of q(z | y) and p(y | z)", between(1, 65536));
    f("label_weight", label_weight, "weight of log p(y | z) in the loss; 1 gives the sum of bounds", at_least(0));
    kl_weight.visit(f, "kl_weight", "how the weight of the KL rises to 1");
    log_variance.visit(f);
  }
};

class Mvae final : public Model {
 public:
  Mvae(const MvaeConfig& config, const DataSpec& data, Parameters p)
      : config_(config), classes_(checked(data)), q_x_(config.encoder, data, 2 * config.latent_dim, p / "encoder", {}, config.corruption),
        q_y_(p / "label_encoder", layer_sizes(classes_, config.label_hidden, 2 * config.latent_dim), Activation::silu),
        p_x_(config.decoder, config.likelihood, config.latent_dim, data, p / "decoder"),
        p_y_(p / "label_decoder", layer_sizes(config.latent_dim, config.label_hidden, classes_), Activation::silu) {}

  Objective objective(const Context& c, const Minibatch& batch) const override {
    const Index rows = batch.x.shape()[0];
    const Observed seen = observed(c.tape, batch);
    const Real beta = static_cast<Real>(config_.kl_weight.at(c.progress)), w = static_cast<Real>(config_.label_weight);
    Sums of_x, of_y, of_both;
    Var right = number(c, 0);
    if (!seen.x.empty()) {
      const Var x = embedding(batch.x, seen.x), h = q_x_(c, x);
      const DiagonalNormal q = given(h);                                       // q(z | x)
      Var z = q.rsample(c.key.fold("x")).value, data = x;
      of_x.kl = sum(kl(q, prior(c, q)));
      if (!seen.both.empty()) {
        const std::span<const int> y = labels_of(c.tape, batch, seen.both);
        const DiagonalNormal q_xy = product(given(embedding(h, seen.both_in_x)), expert_y(c, y));  // q(z | x, y)
        const Var z_xy = q_xy.rsample(c.key.fold("xy")).value;
        of_both.kl = sum(kl(q_xy, prior(c, q_xy)));
        of_both.log_p_y = sum(log_p_y(c, z_xy, y));
        z = concat({z, z_xy}, 0);
        data = concat({x, embedding(batch.x, seen.both)}, 0);
        right = label_accuracy(p_y_(c, embedding(q.mean, seen.both_in_x)), y);
      }
      const Var log_p_x = p_x_.log_prob(c, z, data);                           // of both in one call: the decoder sees them together
      of_x.log_p_x = sum(slice(log_p_x, 0, 0, std::ssize(seen.x)));
      if (!seen.both.empty()) of_both.log_p_x = sum(slice(log_p_x, 0, std::ssize(seen.x), log_p_x.size()));
    }
    if (!seen.y.empty()) {
      const std::span<const int> y = labels_of(c.tape, batch, seen.y);
      const DiagonalNormal q = product(prior_rows(c, std::ssize(seen.y)), expert_y(c, y));  // q(z | y)
      of_y.kl = sum(kl(q, prior(c, q)));
      of_y.log_p_y = sum(log_p_y(c, q.rsample(c.key.fold("y")).value, y));
    }
    const auto elbo = [&](const Sums& s, Real label_weight, Real kl_weight) {
      return or_zero(c, s.log_p_x) + label_weight * or_zero(c, s.log_p_y) - kl_weight * or_zero(c, s.kl);
    };
    const auto per = [&](Var total, std::size_t count) { return total * static_cast<Real>(count == 0 ? 0.0 : 1.0 / double(count)); };
    const Var loss = (elbo(of_both, w, beta) + elbo(of_x, w, beta) + elbo(of_y, w, beta)) / static_cast<Real>(-rows);
    Objective o{loss,
                {terms::reconstruction(per(or_zero(c, of_x.log_p_x), seen.x.size())),
                 terms::kl(per(or_zero(c, of_x.kl), seen.x.size())),
                 {"joint_elbo", per(elbo(of_both, 1, 1), seen.both.size()), "nats", "bound of log p(x, y) of the examples with both"},
                 {"label_elbo", per(elbo(of_y, 1, 1), seen.y.size()), "nats", "bound of log p(y) from the label"},
                 {"accuracy", right, "", "share of the examples with both whose likeliest label under q(z|x) is theirs"}}};
    if (config_.kl_weight.name != "constant") o.add(terms::beta(number(c, beta)));
    return o;
  }

  /// Of x, from x: labels are not looked at.
  ElboTerms elbo(const Context& c, const Minibatch& batch, Code code) const override {
    const DiagonalNormal q = posterior(c, batch);
    const StandardNormal p = prior(c, q);
    const Var z = code == Code::mean ? q.mean : q.rsample(c.key.fold("z")).value;
    return {p_x_.log_prob(c, z, batch.x), kl(q, p), kl_per_dimension(q, p)};
  }
  Var log_weights(const Context& c, const Minibatch& batch, Index samples) const override {
    const DiagonalNormal q = repeat_rows(posterior(c, batch), samples);
    const Var z = q.rsample(c.key.fold("z")).value;
    return reshape(p_x_.log_prob(c, z, batch.x) + prior(c, q).log_prob(z) - q.log_prob(z), {-1, samples});
  }
  Var encode(const Context& c, const Minibatch& batch) const override { return posterior(c, batch).mean; }
  /// q(z | x).
  DiagonalNormal posterior(const Context& c, const Minibatch& batch) const override { return given(q_x_(c, batch.x)); }

  Var decode(const Context& c, Var z, const Minibatch&) const override { return p_x_.mean(c, z); }
  Var sample_x(const Context& c, Var z, const Minibatch&) const override { return p_x_.sample(c, z); }
  /// z ~ q(z | y) of the labels that are given, else z ~ p(z).
  Var sample_prior(const Context& c, Index count, const Minibatch& given) const override {
    const DiagonalNormal p = prior_rows(c, count);
    return (given.labels.empty() ? p : product(p, expert_y(c, given.labels))).rsample(c.key.fold("z")).value;
  }
  Conditioning conditioning() const override { return Conditioning::labels; }
  Conditioning decoder_conditioning() const override { return Conditioning::none; }
  bool takes_hidden_x() const override { return true; }
  Index latent_dim() const override { return config_.latent_dim; }
  bool has_density() const override { return true; }
  bool discrete() const override { return p_x_.likelihood().discrete(); }
  bool binary() const override { return p_x_.likelihood().binary(); }
  std::string describe() const override {
    return cat("-ELBO(x, y) - ELBO(x) - ELBO(y), log p(y|z) weighed by ", config_.label_weight, ", q(z|x, y) a product of experts; ",
               p_x_.likelihood().describe());
  }

 private:
  /// Rows of the batch by what was observed, and where those with both stand among those with x.
  struct Observed {
    std::span<const Index> x, y, both, both_in_x;
  };
  /// Sums over rows; empty where there are none.
  struct Sums {
    Var log_p_x, log_p_y, kl;
  };

  static Index checked(const DataSpec& data) {
    if (data.classes == 0) throw ConfigError("model: mvae needs data with labels, the second modality; these have none");
    return data.classes;
  }
  static Observed observed(Tape& tape, const Minibatch& batch) {
    const Index rows = batch.x.shape()[0];
    Index* const space = tape.scratch<Index>(4 * rows);
    std::size_t x = 0, y = 0, both = 0;
    const auto list = [&](Index which) { return space + which * rows; };
    for (Index i = 0; i < rows; ++i) {
      const auto row = static_cast<std::size_t>(i);
      const bool has_x = batch.observed.empty() || batch.observed[row] != 0, has_y = !batch.labels.empty() && batch.labels[row] >= 0;
      if (has_x && has_y) list(3)[both] = static_cast<Index>(x), list(2)[both++] = i;
      if (has_x) list(0)[x++] = i;
      if (has_y) list(1)[y++] = i;
    }
    return {{list(0), x}, {list(1), y}, {list(2), both}, {list(3), both}};
  }
  static std::span<const int> labels_of(Tape& tape, const Minibatch& batch, std::span<const Index> rows) {
    int* const y = tape.scratch<int>(std::ssize(rows));
    std::ranges::transform(rows, y, [&](Index row) { return batch.labels[static_cast<std::size_t>(row)]; });
    return {y, rows.size()};
  }
  static Var number(const Context& c, Real value) { return c.tape.constant(Shape{}, value); }
  static Var or_zero(const Context& c, Var v) { return v ? v : number(c, 0); }

  StandardNormal prior(const Context& c, const DiagonalNormal& q) const { return {c.tape, q.mean.shape()[0], config_.latent_dim}; }
  DiagonalNormal prior_rows(const Context& c, Index rows) const {
    const Var zeros = c.tape.constant({rows, config_.latent_dim}, Real(0));
    return {zeros, zeros};
  }
  /// The product of p(z) and the expert of these numbers [N, 2 Z].
  DiagonalNormal given(Var h) const {
    const DiagonalNormal expert = config_.log_variance(normal_of(h));
    const Var zeros = h.tape().constant(expert.mean.shape(), Real(0));
    return product({zeros, zeros}, expert);
  }
  DiagonalNormal expert_y(const Context& c, std::span<const int> y) const {
    return config_.log_variance(normal_of(q_y_(c, one_hot_labels(c.tape, y, classes_))));
  }
  Var log_p_y(const Context& c, Var z, std::span<const int> y) const {
    return sum(log_softmax(p_y_(c, z)) * one_hot_labels(c.tape, y, classes_), 1);
  }

  MvaeConfig config_;
  Index classes_;
  Encoder q_x_;
  Mlp q_y_;
  Decoder p_x_;
  Mlp p_y_;
};

}  // namespace

VAEZOO_MODEL(mvae, Mvae, MvaeConfig, "Image and label in one code, either of which may be missing: a product of experts", "Wu & Goodman, NeurIPS 2018, eq. (5)")
