// Models with several stochastic layers against loops over plain vectors that know nothing of the engine, and against a model
// whose log p(x) is known.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>
#include <string>
#include <vector>

#include "tests/models/models_support.hpp"

using namespace model_tests;
using Values = LikelihoodCase::Values;

namespace {

using Vector = std::vector<double>;

constexpr Index kCount = 7;
constexpr double kTolerance = sizeof(Real) == 4 ? 2e-4 : 1e-11;
const double kLog2Pi = std::log(2 * std::numbers::pi);

const LikelihoodCase& gaussian() { return likelihood_cases()[1]; }  // sigma 0.5

// ---- the oracle

double leaky(double v) { return v > 0 ? v : 0.1 * v; }

/// A model's weights as plain formulas.
struct Weights {
  const Built& built;

  Vector linear(const std::string& path, const Vector& x) const {
    const auto w = built.values((path + "/weight").c_str()), b = built.values((path + "/bias").c_str());
    REQUIRE(w.size() == b.size() * x.size());
    Vector y(b.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] = double(b[i]);
      for (std::size_t j = 0; j < x.size(); ++j) y[i] += double(w[i * x.size() + j]) * x[j];
    }
    return y;
  }
  Vector batch_norm(const std::string& path, Vector x) const {
    const auto w = built.values((path + "/weight").c_str()), b = built.values((path + "/bias").c_str());
    const auto m = built.values((path + "/running_mean").c_str()), v = built.values((path + "/running_var").c_str());
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = (x[i] - double(m[i])) / std::sqrt(double(v[i]) + 1e-5) * double(w[i]) + double(b[i]);
    return x;
  }
};

