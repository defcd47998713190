// The evaluation against truth: a linear VAE on linear-Gaussian data (probabilistic PCA), whose log p(x) and best posterior are known.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "config/reader.hpp"
#include "datasets/config.hpp"
#include "datasets/synthetic.hpp"
#include "experiments/runner/evaluate.hpp"
#include "experiments/runner/session.hpp"
#include "models/registry.hpp"

using namespace vaezoo;
using nlohmann::json;

namespace {

constexpr Index kD = 8, kZ = 2, kN = 1000;
const Key kKey(7);

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

LinearGaussianConfig source() { return {.size = kN, .latent_dim = kZ, .data_dim = kD, .sigma = 0.5}; }

/// A VAE without hidden layers: q(z | x) = N(A x + a, diag exp(C x + c)), p(x | z) = N(V z + v, 0.5^2 I).
struct LinearVae {
  Dataset data = load_linear_gaussian(source(), kKey);
  LinearGaussian truth{source(), kKey.fold("parameters")};
  ad::ParameterStore store{Key(3)};
  std::unique_ptr<Model> model;

  LinearVae() {
    std::unique_ptr<ModelConfig> config = find_model("vae").make_config();
    const json settings = {{"latent_dim", kZ}, {"encoder", {{"name", "mlp"}, {"hidden", json::array()}}},
                           {"decoder", {{"name", "mlp"}, {"hidden", json::array()}}},
                           {"likelihood", {{"name", "gaussian"}, {"scale", "fixed"}, {"sigma", 0.5}}}};
    read_config(settings, "test", [&](Fields& f) { config->fields(f); });
    model = config->build(data_spec(data), ad::Parameters(store));
  }

  std::span<Real> value(const char* path) {
    ad::Parameter* p = store.find(path);
    REQUIRE(p != nullptr);
    return p->value();
  }
  std::span<Real> encoder_weight() { return value("encoder/head/weight"); }  // [2 Z, D]
  std::span<Real> encoder_bias() { return value("encoder/head/bias"); }      // [2 Z]
  std::span<Real> decoder_weight() { return value("decoder/output/weight"); }  // [D, Z]
  std::span<Real> decoder_bias() { return value("decoder/output/bias"); }      // [D]

  /// The maximum of the ELBO: V = W R with the rotation R that makes V^T V diagonal, d, so that the true posterior
  /// N((d + s^2)^-1 V^T (x - b), s^2 (d + s^2)^-1) is one that q can be (Lucas et al., "Don't Blame the ELBO!", NeurIPS 2019).
  void set_optimum() {
    double m00 = 0, m01 = 0, m11 = 0;
    for (Index i = 0; i < kD; ++i) {
      const double w0 = truth.W[at(i * kZ)], w1 = truth.W[at(i * kZ + 1)];
      m00 += w0 * w0;
      m01 += w0 * w1;
      m11 += w1 * w1;
    }
    const double angle = 0.5 * std::atan2(2 * m01, m00 - m11), c = std::cos(angle), s = std::sin(angle),
                 s2 = truth.sigma * truth.sigma;
    for (Index k = 0; k < kZ; ++k) {
      double d = 0, offset = 0;
      for (Index i = 0; i < kD; ++i) {
        const double w0 = truth.W[at(i * kZ)], w1 = truth.W[at(i * kZ + 1)], v = k == 0 ? w0 * c + w1 * s : w1 * c - w0 * s;
        decoder_weight()[at(i * kZ + k)] = static_cast<Real>(v);
        d += v * v;
      }
      for (Index i = 0; i < kD; ++i) {
        const double a = double(decoder_weight()[at(i * kZ + k)]) / (d + s2);
        encoder_weight()[at(k * kD + i)] = static_cast<Real>(a);
        encoder_weight()[at((kZ + k) * kD + i)] = 0;
        offset -= a * truth.b[at(i)];
      }
      encoder_bias()[at(k)] = static_cast<Real>(offset);
      encoder_bias()[at(kZ + k)] = static_cast<Real>(std::log(s2 / (d + s2)));
    }
    for (Index i = 0; i < kD; ++i) decoder_bias()[at(i)] = static_cast<Real>(truth.b[at(i)]);
  }
  /// The optimum with a posterior whose variances are e times too large: KL(q || p(z | x)) = Z (e - 2) / 2.
  void set_wide_posterior() {
    set_optimum();
    for (Index k = 0; k < kZ; ++k) encoder_bias()[at(kZ + k)] += 1;
  }
  static constexpr double kWideGap = kZ * (2.718281828459045 - 2) / 2;

