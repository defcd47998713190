// Radial flows, each step's numbers from the encoder.
//   Rezende & Mohamed, "Variational Inference with Normalizing Flows", ICML 2015, eq. (14) and appendix A.2
#include "autodiff/elementwise.hpp"
#include "autodiff/map.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/posteriors/flow_posterior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

class RadialPosterior final : public FlowPosterior {
 public:
  RadialPosterior(const PosteriorArgs& args, Index length) : FlowPosterior(args, length * (args.latent_dim + 2)), length_(length) {}
  std::string describe() const override { return cat("posterior: ", length_, " radial flows"); }

 private:
  /// f(z) = z + beta h (z - z0), h = 1 / (alpha + r), r = |z - z0|; with alpha = softplus and beta = softplus(b) - alpha > -alpha it has an inverse,
  /// and log |det| = (Z - 1) log(1 + beta h) + log(1 + beta alpha h^2).
  Flowed operator()(const Context&, Var z, Var h) const override {
    const Index n = latent_dim();
    Var log_det;
    for (Index k = 0; k < length_; ++k) {
      const Index begin = k * (n + 2);
      const auto number = [&](Index i) { return squeeze(slice(h, 1, begin + n + i, begin + n + i + 1), 1); };
      const Var from = z - slice(h, 1, begin, begin + n), alpha = softplus(number(0)), beta = softplus(number(1)) - alpha;
      const Var r = sqrt(sum(square(from), 1) + Real(1e-12)), scale = beta / (alpha + r);  // beta h
      z = z + unsqueeze(scale, 1) * from;
      const Var step = static_cast<Real>(n - 1) * log1p(scale) + log1p(scale * alpha / (alpha + r));
      log_det = log_det ? log_det + step : step;
    }
    return {z, log_det};
  }

  Index length_;
};

struct RadialSettings {
  std::int64_t length = 10;

  void fields(Fields& f) { f("length", length, "number of radial flows", between(1, 1000)); }
  std::unique_ptr<Posterior> build(const PosteriorArgs& args) const { return std::make_unique<RadialPosterior>(args, length); }
};

}  // namespace

VAEZOO_PART(Posterior, radial, RadialSettings,
            "a normal sent through radial flows z + b (z - z0) / (a + |z - z0|) that the encoder gives (Rezende & Mohamed, ICML 2015)")
