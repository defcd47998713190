// Planar flows, each step's numbers from the encoder.
//   Rezende & Mohamed, "Variational Inference with Normalizing Flows", ICML 2015, eq. (10) to (12) and appendix A.1
#include <limits>

#include "autodiff/elementwise.hpp"
#include "autodiff/map.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/posteriors/flow_posterior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

class PlanarPosterior final : public FlowPosterior {
 public:
  PlanarPosterior(const PosteriorArgs& args, Index length) : FlowPosterior(args, length * (2 * args.latent_dim + 1)), length_(length) {}
  std::string describe() const override { return cat("posterior: ", length_, " planar flows"); }

 private:
  /// f(z) = z + u^ tanh(w z + b), and |det| = 1 + (1 - tanh^2) w u^. With u^ = u + (m(w u) - w u) w / |w|^2, m(a) = softplus(a) - 1, it holds
  /// that w u^ = m(w u) > -1, so that f has an inverse and the determinant is positive.
  Flowed operator()(const Context&, Var z, Var h) const override {
    const auto product = [](auto a, auto b) { return a * b; };
    const Index n = latent_dim();
    Var log_det;
    for (Index k = 0; k < length_; ++k) {
      const Index begin = k * (2 * n + 1);
      const Var u = slice(h, 1, begin, begin + n), w = slice(h, 1, begin + n, begin + 2 * n);
      const Var b = squeeze(slice(h, 1, begin + 2 * n, begin + 2 * n + 1), 1);
      const Var wu = map_sum("w_u", product, w, u);
      const Var square_of_w = map_sum("w_w", [](auto v) { return v * v + std::numeric_limits<Real>::min(); }, w);
      const Var wu_hat = softplus(wu) - Real(1);
      const Var u_hat = u + unsqueeze((wu_hat - wu) / square_of_w, 1) * w;
      const Var t = tanh(map_sum("w_z", product, w, z) + b);
      z = z + u_hat * unsqueeze(t, 1);
      const Var step = map("planar_log_det", [](auto tanh_, auto slope) { return log1p((Real(1) - tanh_ * tanh_) * slope); }, t, wu_hat);
      log_det = log_det ? log_det + step : step;
    }
    return {z, log_det};
  }

  Index length_;
};

struct PlanarSettings {
  std::int64_t length = 10;

  void fields(Fields& f) { f("length", length, "number of planar flows", between(1, 1000)); }
  std::unique_ptr<Posterior> build(const PosteriorArgs& args) const { return std::make_unique<PlanarPosterior>(args, length); }
};

}  // namespace

VAEZOO_PART(Posterior, planar, PlanarSettings, "a normal sent through planar flows z + u tanh(w z + b) that the encoder gives (Rezende & Mohamed, ICML 2015)")