  std::vector<Real> examples() {
    std::vector<Real> x(at(kN * kD));
    for (Index i = 0; i < kN; ++i) data.train.read(i, std::span(x).subspan(at(i * kD), at(kD)));
    return x;
  }
  Evaluation evaluation(Index samples, Index batch_size = 100) {
    EvaluationOptions options;
    options.batch_size = batch_size;
    options.importance_samples = samples;
    return evaluate(*model, data, Split::train, options, Key(11));
  }
};

/// Examples [N, D] as a batch.
auto on_tape(std::span<const Real> x) {
  return [x](Tape& tape) { return Minibatch{.x = tape.constant({std::ssize(x) / kD, kD}, x)}; };
}

struct Statistics {
  double mean = 0, error = 0;
};
Statistics statistics(const std::vector<double>& values) {
  double mean = 0, squares = 0;
  for (const double v : values) mean += v / static_cast<double>(values.size());
  for (const double v : values) squares += (v - mean) * (v - mean);
  return {mean, std::sqrt(squares / static_cast<double>(values.size() - 1) / static_cast<double>(values.size()))};
}

/// log p(x) - its estimate with K samples, over the examples.
Statistics gap(LinearVae& vae, Index samples) {
  const std::vector<Real> x = vae.examples();
  Tape tape(ad::Grad::off);
  std::vector<double> gaps = importance_log_likelihood(*vae.model, tape, on_tape(x), samples, 50, Key(5));
  for (Index i = 0; i < kN; ++i) gaps[at(i)] = vae.truth.log_density(std::span(x).subspan(at(i * kD), at(kD))) - gaps[at(i)];
  return statistics(gaps);
}

}  // namespace

TEST_CASE("evaluate: at the true posterior ELBO and importance sampling are log p(x) for every example and any K") {
  LinearVae vae;
  vae.set_optimum();
  const std::vector<Real> x = vae.examples();
  for (const Index samples : {1, 7}) {
    Tape tape(ad::Grad::off);
    const std::vector<double> log_p = importance_log_likelihood(*vae.model, tape, on_tape(x), samples, 50, Key(5));
    double worst = 0;
    for (Index i = 0; i < kN; ++i)
      worst = std::max(worst, std::abs(log_p[at(i)] - vae.truth.log_density(std::span(x).subspan(at(i * kD), at(kD)))));
    CHECK(worst < 2e-4);  // float arithmetic on terms of up to some tens of nats
  }
  const Evaluation e = vae.evaluation(10);
  CHECK(*e.nll == doctest::Approx(*e.exact_nll).epsilon(1e-5));
  // reconstruction is of one sampled z and kl exact, so the ELBO has sampling noise: about sqrt(Z / 2) nats per example, and what p(z) adds.
  CHECK(std::abs(*e.elbo + *e.exact_nll) < 4 * std::sqrt(kZ) / std::sqrt(double(kN)));
}

TEST_CASE("evaluate: ELBO <= IWAE_K <= log p(x), and the gap is KL(q || posterior) at K = 1 and closes as K grows") {
  LinearVae vae;
  vae.set_wide_posterior();
  const Statistics one = gap(vae, 1), five = gap(vae, 5), twenty = gap(vae, 20), thousand = gap(vae, 1000);
  CHECK(std::abs(one.mean - LinearVae::kWideGap) < 4 * one.error);
  CHECK(one.mean > five.mean);
  CHECK(five.mean > twenty.mean);
  CHECK(twenty.mean > thousand.mean);
  CHECK(thousand.mean > -4 * thousand.error);
  CHECK(thousand.mean < 0.01);  // Var(w) / (2 K E[w]^2) is 3e-4 here
  const Evaluation e = vae.evaluation(100);
  CHECK(-*e.elbo > *e.nll);
  CHECK(*e.nll > *e.exact_nll - 4 * twenty.error);
  // The reconstruction of one z varies by about (e / 2) sqrt(2 Z) = 2.7 nats per example.
  CHECK(std::abs(-*e.elbo - *e.exact_nll - LinearVae::kWideGap) < 4 * 2.8 / std::sqrt(double(kN)));
}