Vector mapped(Vector x, double (*f)(double)) {
  for (double& v : x) v = f(v);
  return x;
}
Vector joined(Vector a, const Vector& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// A diagonal normal by means and variances.
struct Normal {
  Vector mean, variance;
  Vector at(const Vector& noise) const {
    Vector z = mean;
    for (std::size_t i = 0; i < z.size(); ++i) z[i] += std::sqrt(variance[i]) * noise[i];
    return z;
  }
  double log_density(std::size_t i, double z) const {
    return -0.5 * (kLog2Pi + std::log(variance[i]) + (z - mean[i]) * (z - mean[i]) / variance[i]);
  }
};

enum class Variance { exponential, softplus };

Normal normal_of(const Vector& numbers, Variance kind = Variance::exponential) {
  const std::size_t half = numbers.size() / 2;
  Normal n{Vector(numbers.begin(), numbers.begin() + std::ssize(numbers) / 2), Vector(half)};
  for (std::size_t i = 0; i < half; ++i) {
    const double raw = numbers[half + i];
    n.variance[i] = kind == Variance::exponential ? std::exp(raw) : std::log1p(std::exp(raw)) + 1e-4;
  }
  return n;
}
Normal standard(std::size_t size) { return {Vector(size, 0.0), Vector(size, 1.0)}; }

Vector kl(const Normal& q, const Normal& p) {
  Vector k(q.mean.size());
  for (std::size_t i = 0; i < k.size(); ++i)
    k[i] = 0.5 * (std::log(p.variance[i] / q.variance[i]) +
                  (q.variance[i] + std::pow(q.mean[i] - p.mean[i], 2)) / p.variance[i] - 1);
  return k;
}
Vector log_ratio(const Normal& q, const Normal& p, const Vector& z) {
  Vector r(z.size());
  for (std::size_t i = 0; i < r.size(); ++i) r[i] = q.log_density(i, z[i]) - p.log_density(i, z[i]);
  return r;
}
/// Precisions add up, means are weighted by them.
Normal merged(const Normal& a, const Normal& b) {
  Normal n = a;
  for (std::size_t i = 0; i < n.mean.size(); ++i) {
    const double pa = 1 / a.variance[i], pb = 1 / b.variance[i];
    n.variance[i] = 1 / (pa + pb);
    n.mean[i] = (a.mean[i] * pa + b.mean[i] * pb) / (pa + pb);
  }
  return n;
}
double gaussian_log_prob(const Vector& mean, std::span<const Real> x, double sigma) {
  double total = 0;
  for (std::size_t i = 0; i < mean.size(); ++i)
    total -= 0.5 * (kLog2Pi + 2 * std::log(sigma) + std::pow((double(x[i]) - mean[i]) / sigma, 2));
  return total;
}

/// What the oracle says of one example and one draw.
struct Oracle {
  double reconstruction = 0, log_q_p = 0;  // log p(x | z); log q(z | x) - log p(z)
  Vector kl;                               // per dimension, all layers side by side
};

/// The noise of each layer for `rows` draws, as the model makes it.
std::vector<std::vector<Real>> noise_of(const Model& model, Index rows, Key key) {
  std::vector<std::vector<Real>> noise;
  for (const Level& level : model.levels()) {
    noise.emplace_back(static_cast<std::size_t>(rows * (level.end - level.begin)));
    ad::fill_normal(key.fold("z").fold(noise.size() - 1), noise.back());
  }
  return noise;
}
Vector row(const std::vector<Real>& all, std::size_t r, std::size_t width) {
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(r * width);
  return {first, first + static_cast<std::ptrdiff_t>(width)};
}

Oracle hvae_oracle(const Weights& w, std::span<const Real> x_row, const Vector& noise1, const Vector& noise2, bool bottom_up) {
  const auto tanh = [](const Vector& x) { return mapped(x, std::tanh); };
  const Vector x(x_row.begin(), x_row.end()), h = tanh(w.linear("encoder/0", x));
  const auto conditional = [&](const std::string& path, const Vector& given) {
    return normal_of(w.linear(path + "/head", tanh(w.linear(path + "/0", given))));
  };
  Normal q1, q2;
  Vector z1, z2, code;
  if (bottom_up) {
    q1 = normal_of(w.linear("q/z1/head", h));
    z1 = q1.at(noise1);
    q2 = conditional("q/z2", z1);
    z2 = q2.at(noise2);
    code = z1;
  } else {
    q2 = normal_of(w.linear("q/z2/head", h));
    z2 = q2.at(noise2);
    q1 = conditional("q/z1", joined(h, z2));
    z1 = q1.at(noise1);
    code = joined(z1, z2);
  }
  const Normal p1 = conditional("p/z1", z2), p2 = standard(z2.size());
  const Vector ratio1 = log_ratio(q1, p1, z1), ratio2 = log_ratio(q2, p2, z2);
  Oracle o;
  o.reconstruction = gaussian_log_prob(w.linear("decoder/output", tanh(w.linear("decoder/0", code))), x_row, 0.5);
  o.log_q_p = std::accumulate(ratio1.begin(), ratio1.end(), 0.0) + std::accumulate(ratio2.begin(), ratio2.end(), 0.0);
  o.kl = joined(bottom_up ? ratio1 : kl(q1, p1), kl(q2, p2));
  return o;
}

Oracle ladder_oracle(const Weights& w, std::span<const Real> x_row, const std::vector<Vector>& noise) {
  const auto block = [&](const std::string& path, const Vector& x) {
    const Vector h = mapped(w.batch_norm(path + "/1", w.linear(path + "/0", x)), leaky);
    return mapped(w.batch_norm(path + "/4", w.linear(path + "/3", h)), leaky);
  };
  const std::size_t levels = noise.size();
  std::vector<Normal> up;
  Vector d(x_row.begin(), x_row.end());
  for (std::size_t i = 1; i <= levels; ++i) {
    d = block("up/z" + std::to_string(i), d);
    up.push_back(normal_of(w.linear("q/z" + std::to_string(i), d), Variance::softplus));
  }
  Oracle o;
  Normal p = standard(noise.back().size());
  Vector h;
  for (std::size_t i = levels; i-- > 0;) {
    const Normal q = i + 1 == levels ? up[i] : merged(up[i], p);
    const Vector z = q.at(noise[i]), ratio = log_ratio(q, p, z);
    o.kl = joined(kl(q, p), o.kl);
    o.log_q_p += std::accumulate(ratio.begin(), ratio.end(), 0.0);
    h = block("down/z" + std::to_string(i + 1), z);
    if (i > 0) p = normal_of(w.linear("p/z" + std::to_string(i), h), Variance::softplus);
  }
  o.reconstruction = gaussian_log_prob(w.linear("output", h), x_row, 0.5);
  return o;
}

/// The top-down VAE on vectors: every map is one pixel.
Oracle top_down_oracle(const Weights& w, std::span<const Real> x_row, const std::vector<Vector>& noise,
                       const std::vector<int>& blocks) {
  const auto elu = [](double v) { return v > 0 ? v : std::expm1(v); };
  const auto block = [&](const std::string& path, Vector h) {
    for (const char* layer : {"/0", "/1", "/2", "/last"}) h = w.linear(path + layer, mapped(h, elu));
    return h;
  };
  const auto plus = [](Vector a, const Vector& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    return a;
  };
  std::vector<Vector> features;
  Vector d(x_row.begin(), x_row.end());
  for (std::size_t r = 0; r < blocks.size(); ++r) {
    const std::string here = "up/" + std::to_string(r);
    d = w.linear(here + "/shrink", d);
    d = plus(d, block(here + "/0", d));
    features.push_back(d);
  }
  Oracle o;
  const auto start = w.built.values("down/start");
  Vector h(start.begin(), start.end());
  std::size_t i = noise.size();
  for (std::size_t r = blocks.size(); r-- > 0;) {
    for (int b = 0; b < blocks[r]; ++b) {
      --i;
      const std::string here = "down/z" + std::to_string(i + 1);
      const std::size_t size = noise[i].size();
      Normal p = standard(size);
      Vector update(h.size());
      if (i + 1 < noise.size()) {
        const Vector numbers = block(here + "/prior", h);
        p = normal_of({numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(2 * size)});
        update.assign(numbers.begin() + static_cast<std::ptrdiff_t>(2 * size), numbers.end());
      }
      const Normal q = normal_of(block(here + "/posterior", joined(features[r], h)));
      const Vector z = q.at(noise[i]), ratio = log_ratio(q, p, z);
      o.kl = joined(kl(q, p), o.kl);
      o.log_q_p += std::accumulate(ratio.begin(), ratio.end(), 0.0);
      h = plus(plus(h, update), w.linear(here + "/project", z));
      h = plus(h, block(here + "/refine", h));
    }
    h = w.linear("down/grow" + std::to_string(r), r == 0 ? mapped(h, elu) : h);
  }
  o.reconstruction = gaussian_log_prob(h, x_row, 0.5);
  return o;
}

/// The model's ELBO parts and log weights against the oracle's, one example and one draw after the other.
void compare(const Built& built, const std::function<Oracle(std::span<const Real> x, const std::vector<Vector>& noise)>& oracle) {
  constexpr Index samples = 3;
  const Model& model = *built.model;
  const std::vector<Real> x = synthetic(Values::real, kCount);
  Tape tape;
  const Key key(5);
  const Minibatch batch = minibatch(tape, x, kCount);
  const ElboTerms e = model.elbo({tape, false, key}, batch, Code::sample);
  const Var log_w = model.log_weights({tape, false, key}, batch, samples);
  const auto at = [&](const std::vector<std::vector<Real>>& noise, std::size_t r) {
    std::vector<Vector> one;
    for (std::size_t i = 0; i < noise.size(); ++i) {
      const Level level = model.levels()[i];
      one.push_back(row(noise[i], r, static_cast<std::size_t>(level.end - level.begin)));
    }
    return one;
  };
  const auto noise = noise_of(model, kCount, key), more_noise = noise_of(model, kCount * samples, key);
  const auto near = [](double a) { return doctest::Approx(a).epsilon(kTolerance).scale(1); };
  for (Index b = 0; b < kCount; ++b) {
    const auto x_row = std::span<const Real>(x).subspan(static_cast<std::size_t>(b * kDimension), kDimension);
    const Oracle o = oracle(x_row, at(noise, static_cast<std::size_t>(b)));
    CHECK(double(e.reconstruction.data()[b]) == near(o.reconstruction));
    CHECK(double(e.kl.data()[b]) == near(std::accumulate(o.kl.begin(), o.kl.end(), 0.0)));
    for (Index i = 0; i < model.latent_dim(); ++i)
      CHECK(double(e.kl_per_dimension.data()[b * model.latent_dim() + i]) == near(o.kl[static_cast<std::size_t>(i)]));
    for (Index k = 0; k < samples; ++k) {
      const Oracle draw = oracle(x_row, at(more_noise, static_cast<std::size_t>(b * samples + k)));
      CHECK(double(log_w.data()[b * samples + k]) == near(draw.reconstruction - draw.log_q_p));
    }
  }
}

// ---- a two-layer model whose log p(x) is known:  z2 ~ N(0, I), z1 = a z2 + b + s eps, x = W z1 + c + sigma eps.
// The columns of W are orthogonal, so each dimension of (z1, z2) has a posterior of its own.

constexpr std::size_t kSize = 4, kLatent = 2;
constexpr double kSigma = 0.7;
constexpr std::array<std::array<double, kLatent>, kSize> kW{{{1, 0.5}, {1, -0.5}, {-0.5, 1}, {0.5, 1}}};
constexpr std::array<double, kLatent> kA{1.3, -0.6}, kB{0.4, -1}, kS{0.5, 0.9};
constexpr std::array<double, kSize> kC{0.2, -1, 0.5, 2};

double column_square(std::size_t k) {
  double s = 0;
  for (const auto& r : kW) s += r[k] * r[k];
  return s;
}

/// log p(x) by rotation: along each column of W the data are one-dimensional normals, and noise alone across them.
double log_density(const Real* x) {
  std::array<double, kSize> d{};
  double rest = 0, total = 0;
  for (std::size_t i = 0; i < kSize; ++i) {
    d[i] = double(x[i]) - kC[i];
    for (std::size_t k = 0; k < kLatent; ++k) d[i] -= kW[i][k] * kB[k];
    rest += d[i] * d[i];
  }
  for (std::size_t k = 0; k < kLatent; ++k) {
    double along = 0;
    for (std::size_t i = 0; i < kSize; ++i) along += d[i] * kW[i][k] / std::sqrt(column_square(k));
    const double variance = column_square(k) * (kA[k] * kA[k] + kS[k] * kS[k]) + kSigma * kSigma;
    total -= 0.5 * (kLog2Pi + std::log(variance) + along * along / variance);
    rest -= along * along;
  }
  return total - 0.5 * (double(kSize - kLatent) * (kLog2Pi + 2 * std::log(kSigma)) + rest / (kSigma * kSigma));
}

void set(const Built& built, const char* path, std::size_t i, double value) { built.values(path)[i] = static_cast<Real>(value); }

/// The hvae of this model with the exact posterior, its means moved by `shift` and its variances multiplied by `stretch`.
Built linear_gaussian(bool bottom_up, double shift = 0, double stretch = 1) {
  const DataSpec data{.height = 1, .width = kSize, .channels = 1, .classes = 0, .unit_interval = false};
  const std::string linear = R"("encoder": {"hidden": []}, "decoder": {"hidden": []}, "between": {"hidden": []})";
  const std::string inference = bottom_up ? "bottom_up" : "top_down";
  Built built = build("hvae", R"({"latent_dims": [2, 2], "likelihood": {"name": "gaussian", "sigma": 0.7}, )" + linear +
                                  R"(, "inference": ")" + inference + "\"}", data);
  std::ranges::fill(built.store->values(), Real(0));
  const std::size_t code = bottom_up ? kLatent : 2 * kLatent;
  for (std::size_t i = 0; i < kSize; ++i) {
    set(built, "decoder/output/bias", i, kC[i]);
    for (std::size_t k = 0; k < kLatent; ++k) set(built, "decoder/output/weight", i * code + k, kW[i][k]);
  }
  for (std::size_t k = 0; k < kLatent; ++k) {
    set(built, "p/z1/head/weight", k * kLatent + k, kA[k]);
    set(built, "p/z1/head/bias", k, kB[k]);
    set(built, "p/z1/head/bias", kLatent + k, 2 * std::log(kS[k]));
    // t = w (x - c) / |w|^2 is z1 with noise of variance tau2.
    const double tau2 = kSigma * kSigma / column_square(k), s2 = kS[k] * kS[k], a = kA[k];
    // mean = slope t + offset
    const auto from_x = [&](const char* layer, std::size_t width, double slope, double offset, double variance) {
      const std::string w = std::string("q/") + layer + "/head/weight", b = std::string("q/") + layer + "/head/bias";
      for (std::size_t i = 0; i < kSize; ++i) {
        const double t = kW[i][k] / column_square(k);
        set(built, w.c_str(), k * width + i, slope * t);
        offset -= slope * t * kC[i];
      }
      set(built, b.c_str(), k, offset + shift);
      set(built, b.c_str(), kLatent + k, std::log(variance * stretch));
    };
    if (bottom_up) {
      const double prior = a * a + s2, v1 = 1 / (1 / prior + 1 / tau2), v2 = 1 / (1 + a * a / s2);
      from_x("z1", kSize, v1 / tau2, v1 / prior * kB[k], v1);              // q(z1 | x)
      set(built, "q/z2/head/weight", k * kLatent + k, v2 * a / s2);        // q(z2 | z1)
      set(built, "q/z2/head/bias", k, -v2 * a / s2 * kB[k] + shift);
      set(built, "q/z2/head/bias", kLatent + k, std::log(v2 * stretch));
    } else {
      const double v2 = 1 / (1 + a * a / (s2 + tau2)), v1 = 1 / (1 / s2 + 1 / tau2);
      from_x("z2", kSize, v2 * a / (s2 + tau2), -v2 * a / (s2 + tau2) * kB[k], v2);                  // q(z2 | x)
      from_x("z1", kSize + kLatent, v1 / tau2, v1 / s2 * kB[k], v1);                                 // q(z1 | x, z2)
      set(built, "q/z1/head/weight", k * (kSize + kLatent) + kSize + k, v1 / s2 * a);
    }
  }
  return built;
}

