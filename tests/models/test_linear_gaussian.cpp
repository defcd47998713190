// The one VAE whose log p(x) is known: x = W z + b + sigma eps with z ~ N(0, I), so x ~ N(b, W W^T + sigma^2 I) (probabilistic
// PCA, Tipping & Bishop 1999). With orthogonal columns of W the posterior is a diagonal normal, which the encoder can be.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <span>
#include <vector>

#include "tests/models/models_support.hpp"

using namespace model_tests;

namespace {

constexpr Index kSize = 5, kLatent = 2;
constexpr double kSigma = 0.6;
constexpr std::array<std::array<double, kLatent>, kSize> kW{{{1, 0.5}, {1, -0.5}, {-0.5, 1}, {0.5, 1}, {0.3, 0}}};  // orthogonal
constexpr std::array<double, kSize> kB{0.2, -1, 0.5, 0, 3};

using Vector = std::array<double, kSize>;
using Matrix = std::array<Vector, kSize>;

/// log N(x; b, W W^T + sigma^2 I) by a Cholesky factor of the dense covariance.
double log_density(const Real* x) {
  Matrix l{};
  for (std::size_t i = 0; i < kSize; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double s = i == j ? kSigma * kSigma : 0;
      for (std::size_t k = 0; k < kLatent; ++k) s += kW[i][k] * kW[j][k];
      for (std::size_t k = 0; k < j; ++k) s -= l[i][k] * l[j][k];
      l[i][j] = i == j ? std::sqrt(s) : s / l[j][j];
    }
  Vector y{};
  double total = -0.5 * kSize * std::log(2 * std::numbers::pi);
  for (std::size_t i = 0; i < kSize; ++i) {
    y[i] = double(x[i]) - kB[i];
    for (std::size_t k = 0; k < i; ++k) y[i] -= l[i][k] * y[k];
    y[i] /= l[i][i];
    total -= std::log(l[i][i]) + y[i] * y[i] / 2;
  }
  return total;
}

double column_square(std::size_t k) {
  double s = 0;
  for (const auto& row : kW) s += row[k] * row[k];
  return s;
}
/// Of p(z_k | x): 1 / (1 + |w_k|^2 / sigma^2).
double posterior_variance(std::size_t k) { return 1 / (1 + column_square(k) / (kSigma * kSigma)); }

/// The VAE of this model with the exact posterior, its mean moved by `shift` and its variance multiplied by `stretch`.
Built linear_gaussian(double shift = 0, double stretch = 1) {
  const DataSpec data{.height = 1, .width = kSize, .channels = 1, .classes = 0, .unit_interval = false};
  Built built = build("vae", R"({"latent_dim": 2, "encoder": {"hidden": []}, "decoder": {"hidden": []},
                                 "likelihood": {"name": "gaussian", "sigma": 0.6}})", data);
  const auto w = built.values("decoder/output/weight"), b = built.values("decoder/output/bias");
  const auto e = built.values("encoder/head/weight"), e_bias = built.values("encoder/head/bias");
  std::ranges::fill(e, Real(0));
  for (std::size_t k = 0; k < kLatent; ++k) {
    double at_zero = shift;
    for (std::size_t i = 0; i < kSize; ++i) {
      w[i * kLatent + k] = static_cast<Real>(kW[i][k]);
      const double slope = posterior_variance(k) * kW[i][k] / (kSigma * kSigma);
      e[k * kSize + i] = static_cast<Real>(slope);
      at_zero -= slope * kB[i];
    }
    e_bias[k] = static_cast<Real>(at_zero);
    e_bias[kLatent + k] = static_cast<Real>(std::log(posterior_variance(k) * stretch));
  }
  for (std::size_t i = 0; i < kSize; ++i) b[i] = static_cast<Real>(kB[i]);
  return built;
}

/// x from the model itself, and some that it finds very unlikely.
std::vector<Real> data(Index count) {
  std::vector<Real> z(static_cast<std::size_t>(count * kLatent)), x(static_cast<std::size_t>(count * kSize));
  ad::fill_normal(Key(41), z);
  ad::fill_normal(Key(42), x, 0, static_cast<Real>(kSigma));
  for (std::size_t n = 0; n < static_cast<std::size_t>(count); ++n)
    for (std::size_t i = 0; i < kSize; ++i) {
      double v = kB[i];
      for (std::size_t k = 0; k < kLatent; ++k) v += kW[i][k] * double(z[n * kLatent + k]);
      x[n * kSize + i] += static_cast<Real>(n % 10 == 9 ? 5 * v : v);
    }
  return x;
}

// A weight adds three log densities of size up to some hundred for the unlikely x.
double tolerance(double log_p) { return (sizeof(Real) == 4 ? 5e-6 : 1e-13) * (20 + std::abs(log_p)); }

}  // namespace

