// The wrapped normal about the centre of the Poincare ball.
//   Mathieu, Le Lan, Maddison, Tomioka & Teh, "Continuous Hierarchical Representations with Poincare Variational Auto-Encoders",
//   NeurIPS 2019
#include "models/distributions/poincare.hpp"

#include <cmath>

#include "models/priors/prior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct PoincareSettings {
  double scale = 1;

  void fields(Fields& f) {
    f("scale", scale, "standard deviation of the normal that is wrapped; distances from the centre grow with it", more_than(0));
  }
  std::unique_ptr<Prior> build(const PriorArgs& args) const;
};

class PoincarePrior final : public Prior {
 public:
  PoincarePrior(const PriorArgs& args, double scale)
      : latent_dim_(args.latent_dim), curvature_(static_cast<Real>(args.curvature)), scale_(scale) {}
  const Distribution& operator()(const Context& c, Index rows) const override {
    return on_tape(c.tape, WrappedNormal(c.tape.constant({rows, latent_dim_}, Real(0)),
                                         c.tape.constant({rows, latent_dim_}, static_cast<Real>(std::log(scale_))), curvature_));
  }
  const std::type_info& distribution() const override { return typeid(WrappedNormal); }
  Support support() const override { return Support::ball; }
  std::string describe() const override { return cat("prior: wrapped normal of scale ", scale_, " about the centre"); }

 private:
  Index latent_dim_;
  Real curvature_;
  double scale_;
};

std::unique_ptr<Prior> PoincareSettings::build(const PriorArgs& args) const {
  return std::make_unique<PoincarePrior>(args, scale);
}

}  // namespace

VAEZOO_PART(Prior, poincare, PoincareSettings,
            "wrapped normal about the centre of the Poincare ball, whose curvature is the posterior's")
