// Inverse autoregressive flow.
//   Kingma et al., "Improving Variational Inference with Inverse Autoregressive Flow", NeurIPS 2016, algorithm 1 and eq. (15)
#include <vector>

#include "autodiff/elementwise.hpp"
#include "autodiff/map.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/made.hpp"
#include "models/posteriors/flow_posterior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct IafSettings {
  std::int64_t length = 4;
  std::vector<std::int64_t> hidden{320};
  std::int64_t context = 64;

  void fields(Fields& f) {
    f("length", length, "number of steps, each in the reverse order of the one before", between(1, 1000));
    f("hidden", hidden, "width of each hidden layer (ELU) of a step's autoregressive network", between(1, 65536));
    f("context", context, "numbers that the encoder gives to every step", between(1, 65536));
    f.require("hidden", !hidden.empty(), "needs at least one layer");
  }
  std::unique_ptr<Posterior> build(const PosteriorArgs& args) const;
};

class IafPosterior final : public FlowPosterior {
 public:
  IafPosterior(const PosteriorArgs& args, const IafSettings& settings) : FlowPosterior(args, settings.context) {
    for (Index k = 0; k < settings.length; ++k)
      steps_.emplace_back(args.p / cat(k), args.latent_dim, settings.hidden, settings.context, k % 2 == 1);
  }
  bool all_from_encoder() const override { return false; }
  std::string describe() const override { return cat("posterior: ", steps_.size(), " inverse autoregressive flows"); }

 private:
  /// How open the gates are at first, s = sigmoid(a + kOpen): near the identity, as the paper advises (section 4).
  static constexpr Real kOpen = Real(1.5);

  /// z_k = s z_k-1 + (1 - s) m, log |det| = sum log s: the paper's numerically stable form.
  Flowed operator()(const Context& c, Var z, Var h) const override {
    Var log_det;
    for (const Made& made : steps_) {
      const Var numbers = made(c, z, h), m = chunk(numbers, 2, 0), a = chunk(numbers, 2, 1);
      z = map("iaf", [](auto v, auto shift, auto gate) { return shift + sigmoid(gate + kOpen) * (v - shift); }, z, m, a);
      const Var step = map_sum("iaf_log_det", [](auto gate) { return -softplus(-(gate + kOpen)); }, a);
      log_det = log_det ? log_det + step : step;
    }
    return {z, log_det};
  }

  std::vector<Made> steps_;
};

std::unique_ptr<Posterior> IafSettings::build(const PosteriorArgs& args) const { return std::make_unique<IafPosterior>(args, *this); }

}  // namespace

VAEZOO_PART(Posterior, iaf, IafSettings, "a normal sent through inverse autoregressive flows (Kingma et al., NeurIPS 2016)")
