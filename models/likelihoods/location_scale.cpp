// Gaussian and Laplace.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/linalg.hpp"
#include "autodiff/map.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/likelihoods/likelihood.hpp"
#include "models/likelihoods/observed.hpp"
#include "models/model.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

constexpr double kSmallestScale = 1e-6;  // a perfect reconstruction would have an infinite density

struct LocationScaleSettings {
  std::string scale = "fixed";
  double sigma = 1;
  std::string mean = "identity";

  void fields(Fields& f) {
    f.choice("scale", scale, {"fixed", "learned", "optimal"},
             "fixed: sigma as given; learned: one trained number; optimal: the maximum-likelihood value of each batch");
    f("sigma", sigma, "the fixed scale, or where the learned one starts", at_least(kSmallestScale));
    f.choice("mean", mean, {"identity", "sigmoid", "tanh"}, "activation that maps the decoder's output to the mean");
  }
  void check(const DataSpec& data) const {
    if (mean == "sigmoid" && !data.unit_interval)
      throw ConfigError(cat("model.likelihood.mean: sigmoid gives means in [0, 1], but ", data.name, " has other numbers; choose identity"));
  }
};

/// A number for people: four significant digits.
std::string short_text(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 4).ptr};
}

/// What Gaussian and Laplace share: a location from the decoder and one scale for all dimensions. With e the error of
/// one example (sum of squares, or of absolute values) the density needs only e:
///   Gaussian  log p = -e / (2 s^2) - D (log s + log(2 pi) / 2)        Laplace  log p = -e / s - D (log s + log 2)
/// The scale is fixed, learned (one trained number) or optimal: the maximum-likelihood value given the error, s^2 = E[e] / D
/// or s = E[e] / D (Rybkin, Daniilidis, Levine, "Simple and effective VAE training with calibrated decoders", ICML 2021).
/// In training that is the batch's own; evaluation uses the running average over training, so test data are not looked at.
class LocationScale final : public Likelihood {
 public:
  LocationScale(const LocationScaleSettings& config, bool laplace, Index size, Parameters p)
      : laplace_(laplace), scale_(config.scale), activation_(activation_from_name(config.mean)), size_(size),
        fixed_(config.sigma) {
    const Real start = static_cast<Real>(std::log(config.sigma));
    if (scale_ == "learned") log_scale_ = &p.add("log_scale", Shape{}, init::constant(start));
    if (scale_ == "optimal") {
      running_error_ = &p.add_buffer("mean_error", Shape{}, laplace_ ? fixed_real() : fixed_real() * fixed_real());
      updates_ = &p.add_buffer("updates", Shape{}, 0);
    }
  }
  Index outputs() const override { return size_; }

  Var log_prob(const Context& c, Var h, Var x, Var mask) const override {
    const Var m = mean(h);
    const Var error = laplace_ ? sum_over_observed("absolute_error", [](auto a, auto v) { return abs(v - a); }, x, mask, m)
                               : sum_over_observed("squared_error", [](auto a, auto v) { return square(v - a); }, x, mask, m);  // [B]
    const Index rows = error.shape()[0];
    const Var numbers = mask ? repeat_rows(sum(mask, 1), rows / mask.shape()[0]) : c.tape.constant({rows}, static_cast<Real>(size_));
    const Var log_s = broadcast_to(log_scale(c, mask ? sum(error) / sum(numbers) : ad::mean(error) / static_cast<Real>(size_)), {rows});
    if (laplace_)
      return map("laplace_log_prob", [](auto e, auto l, auto d) { return -e * exp(-l) - d * (l + Real(0.69314718055994530942)); }, error,
                 log_s, numbers);
    return map("gaussian_log_prob",
               [](auto e, auto l, auto d) { return Real(-0.5) * e * exp(Real(-2) * l) - d * (l + Real(0.91893853320467274178)); }, error,
               log_s, numbers);
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
  /// Of the error per number of the batch, a scalar.
  Var log_scale(const Context& c, Var error) const {
    if (scale_ == "learned") return c.tape.parameter(*log_scale_);
    if (scale_ == "fixed" || !c.training) return c.tape.constant(Shape{}, std::log(std::max(scale(), kSmallest)));
    c.tape.after_step([this, error = error.item()] {
      Real &seen = updates_->value()[0], &average = running_error_->value()[0];
      average += std::max(Real(0.01), 1 / (seen + 1)) * (error - average);  // the plain average of the first hundred
      seen += 1;
    });
    const Real power = laplace_ ? Real(1) : Real(0.5);
    return power * ad::log(maximum(error, c.tape.constant(Shape{}, laplace_ ? kSmallest : kSmallest * kSmallest)));
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

struct GaussianSettings : LocationScaleSettings {
  std::unique_ptr<Likelihood> build(const LikelihoodArgs& args) const {
    check(args.data);
    return std::make_unique<LocationScale>(*this, false, args.size, args.p);
  }
};

struct LaplaceSettings : LocationScaleSettings {
  std::unique_ptr<Likelihood> build(const LikelihoodArgs& args) const {
    check(args.data);
    return std::make_unique<LocationScale>(*this, true, args.size, args.p);
  }
};

}  // namespace

VAEZOO_PART(Likelihood, gaussian, GaussianSettings, "real data with one sigma for all dimensions")
VAEZOO_PART(Likelihood, laplace, LaplaceSettings, "real data with one scale for all dimensions; robust to outliers")
