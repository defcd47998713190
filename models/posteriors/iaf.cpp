// Inverse autoregressive flow.
//   Kingma et al., "Improving Variational Inference with Inverse Autoregressive Flow", NeurIPS 2016, algorithm 1 and eq. (15)
//   Germain et al., "MADE: Masked Autoencoder for Distribution Estimation", ICML 2015: the masks
#include <optional>
#include <vector>

#include "autodiff/elementwise.hpp"
#include "autodiff/linalg.hpp"
#include "autodiff/map.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/posteriors/flow_posterior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

/// A linear layer of which output i sees input j only if may_see(degree of i, degree of j), and every output all of the context.
class MaskedLinear {
 public:
  MaskedLinear(const Parameters& p, const std::vector<Index>& in, const std::vector<Index>& out, bool strict, Index context)
      : layer_(p, std::ssize(in), std::ssize(out)), of_context_(p / "context", context, std::ssize(out), LinearOptions{.bias = false}) {
    for (const Index i : out)
      for (const Index j : in) mask_.push_back(strict ? i > j : i >= j);
  }
  Var operator()(const Context& c, Var x, Var context) const {
    const Var weight = c.tape.parameter(layer_.weight());
    const Var seen = weight * c.tape.constant(weight.shape(), mask_);
    return linear(x, seen, c.tape.parameter(*layer_.bias())) + of_context_(c, context);
  }

 private:
  Linear layer_, of_context_;
  std::vector<Real> mask_;
};

/// m and a of each dimension, [N, 2 Z], of which those of dimension i depend on the dimensions before it in the step's order.
class Made {
 public:
  Made(const Parameters& p, Index dimensions, const std::vector<std::int64_t>& hidden, Index context, bool reversed) {
    std::vector<Index> order, degrees;
    for (Index i = 0; i < dimensions; ++i) order.push_back(reversed ? dimensions - i : i + 1);
    degrees = order;
    for (std::size_t l = 0; l < hidden.size(); ++l) {
      std::vector<Index> next;  // 1, ..., Z - 1, 1, ...; with one dimension nothing is seen but the context
      for (Index k = 0; k < hidden[l]; ++k) next.push_back(dimensions == 1 ? 0 : 1 + k % (dimensions - 1));
      layers_.emplace_back(p / cat(l), degrees, next, false, context);
      degrees = next;
    }
    std::vector<Index> twice = order;
    twice.insert(twice.end(), order.begin(), order.end());
    layers_.emplace_back(p / cat(hidden.size()), degrees, twice, true, context);
  }
  Var operator()(const Context& c, Var z, Var context) const {
    Var h = z;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      h = layers_[l](c, h, context);
      if (l + 1 < layers_.size()) h = elu(h);
    }
    return h;
  }

 private:
  std::vector<MaskedLinear> layers_;
};

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
