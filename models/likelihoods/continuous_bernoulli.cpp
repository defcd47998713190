// The density on [0, 1] whose logarithm is linear in x: the Bernoulli's cross-entropy with the constant that makes it one.
//   Loaiza-Ganem & Cunningham, "The continuous Bernoulli: fixing a pervasive error in variational autoencoders", NeurIPS 2019, eq. (6)
#include "autodiff/elementwise.hpp"
#include "models/likelihoods/likelihood.hpp"
#include "models/likelihoods/observed.hpp"
#include "models/model.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

/// log C(a) = log(a / tanh(a / 2)) of the logit a: even and smooth, by its series near 0.
constexpr auto log_constant = [](auto a) {
  using T = decltype(a);
  const T s = a * a;
  const T series = T(Real(0.6931471805599453)) +
                   s * (T(Real(1.0 / 12)) + s * (T(Real(-7.0 / 1440)) + s * (T(Real(31.0 / 90720)) + s * (T(Real(-127.0 / 4838400)) +
                   s * (T(Real(73.0 / 34214400)) + s * (T(Real(-1.8027895356488832e-7)) + s * T(Real(1.565947953183403e-8))))))));
  const T size = fmax(abs(a), T(Real(0.5)));  // not used below
  return select(abs(a) < T(Real(0.5)), series, log(size) - log(tanh(T(Real(0.5)) * size)));
};

/// E[x] = 1 / (1 - e^-a) - 1 / a.
constexpr auto mean_of = [](auto a) {
  using T = decltype(a);
  const T s = a * a;
  const T series = T(Real(0.5)) + a * (T(Real(1.0 / 12)) + s * (T(Real(-1.0 / 720)) + s * (T(Real(1.0 / 30240)) - s * T(Real(1.0 / 1209600)))));
  const T far = select(abs(a) < T(Real(0.5)), T(Real(0.5)), a);
  return select(abs(a) < T(Real(0.5)), series, T(Real(1)) / (T(Real(0)) - expm1(T(Real(0)) - far)) - T(Real(1)) / far);
};

class ContinuousBernoulli final : public Likelihood {
 public:
  explicit ContinuousBernoulli(Index size) : size_(size) {}
  Index outputs() const override { return size_; }
  Var log_prob(const Context&, Var h, Var x, Var mask) const override {
    return sum_over_observed("continuous_bernoulli_log_prob", [](auto a, auto v) { return a * v - softplus(a) + log_constant(a); }, x, mask, h);
  }
  Var mean(Var h) const override { return map("continuous_bernoulli_mean", mean_of, h); }
  Var sample(const Context& c, Var h) const override {  // the inverse of F(x) = (e^(a x) - 1) / (e^a - 1), written so that nothing overflows
    const Var u = c.tape.node("uniform", h.shape(), {});
    fill_uniform(c.key.fold("x"), u.value());
    return map("continuous_bernoulli_sample", [](auto a, auto v) {
      using T = decltype(a);
      const T one = T(Real(1)), size = fmax(abs(a), T(Real(1e-3)));
      const T q = select(a > T(Real(0)), one - v, v);  // of -|a|, whose x is 1 - x of |a|
      const T x = (T(Real(0)) - log1p(q * expm1(T(Real(0)) - size))) / size;
      const T near = v + T(Real(0.5)) * a * v * (one - v);
      return select(abs(a) < T(Real(1e-3)), near, select(a > T(Real(0)), one - x, x));
    }, h, u);
  }
  std::string describe() const override { return "continuous Bernoulli on logits"; }
  bool discrete() const override { return false; }
  bool binary() const override { return false; }

 private:
  Index size_;
};

struct ContinuousBernoulliSettings {
  void fields(Fields&) {}
  std::unique_ptr<Likelihood> build(const LikelihoodArgs& args) const {
    require_unit_interval("continuous_bernoulli", args.data);
    return std::make_unique<ContinuousBernoulli>(args.size);
  }
};

}  // namespace

VAEZOO_PART(Likelihood, continuous_bernoulli, ContinuousBernoulliSettings, "real data in [0, 1]: the Bernoulli's cross-entropy as a density")