/// x from the model.
std::vector<Real> model_data(const Built& built, Index count) {
  Tape tape(ad::Grad::off);
  const Context c{tape, false, Key(41)};
  const Var x = built.model->sample_x(c, built.model->sample_prior(c, count, {}), {});
  return {x.value().begin(), x.value().end()};
}

double log_mean_exp(const Real* log_w, Index count) {
  const double largest = double(*std::max_element(log_w, log_w + count));
  double total = 0;
  for (Index k = 0; k < count; ++k) total += std::exp(double(log_w[k]) - largest);
  return largest + std::log(total / double(count));
}

}  // namespace

TEST_CASE("hvae: ELBO parts and log weights are what plain loops over the weights give") {
  for (const bool bottom_up : {true, false}) {
    CAPTURE(bottom_up);
    const Built built = build_small(find_model("hvae"), gaussian().settings, data_spec(Values::real),
                                    bottom_up ? R"({"inference": "bottom_up"})" : R"({"inference": "top_down"})");
    train(built, synthetic(Values::real, 32), 32, 20);
    const Weights weights{built};
    compare(built, [&](std::span<const Real> x, const std::vector<Vector>& noise) {
      return hvae_oracle(weights, x, noise[0], noise[1], bottom_up);
    });
  }
}

TEST_CASE("ladder_vae: ELBO parts and log weights are what plain loops over the weights give, batch norm in evaluation") {
  const Built built = build_small(find_model("ladder_vae"), gaussian().settings, data_spec(Values::real),
                                  R"({"latent_dims": [3, 2, 2], "hidden": [6, 5, 4], "batch_norm": true,
                                      "kl_weight": "constant"})");
  train(built, synthetic(Values::real, 32), 32, 20);
  const Weights weights{built};
  compare(built, [&](std::span<const Real> x, const std::vector<Vector>& noise) { return ladder_oracle(weights, x, noise); });
}

