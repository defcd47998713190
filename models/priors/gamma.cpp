// Priors for codes that are positive, in (0, 1), or probabilities: the same law of every dimension, or a symmetric Dirichlet.
#include "models/distributions/gamma.hpp"

#include "models/priors/prior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct GammaSettings {
  double shape = 2, rate = 1;

  void fields(Fields& f) {
    f("shape", shape, "the mean is shape / rate", more_than(0));
    f("rate", rate, "the variance is shape / rate^2", more_than(0));
  }
  std::unique_ptr<Prior> build(const PriorArgs& args) const;
};

class GammaPrior final : public Prior {
 public:
  GammaPrior(Index latent_dim, const GammaSettings& settings) : latent_dim_(latent_dim), settings_(settings) {}
  const Distribution& operator()(const Context& c, Index rows) const override {
    return on_tape(c.tape, Gamma(c.tape.constant({rows, latent_dim_}, static_cast<Real>(settings_.shape)),
                                 c.tape.constant({rows, latent_dim_}, static_cast<Real>(settings_.rate))));
  }
  const std::type_info& distribution() const override { return typeid(Gamma); }
  Support support() const override { return Support::positive; }
  std::string describe() const override { return cat("prior: gammas of shape ", settings_.shape, " and rate ", settings_.rate); }

 private:
  Index latent_dim_;
  GammaSettings settings_;
};

std::unique_ptr<Prior> GammaSettings::build(const PriorArgs& args) const {
  return std::make_unique<GammaPrior>(args.latent_dim, *this);
}

class UniformPrior final : public Prior {
 public:
  explicit UniformPrior(Index latent_dim) : latent_dim_(latent_dim) {}
  const Distribution& operator()(const Context& c, Index rows) const override {
    const Var one = c.tape.constant({rows, latent_dim_}, Real(1));
    return on_tape(c.tape, Beta(one, one));
  }
  const std::type_info& distribution() const override { return typeid(Beta); }
  Support support() const override { return Support::unit_interval; }
  std::string describe() const override { return "prior: uniform on (0, 1)"; }

 private:
  Index latent_dim_;
};

struct UniformSettings {
  void fields(Fields&) {}
  std::unique_ptr<Prior> build(const PriorArgs& args) const { return std::make_unique<UniformPrior>(args.latent_dim); }
};

class DirichletPrior final : public Prior {
 public:
  DirichletPrior(Index latent_dim, double concentration) : latent_dim_(latent_dim), concentration_(concentration) {}
  const Distribution& operator()(const Context& c, Index rows) const override {
    return on_tape(c.tape, Dirichlet(c.tape.constant({rows, latent_dim_}, static_cast<Real>(concentration_))));
  }
  const std::type_info& distribution() const override { return typeid(Dirichlet); }
  Support support() const override { return Support::simplex; }
  std::string describe() const override { return cat("prior: symmetric Dirichlet of concentration ", concentration_); }

 private:
  Index latent_dim_;
  double concentration_;
};

struct DirichletSettings {
  double concentration = 1;

  void fields(Fields& f) {
    f("concentration", concentration, "of each class; below 1 a row has few large probabilities", more_than(0));
  }
  std::unique_ptr<Prior> build(const PriorArgs& args) const {
    return std::make_unique<DirichletPrior>(args.latent_dim, concentration);
  }
};

}  // namespace

VAEZOO_PART(Prior, gamma, GammaSettings, "independent gammas, for posterior gamma; the KL in closed form")
VAEZOO_PART(Prior, uniform, UniformSettings, "uniform on (0, 1), for posterior beta; the KL in closed form")
VAEZOO_PART(Prior, dirichlet, DirichletSettings, "symmetric Dirichlet, for posterior dirichlet; the KL in closed form")
