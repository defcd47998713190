// q(z | x) on the unit sphere, of a direction and a concentration.
//   von_mises_fisher: Davidson, Falorsi, De Cao, Kipf & Tomczak, "Hyperspherical Variational Auto-Encoders", UAI 2018
//   power_spherical:  De Cao & Aziz, "The Power Spherical distribution", 2020
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/distributions/sphere.hpp"
#include "models/posteriors/posterior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

template <class Law>
class OnSphere final : public Posterior {
 public:
  OnSphere(Index latent_dim, const char* name) : latent_dim_(latent_dim), name_(name) {}
  Index inputs() const override { return latent_dim_ + 1; }
  const Distribution& operator()(const Context& c, Var h) const override {
    const Var direction = slice(h, 1, 0, latent_dim_), kappa = squeeze(slice(h, 1, latent_dim_, latent_dim_ + 1), 1);
    const Var length = sqrt(sum(square(direction), 1, true) + Real(1e-12));
    return on_tape(c.tape, Law(direction / length, softplus(kappa) + Real(1)));  // kappa > 1, as in the code of Davidson et al.
  }
  const std::type_info& distribution() const override { return typeid(Law); }
  Support support() const override { return Support::sphere; }
  bool smooth_draws() const override { return false; }  // by rejection
  std::string describe() const override { return cat("posterior: ", name_, " on the unit sphere"); }

 private:
  Index latent_dim_;
  const char* name_;
};

std::unique_ptr<Posterior> on_sphere(const PosteriorArgs& args, const char* name, auto make) {
  if (args.latent_dim < 2)
    throw ConfigError(cat("model.latent_dim: 1, and the sphere of posterior ", name, " needs 2 dimensions or more"));
  return make();
}

struct VonMisesFisherSettings {
  void fields(Fields&) {}
  std::unique_ptr<Posterior> build(const PosteriorArgs& args) const {
    return on_sphere(args, "von_mises_fisher",
                     [&] { return std::make_unique<OnSphere<VonMisesFisher>>(args.latent_dim, "von Mises-Fisher"); });
  }
};

struct PowerSphericalSettings {
  void fields(Fields&) {}
  std::unique_ptr<Posterior> build(const PosteriorArgs& args) const {
    return on_sphere(args, "power_spherical",
                     [&] { return std::make_unique<OnSphere<PowerSpherical>>(args.latent_dim, "power spherical law"); });
  }
};

}  // namespace

VAEZOO_PART(Posterior, von_mises_fisher, VonMisesFisherSettings,
            "von Mises-Fisher on the unit sphere of latent_dim dimensions; its prior is sphere (Davidson et al., UAI 2018)")
VAEZOO_PART(Posterior, power_spherical, PowerSphericalSettings,
            "power spherical law on the unit sphere of latent_dim dimensions; its prior is sphere (De Cao & Aziz, 2020)")
