// q(z | x) = vMF(direction, kappa) on the unit sphere.
//   Davidson, Falorsi, De Cao, Kipf & Tomczak, "Hyperspherical Variational Auto-Encoders", UAI 2018
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/distributions/sphere.hpp"
#include "models/posteriors/posterior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

class VonMisesFisherPosterior final : public Posterior {
 public:
  explicit VonMisesFisherPosterior(Index latent_dim) : latent_dim_(latent_dim) {}
  Index inputs() const override { return latent_dim_ + 1; }
  const Distribution& operator()(const Context& c, Var h) const override {
    const Var direction = slice(h, 1, 0, latent_dim_), kappa = squeeze(slice(h, 1, latent_dim_, latent_dim_ + 1), 1);
    const Var length = sqrt(sum(square(direction), 1, true) + Real(1e-12));
    return on_tape(c.tape, VonMisesFisher(direction / length, softplus(kappa) + Real(1)));  // kappa > 1, as in the paper's code
  }
  const std::type_info& distribution() const override { return typeid(VonMisesFisher); }
  bool on_sphere() const override { return true; }
  bool smooth_draws() const override { return false; }
  std::string describe() const override { return "posterior: von Mises-Fisher on the unit sphere"; }

 private:
  Index latent_dim_;
};

struct VonMisesFisherSettings {
  void fields(Fields&) {}
  std::unique_ptr<Posterior> build(const PosteriorArgs& args) const {
    if (args.latent_dim < 2) throw ConfigError("model.latent_dim: 1, and the sphere of posterior von_mises_fisher needs 2 dimensions or more");
    return std::make_unique<VonMisesFisherPosterior>(args.latent_dim);
  }
};

}  // namespace

VAEZOO_PART(Posterior, von_mises_fisher, VonMisesFisherSettings,
            "von Mises-Fisher on the unit sphere of latent_dim dimensions; its prior is sphere (Davidson et al., UAI 2018)")