TEST_CASE("linear-Gaussian: with the exact posterior every log weight is log p(x)") {
  constexpr Index count = 200, samples = 20;
  const Built built = linear_gaussian();
  const std::vector<Real> x = data(count);
  Tape tape(ad::Grad::off);
  const Var log_w = built.model->log_weights({tape, false, Key(1)}, minibatch(tape, x, count), samples);
  for (Index i = 0; i < count; ++i) {
    const double truth = log_density(x.data() + i * kSize);
    for (Index k = 0; k < samples; ++k) CHECK(std::abs(double(log_w.data()[i * samples + k]) - truth) < tolerance(truth));
  }
}

TEST_CASE("linear-Gaussian: with the exact posterior the ELBO is log p(x) for every x") {
  constexpr Index count = 200;
  const Built built = linear_gaussian();
  const std::vector<Real> x = data(count);
  Tape tape(ad::Grad::off);
  const ElboTerms e = built.model->elbo({tape, false, Key(1)}, minibatch(tape, x, count), Code::mean);
  // E_q log p(x | z) is log p(x | E z) less what the variance of z costs: sum_k |w_k|^2 variance_k / (2 sigma^2).
  double cost = 0;
  for (std::size_t k = 0; k < kLatent; ++k) cost += column_square(k) * posterior_variance(k) / (2 * kSigma * kSigma);
  for (Index i = 0; i < count; ++i) {
    const double truth = log_density(x.data() + i * kSize);
    CHECK(std::abs(double(e.reconstruction.data()[i]) - cost - double(e.kl.data()[i]) - truth) < tolerance(truth));
  }
}

TEST_CASE("linear-Gaussian: the sampled ELBO and the training loss have log p(x) as their mean") {  // |z| < 5
  constexpr Index count = 20'000;
  const Built built = linear_gaussian();
  const std::vector<Real> x = data(count);
  Tape tape(ad::Grad::off);
  const Minibatch batch = minibatch(tape, x, count);
  const ElboTerms e = built.model->elbo({tape, false, Key(1)}, batch, Code::sample);
  Sample difference;
  double log_p = 0;
  for (Index i = 0; i < count; ++i) {
    const double truth = log_density(x.data() + i * kSize);
    difference.add(double(e.reconstruction.data()[i]) - double(e.kl.data()[i]) - truth);
    log_p += truth / count;
  }
  CHECK(std::abs(difference.z(0)) < 5);
  const Objective o = built.model->objective({tape, true, Key(2)}, batch);
  CHECK(std::abs(-double(o.loss.item()) - log_p) < 5 * difference.standard_error());
}

TEST_CASE("linear-Gaussian: ELBO < IWAE_K < log p(x), and the gap shrinks as K grows") {  // z > 5 for each step
  constexpr Index count = 4000, samples = 64;
  constexpr double shift = 0.5, stretch = 2;
  const Built built = linear_gaussian(shift, stretch);
  const std::vector<Real> x = data(count);
  Tape tape(ad::Grad::off);
  const Minibatch batch = minibatch(tape, x, count);
  const ElboTerms e = built.model->elbo({tape, false, Key(1)}, batch, Code::sample);
  const Var log_w = built.model->log_weights({tape, false, Key(1)}, batch, samples);
  constexpr std::array<Index, 4> sizes{1, 4, 16, 64};
  std::array<Sample, 4> gap;                // log p(x) - IWAE_K
  std::array<Sample, 3> gain;               // IWAE_4K - IWAE_K, of the same samples
  Sample elbo_gap, normalised;
  for (Index i = 0; i < count; ++i) {
    const double truth = log_density(x.data() + i * kSize);
    std::array<double, 4> bound{};
    for (std::size_t s = 0; s < 4; ++s)
      for (Index k = 0; k < samples; k += sizes[s])
        bound[s] += log_mean_exp(log_w.data() + i * samples + k, sizes[s]) * double(sizes[s]) / double(samples);
    for (std::size_t s = 0; s < 4; ++s) gap[s].add(truth - bound[s]);
    for (std::size_t s = 0; s < 3; ++s) gain[s].add(bound[s + 1] - bound[s]);
    elbo_gap.add(truth - (double(e.reconstruction.data()[i]) - double(e.kl.data()[i])));
    normalised.add(std::exp(bound[3] - truth));
  }
  for (const Sample& g : gap) CHECK(g.z(0) > 5);
  for (const Sample& g : gain) CHECK(g.z(0) > 5);
  CHECK(std::abs(normalised.z(1)) < 5);  // the mean weight is an unbiased estimate of p(x)

  // The gap of the ELBO is KL(q || posterior), which is known.
  double kl = 0;
  for (std::size_t k = 0; k < kLatent; ++k) kl += 0.5 * (stretch - 1 - std::log(stretch) + shift * shift / posterior_variance(k));
  CHECK(std::abs(elbo_gap.z(kl)) < 5);
  CHECK(std::abs(gap[0].z(kl)) < 5);
}