TEST_CASE("evaluate: the estimate in chunks is the plain log-mean-exp of the same log-weights") {
  LinearVae vae;
  vae.set_wide_posterior();
  const Index count = 20, samples = 23, chunk = 10;
  const std::vector<Real> x = vae.examples();
  const std::span<const Real> some = std::span(x).first(at(count * kD));
  std::vector<long double> sum(at(count), 0);
  for (Index done = 0; done < samples; done += chunk) {
    Tape tape(ad::Grad::off);
    const Context c{tape, false, Key(5).fold(static_cast<std::uint64_t>(done))};
    const Index k = std::min(chunk, samples - done);
    const Var log_w = vae.model->log_weights(c, {tape.constant({count, kD}, some), {}}, k);
    for (Index i = 0; i < count * k; ++i) sum[at(i / k)] += std::exp(static_cast<long double>(log_w.data()[i]));
  }
  Tape tape(ad::Grad::off);
  const std::vector<double> log_p = importance_log_likelihood(*vae.model, tape, on_tape(some), samples, chunk, Key(5));
  for (Index b = 0; b < count; ++b) {
    const auto expected = static_cast<double>(std::log(sum[at(b)] / static_cast<long double>(samples)));
    CHECK(log_p[at(b)] == doctest::Approx(expected).epsilon(1e-12));
  }
}

TEST_CASE("evaluate: KL, KL per dimension, MSE, code variance and active units agree with plain loops, whatever the batch size") {
  LinearVae vae;
  for (Index i = 0; i < kD; ++i) vae.encoder_weight()[at(kD + i)] = 0;  // the mean of z1 does not depend on x
  double kl[kZ] = {}, sum[kZ] = {}, squares[kZ] = {}, mse = 0;
  const std::vector<Real> x = vae.examples();
  for (Index n = 0; n < kN; ++n) {
    double m[kZ];
    for (Index k = 0; k < kZ; ++k) {
      m[k] = double(vae.encoder_bias()[at(k)]);
      double log_v = double(vae.encoder_bias()[at(kZ + k)]);
      for (Index i = 0; i < kD; ++i) {
        m[k] += double(vae.encoder_weight()[at(k * kD + i)]) * double(x[at(n * kD + i)]);
        log_v += double(vae.encoder_weight()[at((kZ + k) * kD + i)]) * double(x[at(n * kD + i)]);
      }
      kl[k] += 0.5 * (m[k] * m[k] + std::exp(log_v) - 1 - log_v) / kN;
      sum[k] += m[k];
      squares[k] += m[k] * m[k];
    }
    for (Index i = 0; i < kD; ++i) {
      double r = double(vae.decoder_bias()[at(i)]) - double(x[at(n * kD + i)]);
      for (Index k = 0; k < kZ; ++k) r += double(vae.decoder_weight()[at(i * kZ + k)]) * m[k];
      mse += r * r / (kN * kD);
    }
  }
  for (const Index batch_size : {100, 64, 1000, 3000}) {
    CAPTURE(batch_size);
    const Evaluation e = vae.evaluation(0, batch_size);
    CHECK(e.examples == kN);
    CHECK_FALSE(e.nll);
    CHECK(*e.kl == doctest::Approx(kl[0] + kl[1]).epsilon(1e-5));
    CHECK(e.mse.value() == doctest::Approx(mse).epsilon(1e-5));
    for (Index k = 0; k < kZ; ++k) {
      CHECK(e.kl_per_dimension[at(k)] == doctest::Approx(kl[k]).epsilon(1e-5));
      const double variance = squares[k] / kN - sum[k] * sum[k] / (double(kN) * kN);
      CHECK(std::abs(e.code_variance[at(k)] - variance) < 1e-5);
    }
    CHECK(*e.active_units == 1);
    CHECK(e.warnings().size() == 1);
  }
}

