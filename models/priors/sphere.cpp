// The uniform distribution on the unit sphere.
//   Davidson et al., "Hyperspherical Variational Auto-Encoders", UAI 2018
#include "models/distributions/sphere.hpp"

#include "models/priors/prior.hpp"

namespace {

using namespace vaezoo;

class SpherePrior final : public Prior {
 public:
  explicit SpherePrior(Index latent_dim) : latent_dim_(latent_dim) {}
  const Distribution& operator()(const Context& c, Index rows) const override { return on_tape(c.tape, UniformSphere(c.tape, rows, latent_dim_)); }
  const std::type_info& distribution() const override { return typeid(UniformSphere); }
  Support support() const override { return Support::sphere; }
  std::string describe() const override { return "uniform prior on the unit sphere"; }

 private:
  Index latent_dim_;
};

struct SphereSettings {
  void fields(Fields&) {}
  std::unique_ptr<Prior> build(const PriorArgs& args) const { return std::make_unique<SpherePrior>(args.latent_dim); }
};

}  // namespace

VAEZOO_PART(Prior, sphere, SphereSettings, "uniform on the unit sphere, for posteriors von_mises_fisher and power_spherical")