TEST_CASE("top_down_vae: ELBO parts and log weights on vectors are what plain loops over the weights give") {
  const DataSpec vectors{.height = 1, .width = kDimension, .channels = 1, .classes = 0, .unit_interval = false};
  const Built built = build("top_down_vae", R"({"scales": [1, 2], "channels": [5, 4], "blocks": [2, 1], "latent_channels": [2, 3],
                                                "likelihood": {"name": "gaussian", "sigma": 0.5}})", vectors);
  train(built, synthetic(Values::real, 32), 32, 20);
  const Weights weights{built};
  compare(built, [&](std::span<const Real> x, const std::vector<Vector>& noise) {
    return top_down_oracle(weights, x, noise, {2, 1});
  });
}

TEST_CASE("two linear-Gaussian layers: with the exact posterior every log weight is log p(x)") {
  constexpr Index count = 100, samples = 10;
  for (const bool bottom_up : {true, false}) {
    CAPTURE(bottom_up);
    const Built built = linear_gaussian(bottom_up);
    const std::vector<Real> x = model_data(built, count);
    Tape tape(ad::Grad::off);
    const Var log_w = built.model->log_weights({tape, false, Key(1)}, minibatch(tape, x, count), samples);
    for (Index i = 0; i < count; ++i) {
      const double truth = log_density(x.data() + i * std::ssize(kC));
      const double tolerance = sizeof(Real) == 4 ? 1e-4 : 1e-11;  // a weight adds log densities of some tens of nats
      for (Index k = 0; k < samples; ++k) CHECK(std::abs(double(log_w.data()[i * samples + k]) - truth) < tolerance);
    }
  }
}

