// Student's t and the hyperbolic secant: real data with outliers.
#include <array>
#include <cmath>
#include <numbers>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/likelihoods/likelihood.hpp"
#include "models/likelihoods/observed.hpp"
#include "models/model.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

/// p(x) = f((x - m) / s) / s with a location m from the decoder and one scale s for all dimensions, fixed or learned.
class ScaledLocation : public Likelihood {
 public:
  ScaledLocation(double sigma, bool learned, Index size, const Parameters& p)
      : size_(size), log_sigma_(static_cast<Real>(std::log(sigma))),
        parameter_(learned ? &p.add("log_scale", Shape{}, init::constant(log_sigma_)) : nullptr) {}

  Index outputs() const override { return size_; }
  Var log_prob(const Context& c, Var h, Var x, Var mask) const override {
    const Var log_s = parameter_ != nullptr ? c.tape.parameter(*parameter_) : c.tape.constant(Shape{}, log_sigma_), per_s = exp(-log_s);
    const Var sum_log_f = log_f(x * per_s, mask, h * per_s);
    const Index rows = sum_log_f.shape()[0];
    const Var numbers = mask ? repeat_rows(sum(mask, 1), rows / mask.shape()[0]) : c.tape.constant({rows}, static_cast<Real>(size_));
    return sum_log_f - numbers * log_s;
  }
  Var mean(Var h) const override { return h; }
  Var sample(const Context& c, Var h) const override {
    const Var noise = c.tape.node("noise", h.shape(), {});
    fill(c.key.fold("x"), noise.value());
    return h + scale() * noise;
  }
  bool discrete() const override { return false; }
  bool binary() const override { return false; }

 protected:
  Real scale() const { return std::exp(parameter_ != nullptr ? parameter_->value()[0] : log_sigma_); }
  std::string scale_text() const { return cat("scale ", scale(), parameter_ != nullptr ? " (learned)" : " (fixed)"); }

 private:
  /// sum_d log f(x_d - m_d) over the observed dimensions, [N].
  virtual Var log_f(Var x, Var mask, Var m) const = 0;
  virtual void fill(Key key, std::span<Real> out) const = 0;  ///< draws from f

  Index size_;
  Real log_sigma_;
  Parameter* parameter_;
};

/// f(u) = Gamma((n + 1) / 2) / (Gamma(n / 2) sqrt(pi n)) (1 + u^2 / n)^(-(n + 1) / 2), n degrees of freedom.
class StudentT final : public ScaledLocation {
 public:
  StudentT(double degrees, double sigma, bool learned, Index size, const Parameters& p) : ScaledLocation(sigma, learned, size, p), degrees_(degrees) {}
  std::string describe() const override { return cat("Student's t with ", degrees_, " degrees of freedom, ", scale_text()); }

 private:
  Var log_f(Var x, Var mask, Var m) const override {
    const Real constant = static_cast<Real>(std::lgamma((degrees_ + 1) / 2) - std::lgamma(degrees_ / 2) - 0.5 * std::log(std::numbers::pi * degrees_));
    const Real half = static_cast<Real>((degrees_ + 1) / 2), per_n = static_cast<Real>(1 / degrees_);
    return sum_over_observed("student_t_log_prob", [=](auto a, auto v) { return constant - half * log1p((v - a) * (v - a) * per_n); }, x, mask, m);
  }
  void fill(Key key, std::span<Real> out) const override {  // Bailey 1994: polar, for any degrees of freedom
    for (std::size_t i = 0; i < out.size(); ++i) {
      const Key of_one = key.fold(static_cast<std::uint64_t>(i));
      for (std::uint64_t attempt = 0;; ++attempt) {
        std::array<Real, 2> uv{};
        fill_uniform(of_one.fold(attempt), uv, -1, 1);
        const double u = double(uv[0]), v = double(uv[1]), w = u * u + v * v;
        if (w >= 1 || w == 0) continue;
        out[i] = static_cast<Real>(u * std::sqrt(degrees_ * (std::pow(w, -2 / degrees_) - 1) / w));
        break;
      }
    }
  }

  double degrees_;
};

/// f(u) = 1 / (pi cosh u): the density whose negative logarithm is the log-cosh loss.
///   Chen, Luo, Ge & Dhillon, "Log Hyperbolic Cosine Loss Improves Variational Auto-Encoder", 2018
class LogCosh final : public ScaledLocation {
 public:
  using ScaledLocation::ScaledLocation;
  std::string describe() const override { return cat("hyperbolic secant (log-cosh), ", scale_text()); }

 private:
  Var log_f(Var x, Var mask, Var m) const override {  // log cosh u = |u| + log(1 + e^(-2 |u|)) - log 2
    return sum_over_observed("log_cosh", [](auto a, auto v) {
      const auto u = abs(v - a);
      return Real(-0.45158270528945486) - u - softplus(Real(-2) * u);  // log(2 / pi)
    }, x, mask, m);
  }
  void fill(Key key, std::span<Real> out) const override {  // the inverse of F(u) = 2 / pi atan(e^u)
    fill_uniform(key, out, Real(1e-7), Real(1 - 1e-7));
    for (Real& u : out) u = static_cast<Real>(std::log(std::tan(std::numbers::pi / 2 * double(u))));
  }
};

struct ScaleSettings {
  std::string scale = "learned";
  double sigma = 1;

  void fields(Fields& f) {
    f.choice("scale", scale, {"learned", "fixed"}, "learned: one trained number; fixed: sigma as given");
    f("sigma", sigma, "the fixed scale, or where the learned one starts", at_least(1e-6));
  }
};

struct StudentTSettings : ScaleSettings {
  double degrees = 4;

  void fields(Fields& f) {
    f("degrees", degrees, "degrees of freedom; 1: Cauchy, many: Gaussian", more_than(0));
    ScaleSettings::fields(f);
  }
  std::unique_ptr<Likelihood> build(const LikelihoodArgs& args) const {
    return std::make_unique<StudentT>(degrees, sigma, scale == "learned", args.size, args.p);
  }
};

struct LogCoshSettings : ScaleSettings {
  std::unique_ptr<Likelihood> build(const LikelihoodArgs& args) const { return std::make_unique<LogCosh>(sigma, scale == "learned", args.size, args.p); }
};

}  // namespace

VAEZOO_PART(Likelihood, student_t, StudentTSettings, "real data with outliers: Student's t with one scale for all dimensions")
VAEZOO_PART(Likelihood, log_cosh, LogCoshSettings, "real data with outliers: the density of the log-cosh loss")
