// Counts: the Poisson, the negative binomial, with more zeros or without, and the multinomial.
//   The negative binomial with mean and dispersion as in Lopez et al., "Deep generative modeling for single-cell transcriptomics", Nature Methods 2018
//   The multinomial: Liang, Krishnan, Hoffman & Jebara, "Variational Autoencoders for Collaborative Filtering", WWW 2018, eq. (2)
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/distributions/categorical.hpp"
#include "models/distributions/samplers.hpp"
#include "models/likelihoods/likelihood.hpp"
#include "models/likelihoods/observed.hpp"
#include "models/model.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

void require_counts(const char* name, const DataSpec& data) {
  if (!data.counts)
    throw ConfigError(cat("model.likelihood: ", name, " needs counts, whole numbers from 0 on, but ", data.name,
                          " has other numbers; leave standardize out, or choose another likelihood"));
}

class Poisson final : public Likelihood {
 public:
  explicit Poisson(Index size) : size_(size) {}
  Index outputs() const override { return size_; }
  Var log_prob(const Context&, Var h, Var x, Var mask) const override {  // of the log rate h
    return sum_over_observed("poisson_log_prob", [](auto a, auto v) { return v * a - exp(a) - lgamma(v + Real(1)); }, x, mask, h);
  }
  Var mean(Var h) const override { return exp(h); }
  Var sample(const Context& c, Var h) const override {
    const Var x = c.tape.node("poisson", h.shape(), {});
    for (Index i = 0; i < x.size(); ++i)
      x.data()[i] = static_cast<Real>(poisson_number(std::exp(double(h.data()[i])), c.key.fold("x").fold(static_cast<std::uint64_t>(i))));
    return x;
  }
  std::string describe() const override { return "Poisson on log rates"; }
  bool discrete() const override { return false; }
  bool binary() const override { return false; }

 private:
  Index size_;
};

/// log p(v) of the negative binomial with mean e^a and dispersion e^l.
constexpr auto negative_binomial = [](auto a, auto l, auto v) {
  const auto t = exp(l);
  return lgamma(v + t) - lgamma(t) - lgamma(v + Real(1)) - t * softplus(a - l) - v * softplus(l - a);
};

/// One draw: a Poisson's whose rate is drawn from a gamma.
double negative_binomial_number(double mean, double t, Key key) {
  return poisson_number(gamma_number(t, key.fold("rate")) * mean / t, key.fold("count"));
}

/// Mean m = e^h from the decoder and variance m + m^2 / t, with a learned t for each column: a Poisson whose rate is a Gamma of shape t.
class NegativeBinomial final : public Likelihood {
 public:
  NegativeBinomial(double dispersion, Index size, const Parameters& p)
      : size_(size), log_t_(p.add("log_dispersion", {size}, init::constant(static_cast<Real>(std::log(dispersion))))) {}
  Index outputs() const override { return size_; }
  Var log_prob(const Context& c, Var h, Var x, Var mask) const override {
    return sum_over_observed("negative_binomial_log_prob", negative_binomial, x, mask, h,
                             broadcast_to(c.tape.parameter(log_t_), h.shape()));
  }
  Var mean(Var h) const override { return exp(h); }
  Var sample(const Context& c, Var h) const override {
    const Var x = c.tape.node("negative_binomial", h.shape(), {});
    for (Index i = 0; i < x.size(); ++i) {
      const Key key = c.key.fold("x").fold(static_cast<std::uint64_t>(i));
      const double t = std::exp(double(log_t_.value()[static_cast<std::size_t>(i % size_)]));
      x.data()[i] = static_cast<Real>(negative_binomial_number(std::exp(double(h.data()[i])), t, key));
    }
    return x;
  }
  std::string describe() const override { return "negative binomial on log means, a dispersion for each column"; }
  bool discrete() const override { return false; }
  bool binary() const override { return false; }

 private:
  Index size_;
  Parameter& log_t_;
};

