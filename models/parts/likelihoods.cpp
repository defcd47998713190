#include "models/parts/likelihoods.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/linalg.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/model.hpp"

namespace vaezoo {
namespace {

using namespace ad;

constexpr double kSmallestScale = 1e-6;  // a perfect reconstruction would have an infinite density

/// A number for people: four significant digits.
std::string short_text(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 4).ptr};
}

/// Bernoulli(x; sigmoid(h)). Grey values in [0, 1] are taken as they are: the cross-entropy that most published VAEs use.
class Bernoulli final : public Likelihood {
 public:
  explicit Bernoulli(Index size) : size_(size) {}
  Index outputs() const override { return size_; }
  Var log_prob(const Context&, Var h, Var x) const override {  // x h - log(1 + e^h)
    return map_sum_shared("bernoulli_log_prob", [](auto a, auto v) { return a * v - softplus(a); }, h, x);
  }
  Var mean(Var h) const override { return sigmoid(h); }
  Var sample(const Context& c, Var h) const override {
    const Var p = sigmoid(h), x = c.tape.node("bernoulli", h.shape(), {});
    fill_bernoulli(c.key.fold("x"), p.value(), x.value());
    return x;
  }
  std::string describe() const override { return "Bernoulli on logits"; }
  bool discrete() const override { return true; }
  bool binary() const override { return true; }

 private:
  Index size_;
};

/// What Gaussian and Laplace share: a location from the decoder and one scale for all dimensions. With e the error of
/// one example (sum of squares, or of absolute values) the density needs e alone:
///   Gaussian  log p = -e / (2 s^2) - D (log s + log(2 pi) / 2)        Laplace  log p = -e / s - D (log s + log 2)
/// The scale is fixed, learned (one trained number) or optimal: the maximum-likelihood value given the error, s^2 = E[e] / D
/// or s = E[e] / D (Rybkin, Daniilidis, Levine, "Simple and effective VAE training with calibrated decoders", ICML 2021).
/// In training that is the batch's own; evaluation uses the running average over training, so test data are not looked at.
class LocationScale final : public Likelihood {
 public:
  LocationScale(const LikelihoodConfig& config, Index size, Parameters p)
      : laplace_(config.name == "laplace"), scale_(config.scale), activation_(activation_from_name(config.mean)), size_(size),
        fixed_(config.sigma) {
    const Real start = static_cast<Real>(std::log(config.sigma));
    if (scale_ == "learned") log_scale_ = &p.add("log_scale", Shape{}, init::constant(start));
    if (scale_ == "optimal") {
      running_error_ = &p.add_buffer("mean_error", Shape{}, laplace_ ? fixed_real() : fixed_real() * fixed_real());
      updates_ = &p.add_buffer("updates", Shape{}, 0);
    }
  }
  Index outputs() const override { return size_; }

  Var log_prob(const Context& c, Var h, Var x) const override {
    const Var m = mean(h);
    const Var error = laplace_ ? map_sum_shared("absolute_error", [](auto a, auto v) { return abs(v - a); }, m, x)
                               : map_sum_shared("squared_error", [](auto a, auto v) { return square(v - a); }, m, x);  // [B]
    const Var log_s = broadcast_to(log_scale(c, error), error.shape());
    const Real d = static_cast<Real>(size_);
    if (laplace_)
      return map(
          "laplace_log_prob", [d](auto e, auto l) { return -e * exp(-l) - d * (l + Real(0.69314718055994530942)); }, error,
          log_s);
    return map(
        "gaussian_log_prob",
        [d](auto e, auto l) { return Real(-0.5) * e * exp(Real(-2) * l) - d * (l + Real(0.91893853320467274178)); }, error,
        log_s);
  }
  Var mean(Var h) const override { return activate(h, activation_); }
  Var sample(const Context& c, Var h) const override {
    const Var m = mean(h), noise = c.tape.node("noise", h.shape(), {});
    const Real s = scale();
    if (!laplace_) {
      fill_normal(c.key.fold("x"), noise.value());
      return map("gaussian_sample", [s](auto a, auto e) { return a + s * e; }, m, noise);
    }
    fill_uniform(c.key.fold("x"), noise.value(), Real(-0.5), Real(0.5));  // inverse of the distribution function
    return map("laplace_sample", [s](auto a, auto u) {
      const auto tail = s * log1p(fmax(Real(-2) * abs(u), decltype(u)(Real(-0.99999994))));
      return select(u > decltype(u)(Real(0)), a - tail, a + tail);
    }, m, noise);
  }
  std::string describe() const override {
    return cat(laplace_ ? "Laplace, scale " : "Gaussian, sigma ", short_text(double(scale())), " (", scale_, ")");
  }
  bool discrete() const override { return false; }
  bool binary() const override { return false; }