TEST_CASE("two linear-Gaussian layers: the ELBO with the exact posterior has log p(x) as its mean") {  // |z| < 5
  // Bottom up, KL(q(z1 | x) || p(z1 | z2)) in the place of log q - log p would miss this: z2 was drawn given z1.
  constexpr Index count = 20'000;
  for (const bool bottom_up : {true, false}) {
    CAPTURE(bottom_up);
    const Built built = linear_gaussian(bottom_up);
    const std::vector<Real> x = model_data(built, count);
    Tape tape(ad::Grad::off);
    const Minibatch batch = minibatch(tape, x, count);
    const ElboTerms e = built.model->elbo({tape, false, Key(1)}, batch, Code::sample);
    Sample difference;
    double log_p = 0;
    for (Index i = 0; i < count; ++i) {
      const double truth = log_density(x.data() + i * std::ssize(kC));
      difference.add(double(e.reconstruction.data()[i]) - double(e.kl.data()[i]) - truth);
      log_p += truth / count;
    }
    CHECK(std::abs(difference.z(0)) < 5);
    const Objective o = built.model->objective({tape, true, Key(2)}, {}, batch);
    CHECK(std::abs(-double(o.loss.item()) - log_p) < 5 * difference.standard_error());
  }
}

TEST_CASE("two linear-Gaussian layers: ELBO < IWAE_K < log p(x), and the mean weight is p(x)") {  // z > 5 for each step
  constexpr Index count = 4000, samples = 64;
  for (const bool bottom_up : {true, false}) {
    CAPTURE(bottom_up);
    const Built built = linear_gaussian(bottom_up, 0.4, 1.7);
    const std::vector<Real> x = model_data(built, count);
    Tape tape(ad::Grad::off);
    const Minibatch batch = minibatch(tape, x, count);
    const ElboTerms e = built.model->elbo({tape, false, Key(1)}, batch, Code::sample);
    const Var log_w = built.model->log_weights({tape, false, Key(2)}, batch, samples);
    Sample elbo_gap, gain, gap, normalised;
    for (Index i = 0; i < count; ++i) {
      const double truth = log_density(x.data() + i * std::ssize(kC)), bound = log_mean_exp(log_w.data() + i * samples, samples);
      const double elbo = double(e.reconstruction.data()[i]) - double(e.kl.data()[i]);
      elbo_gap.add(truth - elbo);
      gain.add(bound - elbo);
      gap.add(truth - bound);
      normalised.add(std::exp(bound - truth));
    }
    CHECK(elbo_gap.z(0) > 5);
    CHECK(gain.z(0) > 5);
    CHECK(gap.z(0) > 5);
    CHECK(std::abs(normalised.z(1)) < 5);
  }
}

TEST_CASE("ancestral samples and redrawn layers have the prior's moments") {  // |z| < 5
  constexpr Index count = 20'000;
  const Built built = linear_gaussian(true);
  Tape tape(ad::Grad::off);
  const Var z = built.model->sample_prior({tape, false, Key(3)}, count, {});
  const Var redrawn = built.model->resample_below({tape, false, Key(4)}, z, 1, {});
  for (const Var& code : {z, redrawn})
    for (std::size_t k = 0; k < kLatent; ++k) {
      Sample z1, residual, residual_square, z2;
      for (std::size_t i = 0; i < count; ++i) {
        const double lower = double(code.data()[i * 4 + k]), upper = double(code.data()[i * 4 + 2 + k]);
        const double r = lower - kA[k] * upper - kB[k];
        z1.add(lower);
        z2.add(upper);
        residual.add(r);
        residual_square.add(r * r);
      }
      CHECK(std::abs(z1.z(kB[k])) < 5);
      CHECK(std::abs(z2.z(0)) < 5);
      CHECK(std::abs(residual.z(0)) < 5);
      CHECK(std::abs(residual_square.z(kS[k] * kS[k])) < 5);
    }
}
