// q(z | x) of positive numbers, of numbers in (0, 1), or of probabilities: the encoder gives the logarithms, nearly, of the
// parameters.
//   Figurnov, Mohamed & Mnih, "Implicit Reparameterization Gradients", NeurIPS 2018
#include "models/distributions/gamma.hpp"

#include "autodiff/elementwise.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/posteriors/posterior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

/// A parameter above 0.01: nearer to 0 the law is a spike and its KL grows without bound.
Var positive(Var h) { return softplus(h) + Real(0.01); }

class GammaLaws : public Posterior {
 public:
  explicit GammaLaws(const PosteriorArgs& args) : latent_dim_(args.latent_dim) {}
  bool smooth_draws() const final { return false; }  // gammas are drawn by rejection

 protected:
  Index latent_dim() const { return latent_dim_; }

 private:
  Index latent_dim_;
};

class GammaPosterior final : public GammaLaws {
 public:
  using GammaLaws::GammaLaws;
  Index inputs() const override { return 2 * latent_dim(); }
  const Distribution& operator()(const Context& c, Var h) const override {
    return on_tape(c.tape, Gamma(positive(chunk(h, 2, 0)), positive(chunk(h, 2, 1))));
  }
  const std::type_info& distribution() const override { return typeid(Gamma); }
  Support support() const override { return Support::positive; }
  std::string describe() const override { return "posterior: independent gammas"; }
};

class BetaPosterior final : public GammaLaws {
 public:
  using GammaLaws::GammaLaws;
  Index inputs() const override { return 2 * latent_dim(); }
  const Distribution& operator()(const Context& c, Var h) const override {
    return on_tape(c.tape, Beta(positive(chunk(h, 2, 0)), positive(chunk(h, 2, 1))));
  }
  const std::type_info& distribution() const override { return typeid(Beta); }
  Support support() const override { return Support::unit_interval; }
  std::string describe() const override { return "posterior: independent betas"; }
};

class DirichletPosterior final : public GammaLaws {
 public:
  using GammaLaws::GammaLaws;
  Index inputs() const override { return latent_dim(); }
  const Distribution& operator()(const Context& c, Var h) const override { return on_tape(c.tape, Dirichlet(positive(h))); }
  const std::type_info& distribution() const override { return typeid(Dirichlet); }
  Support support() const override { return Support::simplex; }
  std::string describe() const override { return "posterior: Dirichlet"; }
};

template <class P>
struct NoSettings {
  void fields(Fields&) {}
  std::unique_ptr<Posterior> build(const PosteriorArgs& args) const { return std::make_unique<P>(args); }
};

}  // namespace

VAEZOO_PART(Posterior, gamma, NoSettings<GammaPosterior>, "independent gammas, of positive numbers; its prior is gamma")
VAEZOO_PART(Posterior, beta, NoSettings<BetaPosterior>, "independent betas, of numbers in (0, 1); its prior is uniform")
VAEZOO_PART(Posterior, dirichlet, NoSettings<DirichletPosterior>,
            "Dirichlet, of probabilities that add up to 1; its prior is dirichlet")