TEST_CASE("nll is the negative log-likelihood whatever the batch size") {
  constexpr Index count = 6, samples = 3;
  const Built built = linear_gaussian();
  const std::vector<Real> x = data(count);
  const auto nll = [&](Index begin, Index rows) {
    Tape tape(ad::Grad::off);
    const auto part = std::span(x).subspan(static_cast<std::size_t>(begin * kSize), static_cast<std::size_t>(rows * kSize));
    const Var log_w = built.model->log_weights({tape, false, Key(1)}, minibatch(tape, part, rows), samples);
    double total = 0;
    for (Index i = 0; i < rows; ++i) total -= log_mean_exp(log_w.data() + i * samples, samples);
    return total;
  };
  double truth = 0;
  for (Index i = 0; i < count; ++i) truth -= log_density(x.data() + i * kSize);
  CHECK(truth > 0);
  for (const Index rows : {1, 2, 3, 6}) {
    double total = 0;
    for (Index begin = 0; begin < count; begin += rows) total += nll(begin, rows);
    CHECK(total == doctest::Approx(truth).epsilon(1e-5));
  }
}

TEST_CASE("linear-Gaussian: training from random weights approaches the mean log p(x) of the data") {
  constexpr Index count = 256;
  const DataSpec spec{.height = 1, .width = kSize, .channels = 1, .classes = 0, .unit_interval = false};
  const Built built = build("vae", R"({"latent_dim": 2, "encoder": {"hidden": []}, "decoder": {"hidden": []},
                                       "likelihood": {"name": "gaussian", "sigma": 0.6}})", spec);
  std::vector<Real> x;
  double log_p = 0;
  const std::vector<Real> all = data(2 * count);
  for (Index i = 0; std::ssize(x) < count * kSize; ++i) {
    if (i % 10 == 9) continue;  // the unlikely ones
    x.insert(x.end(), all.begin() + i * kSize, all.begin() + (i + 1) * kSize);
    log_p += log_density(all.data() + i * kSize) / count;
  }
  const std::vector<double> loss = train(built, x, count, 1500);
  Sample last;
  for (std::size_t i = 1300; i < 1500; ++i) last.add(loss[i]);
  // The optimum lies above the true parameters' log p(x) by what 14 fitted numbers (W but for a rotation, and b) gain on 256
  // examples, about 14 / (2 * 256).
  CHECK(std::abs(-last.mean - (log_p + 14.0 / 512)) < 0.05);
}

TEST_CASE("linear-Gaussian: with numbers missing, the mean weight is the density of the observed ones") {  // |z| < 5
  constexpr Index count = 50, samples = 20'000;
  const Built built = linear_gaussian(0, 12);  // so wide that draws reach what x with zeros for missing numbers points away from
  std::vector<Real> x = data(count), mask(x.size(), 1);
  for (std::size_t i = 0; i < x.size(); ++i)
    if ((i / kSize + i) % 3 == 0) mask[i] = 0, x[i] = 0;
  Tape tape(ad::Grad::off);
  Minibatch batch = minibatch(tape, x, count);
  batch.mask = tape.constant(batch.x.shape(), mask);
  const Var log_w = built.model->log_weights({tape, false, Key(1)}, batch, samples);
  for (Index n = 0; n < count; ++n) {
    if (n % 10 == 9) continue;  // x in which the sampler finds no support
    // log N(x_o; b_o, W_o W_o^T + sigma^2 I) by Cholesky, of the rows that were observed.
    std::vector<std::size_t> seen;
    for (std::size_t i = 0; i < kSize; ++i)
      if (mask[static_cast<std::size_t>(n) * kSize + i] != 0) seen.push_back(i);
    const std::size_t d = seen.size();
    std::vector<double> l(d * d), y(d);
    double truth = -0.5 * double(d) * std::log(2 * std::numbers::pi);
    for (std::size_t i = 0; i < d; ++i) {
      y[i] = double(x[static_cast<std::size_t>(n) * kSize + seen[i]]) - kB[seen[i]];
      for (std::size_t j = 0; j <= i; ++j) {
        double v = i == j ? kSigma * kSigma : 0;
        for (std::size_t k = 0; k < kLatent; ++k) v += kW[seen[i]][k] * kW[seen[j]][k];
        for (std::size_t k = 0; k < j; ++k) v -= l[i * d + k] * l[j * d + k];
        l[i * d + j] = i == j ? std::sqrt(v) : v / l[j * d + j];
        if (j < i) y[i] -= l[i * d + j] * y[j];
      }
      y[i] /= l[i * d + i];
      truth -= std::log(l[i * d + i]) + 0.5 * y[i] * y[i];
    }
    Sample weight;
    for (Index k = 0; k < samples; ++k) weight.add(std::exp(double(log_w.data()[n * samples + k]) - truth));
    CHECK(std::abs(weight.z(1)) < 5);
    CHECK(weight.standard_error() < 0.1);  // else the check above says nothing
  }
}