 private:
  Real fixed_real() const { return static_cast<Real>(fixed_); }
  /// The scale that an error per dimension asks for.
  Real scale_of(Real error) const { return laplace_ ? error : std::sqrt(error); }
  Real scale() const {
    if (scale_ == "learned") return std::exp(log_scale_->value()[0]);
    if (scale_ == "optimal") return scale_of(running_error_->value()[0]);
    return fixed_real();
  }
  Var log_scale(const Context& c, Var error) const {
    if (scale_ == "learned") return c.tape.parameter(*log_scale_);
    if (scale_ == "fixed" || !c.training) return c.tape.constant(Shape{}, std::log(std::max(scale(), kSmallest)));
    const Var per_dimension = ad::mean(error) / static_cast<Real>(size_);
    c.tape.after_step([this, error = per_dimension.item()] {
      Real &seen = updates_->value()[0], &average = running_error_->value()[0];
      average += std::max(Real(0.01), 1 / (seen + 1)) * (error - average);  // the plain average of the first hundred
      seen += 1;
    });
    const Real power = laplace_ ? Real(1) : Real(0.5);
    return power * ad::log(maximum(per_dimension, c.tape.constant(Shape{}, laplace_ ? kSmallest : kSmallest * kSmallest)));
  }

  static constexpr Real kSmallest = static_cast<Real>(kSmallestScale);
  bool laplace_;
  std::string scale_;
  Activation activation_;
  Index size_;
  double fixed_;
  Parameter* log_scale_ = nullptr;
  Parameter* running_error_ = nullptr;
  Parameter* updates_ = nullptr;
};

/// A logistic distribution cut into `bins` equal steps over [0, 1]; the outer two take the tails, so the probabilities
/// of the values 0, 1/(bins-1), ..., 1 sum to one. Location and log scale per dimension come from the decoder.
/// Salimans et al., "PixelCNN++", ICLR 2017, eq. (2), with one component.
class DiscretizedLogistic final : public Likelihood {
 public:
  DiscretizedLogistic(Index bins, Index size) : bins_(bins), size_(size) {}
  Index outputs() const override { return 2 * size_; }

  Var log_prob(const Context&, Var h, Var x) const override {
    const Real half = half_bin(), edge = half / 2;
    // With a and b the standardised upper and lower border: log(S(a) - S(b)) = -softplus(-a) - softplus(b) + log(1 - e^{b-a}).
    return map_sum_shared("discretized_logistic_log_prob",
                   [half, edge](auto raw, auto raw_scale, auto v) {
                     const auto r = exp(-log_scale(raw_scale)), d = v - sigmoid(raw);
                     const auto a = (d + half) * r, b = (d - half) * r;
                     const auto inside = -softplus(-a) - softplus(b) + log(-expm1(Real(-2) * half * r));
                     return select(v < decltype(v)(edge), -softplus(-a), select(v > decltype(v)(1 - edge), -softplus(b), inside));
                   },
                   location(h), raw_scale(h), x);
  }
  Var mean(Var h) const override { return sigmoid(location(h)); }
  Var sample(const Context& c, Var h) const override {
    const Var u = c.tape.node("noise", location(h).shape(), {});
    fill_uniform(c.key.fold("x"), u.value(), Real(1e-6), Real(1 - 1e-6));
    const Var x = map("logistic_sample", [](auto m, auto s, auto v) {
      return fmin(fmax(sigmoid(m) + exp(log_scale(s)) * (log(v) - log1p(-v)), decltype(v)(Real(0))), decltype(v)(Real(1)));
    }, location(h), raw_scale(h), u);
    const Real steps = static_cast<Real>(bins_ - 1);
    for (Real& v : x.value()) v = std::round(v * steps) / steps;
    return stop_gradient(x);
  }
  std::string describe() const override {
    return cat("discretised logistic with ", bins_, " bins, location and scale per dimension");
  }
  bool discrete() const override { return true; }
  bool binary() const override { return false; }

