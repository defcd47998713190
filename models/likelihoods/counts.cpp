// Counts: the Poisson and the negative binomial.
//   The latter with mean and dispersion as in Lopez et al., "Deep generative modeling for single-cell transcriptomics", Nature Methods 2018
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/shape_ops.hpp"
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

/// Mean m = e^h from the decoder and variance m + m^2 / t, with a learned t for each column: a Poisson whose rate is a Gamma of shape t.
class NegativeBinomial final : public Likelihood {
 public:
  NegativeBinomial(double dispersion, Index size, const Parameters& p)
      : size_(size), log_t_(p.add("log_dispersion", {size}, init::constant(static_cast<Real>(std::log(dispersion))))) {}
  Index outputs() const override { return size_; }
  Var log_prob(const Context& c, Var h, Var x, Var mask) const override {
    return sum_over_observed("negative_binomial_log_prob",
                             [](auto a, auto l, auto v) {  // log m, log t
                               const auto t = exp(l);
                               return lgamma(v + t) - lgamma(t) - lgamma(v + Real(1)) - t * softplus(a - l) - v * softplus(l - a);
                             },
                             x, mask, h, broadcast_to(c.tape.parameter(log_t_), h.shape()));
  }
  Var mean(Var h) const override { return exp(h); }
  Var sample(const Context& c, Var h) const override {
    const Var x = c.tape.node("negative_binomial", h.shape(), {});
    for (Index i = 0; i < x.size(); ++i) {
      const Key key = c.key.fold("x").fold(static_cast<std::uint64_t>(i));
      const double t = std::exp(double(log_t_.value()[static_cast<std::size_t>(i % size_)]));
      x.data()[i] = static_cast<Real>(poisson_number(gamma_number(t, key.fold("rate")) * std::exp(double(h.data()[i])) / t, key.fold("count")));
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

}  // namespace

VAEZOO_PART(Likelihood, poisson, PoissonSettings, "counts")
VAEZOO_PART(Likelihood, negative_binomial, NegativeBinomialSettings, "counts that vary more than Poisson's")
