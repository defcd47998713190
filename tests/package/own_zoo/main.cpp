// The vaezoo command with a model, a likelihood and a data set of its own.
#include <cmath>
#include <numbers>

#include "autodiff/elementwise.hpp"
#include "autodiff/random.hpp"
#include "autodiff/reduce.hpp"
#include "datasets/config.hpp"
#include "experiments/runner/program.hpp"
#include "models/likelihoods/observed.hpp"
#include "models/parts/latent_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

/// -log p(x | z) + KL^power.
struct PowerVaeConfig : LatentConfig {
  double power = 2;

  void fields(Fields& f) {
    LatentConfig::fields(f);
    f("power", power, "exponent of the KL", more_than(0));
  }
};

class PowerVae final : public LatentModel {
 public:
  PowerVae(const PowerVaeConfig& config, const DataSpec& data, Parameters p)
      : LatentModel(config, data, p), power_(static_cast<Real>(config.power)) {}

  Objective objective(const Context& c, const Minibatch& batch) const override {
    const Distribution &q = q_z(c, batch.x), &p = p_z(c, batch.x.shape()[0]);
    const Draw z = q.rsample(c.key.fold("z"));
    const Var distortion = -mean(p_x().log_prob(c, z.value, batch.x, batch.mask));
    const Var kl = mean(rate(q, p, z));
    return {distortion + pow(kl, power_), {terms::reconstruction(-distortion), terms::kl(kl)}};
  }
  std::string describe() const override { return cat("-log p(x|z) + KL^", power_, describe_parts()); }

 private:
  Real power_;
};

/// Cauchy(x; h, 1), for data with outliers.
class Cauchy final : public Likelihood {
 public:
  explicit Cauchy(Index size) : size_(size) {}
  Index outputs() const override { return size_; }
  Var log_prob(const Context&, Var h, Var x, Var mask) const override {  // -log pi - log(1 + (x - h)^2)
    return sum_over_observed("cauchy_log_prob", [](auto a, auto v) { return Real(-1.1447298858494002) - log1p((v - a) * (v - a)); }, x, mask, h);
  }
  Var mean(Var h) const override { return h; }  // the location: there is no mean
  Var sample(const Context& c, Var h) const override {
    const Var x = c.tape.node("cauchy", h.shape(), {});
    fill_uniform(c.key.fold("x"), x.value(), Real(-0.49), Real(0.49));
    for (Index i = 0; i < x.size(); ++i) x.data()[i] = h.data()[i] + std::tan(std::numbers::pi_v<Real> * x.data()[i]);
    return x;
  }
  std::string describe() const override { return "Cauchy, scale 1"; }
  bool discrete() const override { return false; }
  bool binary() const override { return false; }

 private:
  Index size_;
};

struct CauchySettings {
  void fields(Fields&) {}
  std::unique_ptr<Likelihood> build(const LikelihoodArgs& args) const { return std::make_unique<Cauchy>(args.size); }
};

/// Points on a circle of radius 3.
struct CircleSettings {
  std::int64_t examples = 300;

  void fields(Fields& f) { f("examples", examples, "number of points", at_least(3)); }
  std::unique_ptr<Dataset> build(const DatasetArgs& args) const {
    std::vector<Real> angles(static_cast<std::size_t>(examples)), points;
    fill_uniform(args.key, angles, 0, 2 * std::numbers::pi_v<Real>);
    for (const Real a : angles) points.insert(points.end(), {3 * std::cos(a), 3 * std::sin(a)});
    auto data = std::make_unique<Dataset>();
    data->provenance = "points on a circle";
    data->shape = {1, 2, 1};
    data->train = Examples(std::move(points), 2);
    return data;
  }
};

}  // namespace

VAEZOO_MODEL(power_vae, PowerVae, PowerVaeConfig, "VAE with a power of the KL", "made up")
VAEZOO_PART(Likelihood, cauchy, CauchySettings, "heavy tails")

int main(int argc, char** argv) {
  vaezoo::model_registry().add(vaezoo_model_power_vae());
  vaezoo::likelihood_registry().add(vaezoo_Likelihood_cauchy());
  vaezoo::dataset_registry().add(vaezoo::DatasetEntry::of<CircleSettings>("circle", "points on a circle"));
  return vaezoo::main(argc, argv);
}