/// A negative binomial that is put to 0 with a probability of its own, whose logit the decoder gives after the log means.
class ZeroInflatedNegativeBinomial final : public Likelihood {
 public:
  ZeroInflatedNegativeBinomial(double dispersion, Index size, const Parameters& p)
      : size_(size), log_t_(p.add("log_dispersion", {size}, init::constant(static_cast<Real>(std::log(dispersion))))) {}
  Index outputs() const override { return 2 * size_; }
  Var log_prob(const Context& c, Var h, Var x, Var mask) const override {
    const Var a = chunk(h, 2, 0);
    return sum_over_observed("zero_inflated_negative_binomial_log_prob",
                             [](auto log_m, auto d, auto l, auto v) {  // with sigmoid(d) the probability of the other zeros
                               const auto p = negative_binomial(log_m, l, v);
                               return select(v == decltype(v)(Real(0)), softplus(p - d) - softplus(-d), p - softplus(d));
                             },
                             x, mask, a, chunk(h, 2, 1), broadcast_to(c.tape.parameter(log_t_), a.shape()));
  }
  Var mean(Var h) const override { return exp(chunk(h, 2, 0)) * sigmoid(-chunk(h, 2, 1)); }
  Var sample(const Context& c, Var h) const override {
    const Index rows = h.shape()[0];
    const Var x = c.tape.node("zero_inflated_negative_binomial", {rows, size_}, {});
    for (Index i = 0; i < x.size(); ++i) {
      const Key key = c.key.fold("x").fold(static_cast<std::uint64_t>(i));
      const Real* const row = h.data() + i / size_ * 2 * size_ + i % size_;
      const double t = std::exp(double(log_t_.value()[static_cast<std::size_t>(i % size_)]));
      const bool zero = uniform_number(key.fold("zero")) < 1 / (1 + std::exp(-double(row[size_])));
      x.data()[i] = zero ? Real(0) : static_cast<Real>(negative_binomial_number(std::exp(double(*row)), t, key));
    }
    return x;
  }
  std::string describe() const override { return "zero-inflated negative binomial, a dispersion for each column"; }
  bool discrete() const override { return false; }
  bool binary() const override { return false; }

 private:
  Index size_;
  Parameter& log_t_;
};

/// How the n = sum x counts of an example fall on its columns; n is given. The columns' shares are the softmax of the decoder's numbers.
class Multinomial final : public Likelihood {
 public:
  explicit Multinomial(Index size) : size_(size) {}
  Index outputs() const override { return size_; }
  Var log_prob(const Context& c, Var h, Var x, Var mask) const override {
    const Index each = h.shape()[0] / x.shape()[0];
    if (mask) h = h + repeat_rows(Real(1e9) * (mask - Real(1)), each);  // shares among the columns that were observed
    const Var log_share = h - broadcast_to(logsumexp(h, 1, true), h.shape());
    const Var ways = c.tape.node("multinomial_coefficient", {x.shape()[0]}, {});
    for (Index i = 0; i < ways.size(); ++i) {
      double n = 0, repeats = 0;
      for (Index d = 0; d < size_; ++d) {
        const double v = double(x.data()[i * size_ + d]);
        n += v;
        repeats += std::lgamma(v + 1);
      }
      ways.data()[i] = static_cast<Real>(std::lgamma(n + 1) - repeats);
    }
    return sum(map("counted", [](auto v, auto l) { return select(v == decltype(v)(Real(0)), decltype(l)(Real(0)), v * l); },
                   repeat_rows(x, each), log_share), 1) + repeat_rows(ways, each);
  }
  /// The shares: the number of counts is not the model's.
  Var mean(Var h) const override { return softmax(h); }
  /// One count.
  Var sample(const Context& c, Var h) const override { return one_hot(c.tape, draw_classes(h, c.key.fold("x")), size_); }
  std::string describe() const override { return "multinomial, given the number of counts"; }
  bool discrete() const override { return false; }
  bool binary() const override { return false; }

 private:
  Index size_;
};

struct PoissonSettings {
  void fields(Fields&) {}
  std::unique_ptr<Likelihood> build(const LikelihoodArgs& args) const {
    require_counts("poisson", args.data);
    return std::make_unique<Poisson>(args.size);
  }
};

struct NegativeBinomialSettings {
  double dispersion = 1;

  void fields(Fields& f) { f("dispersion", dispersion, "where the learned t starts: the variance is m + m^2 / t of the mean m", more_than(0)); }
  std::unique_ptr<Likelihood> build(const LikelihoodArgs& args) const {
    require_counts("negative_binomial", args.data);
    return std::make_unique<NegativeBinomial>(dispersion, args.size, args.p);
  }
};

struct ZeroInflatedSettings : NegativeBinomialSettings {
  std::unique_ptr<Likelihood> build(const LikelihoodArgs& args) const {
    require_counts("zero_inflated_negative_binomial", args.data);
    return std::make_unique<ZeroInflatedNegativeBinomial>(dispersion, args.size, args.p);
  }
};

struct MultinomialSettings {
  void fields(Fields&) {}
  std::unique_ptr<Likelihood> build(const LikelihoodArgs& args) const {
    require_counts("multinomial", args.data);
    return std::make_unique<Multinomial>(args.size);
  }
};

}  // namespace

VAEZOO_PART(Likelihood, poisson, PoissonSettings, "counts")
VAEZOO_PART(Likelihood, negative_binomial, NegativeBinomialSettings, "counts that vary more than Poisson's")
VAEZOO_PART(Likelihood, zero_inflated_negative_binomial, ZeroInflatedSettings, "the same with zeros of another origin")
VAEZOO_PART(Likelihood, multinomial, MultinomialSettings, "how an example's counts fall on the columns, their number given (Liang et al. 2018)")
