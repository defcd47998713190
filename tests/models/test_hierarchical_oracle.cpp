// Models with several stochastic layers against loops over plain vectors that know nothing of the engine.
#include <doctest/doctest.h>

#include <algorithm>
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
  o.reconstruction = gaussian_log_prob(w.linear("decoder/output", h), x_row, 0.5);
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
                                      "encoder": {"hidden": []}, "decoder": {"hidden": []},
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