 private:
  /// The decoder's raw scale, kept in (-7, 1) smoothly: from a quarter of a bin of 256 to wider than the data.
  static constexpr auto log_scale = [](auto raw) { return Real(8) * sigmoid(raw) - Real(7); };
  Real half_bin() const { return Real(0.5) / static_cast<Real>(bins_ - 1); }
  Var location(Var h) const { return slice(h, 1, 0, size_); }
  Var raw_scale(Var h) const { return slice(h, 1, size_, 2 * size_); }

  Index bins_, size_;
};

}  // namespace

void LikelihoodConfig::visit(Fields& f) {
  const auto location_scale = [this](Fields& g) {
    g.choice("scale", scale, {"fixed", "learned", "optimal"},
             "fixed: sigma as given; learned: one trained number; optimal: the maximum-likelihood value of each batch");
    g("sigma", sigma, "the fixed scale, or where the learned one starts", at_least(kSmallestScale));
    g.choice("mean", mean, {"identity", "sigmoid", "tanh"}, "what makes the mean of the decoder's output");
  };
  f.one_of("likelihood", name,
           {{"bernoulli", "binary data, or grey values in [0, 1] as cross-entropy targets", [](Fields&) {}},
            {"gaussian", "real data with one sigma for all dimensions", location_scale},
            {"laplace", "real data with one scale for all dimensions; robust to outliers", location_scale},
            {"discretized_logistic", "data on equal steps in [0, 1], such as bytes / 255",
             [this](Fields& g) { g("bins", bins, "number of steps; null: as many as the data have levels, which is the only number that fits them", between(2, 65536)); }}},
           "p(x | z)");
}

std::unique_ptr<Likelihood> make_likelihood(const LikelihoodConfig& config, Index data_size, Parameters p) {
  if (config.name == "bernoulli") return std::make_unique<Bernoulli>(data_size);
  if (config.name == "discretized_logistic") return std::make_unique<DiscretizedLogistic>(config.bins.value_or(256), data_size);
  return std::make_unique<LocationScale>(config, data_size, p);
}

std::unique_ptr<Likelihood> make_likelihood(const LikelihoodConfig& config, Index data_size, const DataSpec& data, Parameters p) {
  LikelihoodConfig fitted = config;
  const bool on_steps = config.name == "discretized_logistic";
  if ((on_steps || config.name == "bernoulli") && !data.unit_interval)
    throw ConfigError(
        cat("model.likelihood: ", config.name, " needs data in [0, 1], these are real numbers; choose gaussian or laplace"));
  if (on_steps && data.levels == 0)
    throw ConfigError(cat("model.likelihood: discretized_logistic needs values on equal steps, such as bytes / 255, but ", data.name,
                          " has real numbers, which have no probability; choose gaussian or laplace"));
  if (on_steps && config.bins && *config.bins != data.levels)
    throw ConfigError(cat("model.likelihood.bins: ", *config.bins, ", but ", data.name, " has ", data.levels,
                          " levels; leave bins out, and they follow the data"));
  if (on_steps) fitted.bins = data.levels;
  return make_likelihood(fitted, data_size, p);
}

}  // namespace vaezoo