TEST_CASE("evaluate: under a conditional prior those units are active that say more than the condition does") {
  const Dataset digits = load_dataset({}, "");
  std::unique_ptr<ModelConfig> config = find_model("conditional_vae").make_config();
  const json network = {{"name", "mlp"}, {"hidden", json::array()}};
  read_config(json{{"latent_dim", kZ}, {"encoder", network}, {"decoder", network}, {"likelihood", "gaussian"},
                   {"prior", {{"name", "conditional"}, {"hidden", json::array()}}}},
              "test", [&](Fields& f) { config->fields(f); });
  ad::ParameterStore store{Key(1)};
  const std::unique_ptr<Model> model = config->build(data_spec(digits), ad::Parameters(store));
  // q(z | x, y) = p(z | y): the means of q move with the label, and z says nothing of x beyond it.
  std::span<const Real> p_weight, p_bias;
  for (ad::Parameter& p : store.all())
    if (p.path().starts_with("prior/")) (p.shape().rank() == 2 ? p_weight : p_bias) = p.value();
  const std::span<Real> q_weight = store.find("encoder/head/weight")->value(), q_bias = store.find("encoder/head/bias")->value();
  const Index classes = digits.classes, inputs = digits.shape.size() + classes;
  REQUIRE(std::ssize(q_weight) == 2 * kZ * inputs);
  REQUIRE(std::ssize(p_weight) == 2 * kZ * classes);
  for (Index row = 0; row < 2 * kZ; ++row)
    for (Index i = 0; i < inputs; ++i)
      q_weight[at(row * inputs + i)] = i < inputs - classes ? 0 : p_weight[at(row * classes + i - inputs + classes)];
  std::ranges::copy(p_bias, q_bias.begin());
  EvaluationOptions options;
  options.importance_samples = 0;
  const auto evaluation = [&] { return evaluate(*model, digits, Split::train, options, Key(2)); };
  const Evaluation idle = evaluation();
  CHECK(idle.code_variance[0] > options.active_threshold);
  CHECK(idle.kl_per_dimension[0] < 1e-5);
  CHECK(*idle.active_units == 0);
  q_bias[0] += 1;
  const Evaluation one = evaluation();
  CHECK(*one.active_units == 1);
  CHECK(one.active == std::vector<bool>{true, false});
  options.active_kl = 100;
  CHECK(*evaluation().active_units == 0);
}

TEST_CASE("evaluate: bits per dimension are told of discrete data under a discrete likelihood alone") {
  LinearVae vae;
  vae.set_optimum();
  CHECK_FALSE(vae.evaluation(1).bits_per_dim);
  Dataset digits = load_digits();
  digits.levels = 17;
  digits.unit_range = true;
  const auto bits = [&](const json& likelihood) {
    std::unique_ptr<ModelConfig> config = find_model("vae").make_config();
    read_config(json{{"latent_dim", 2}, {"encoder", {{"name", "mlp"}, {"hidden", {8}}}}, {"likelihood", likelihood}}, "test",
                [&](Fields& f) { config->fields(f); });
    ad::ParameterStore store{Key(1)};
    const std::unique_ptr<Model> model = config->build(data_spec(digits), ad::Parameters(store));
    EvaluationOptions options;
    options.importance_samples = 1;
    const Evaluation e = evaluate(*model, digits, Split::train, options, Key(2));
    if (e.bits_per_dim) CHECK(*e.bits_per_dim == doctest::Approx(*e.nll / (64 * std::log(2.0))));
    return e.bits_per_dim.has_value();
  };
  CHECK_FALSE(bits("bernoulli"));
  CHECK_FALSE(bits("gaussian"));
  CHECK(bits({{"name", "discretized_logistic"}, {"bins", 17}}));
}
