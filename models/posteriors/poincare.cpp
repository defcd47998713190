// q(z | x) in the Poincare ball: a wrapped normal, whose mean is where the encoder's numbers lead from the centre.
//   Mathieu, Le Lan, Maddison, Tomioka & Teh, "Continuous Hierarchical Representations with Poincare Variational Auto-Encoders",
//   NeurIPS 2019
#include "models/distributions/poincare.hpp"

#include "autodiff/elementwise.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/posteriors/posterior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct PoincareSettings {
  double curvature = 1;

  void fields(Fields& f) { f("curvature", curvature, "c of the ball |z| < 1 / sqrt c; that of the prior too", more_than(0)); }
  std::unique_ptr<Posterior> build(const PosteriorArgs& args) const;
};

class PoincarePosterior final : public Posterior {
 public:
  PoincarePosterior(Index latent_dim, double curvature) : latent_dim_(latent_dim), curvature_(static_cast<Real>(curvature)) {}
  Index inputs() const override { return 2 * latent_dim_; }
  const Distribution& operator()(const Context& c, Var h) const override {
    return on_tape(c.tape, WrappedNormal(exp_from_centre(chunk(h, 2, 0), curvature_), log(softplus(chunk(h, 2, 1)) + Real(1e-5)),
                                         curvature_));
  }
  const std::type_info& distribution() const override { return typeid(WrappedNormal); }
  Support support() const override { return Support::ball; }
  double curvature() const override { return double(curvature_); }
  std::string describe() const override {
    return cat("posterior: wrapped normal in the Poincare ball of curvature -", curvature_);
  }

 private:
  Index latent_dim_;
  Real curvature_;
};

std::unique_ptr<Posterior> PoincareSettings::build(const PosteriorArgs& args) const {
  return std::make_unique<PoincarePosterior>(args.latent_dim, curvature);
}

}  // namespace

VAEZOO_PART(Posterior, poincare, PoincareSettings,
            "wrapped normal in the Poincare ball; its prior is poincare (Mathieu et al., NeurIPS 2019)")
