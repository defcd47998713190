// mean_k q(z | u_k), the pseudo-inputs u_k trained.
//   Tomczak & Welling, "VAE with a VampPrior", AISTATS 2018, eq. (9)
#include <algorithm>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "models/distributions/mixture.hpp"
#include "models/priors/prior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

/// Its components are the posteriors of pseudo-inputs, so the encoder's weights are the prior's too.
class VampPrior final : public Prior {
 public:
  VampPrior(Index components, const DataSpec& data, PosteriorOfX q, Parameters p)
      : unit_interval_(data.unit_interval),
        pseudo_inputs_(p.add("pseudo_inputs", {components, data.size()},
                             unit_interval_ ? init::normal(Real(0.05), Real(0.01)) : init::normal(0, 1))),
        q_(std::move(q)) {}

  const Distribution& operator()(const Context& c, Index rows) const override {
    return on_tape(c.tape, Mixture(components(c), log_weight(c), rows));
  }
  const std::type_info& distribution() const override { return typeid(Mixture); }

  Index initial_examples() const override { return pseudo_inputs_.shape()[0]; }
  /// With fewer examples than pseudo-inputs the rest keep their random start.
  void initialize(const Context&, Var x) override {
    const std::span<const Real> examples = x.value();
    std::ranges::copy(examples.first(std::min(examples.size(), pseudo_inputs_.value().size())), pseudo_inputs_.value().begin());
  }
  std::string describe() const override { return cat("prior: VampPrior of ", initial_examples(), " pseudo-inputs"); }

 private:
  DiagonalNormal components(const Context& c) const {
    const Var u = c.tape.parameter(pseudo_inputs_);
    Context other = c;
    other.key = c.key.fold("pseudo_inputs");
    // Data in [0, 1] have pseudo-inputs there, through the paper's "hardtanh"; real data have real ones.
    return q_(other, unit_interval_ ? clamp(u, 0, 1) : u);
  }
  Var log_weight(const Context& c) const {
    return c.tape.constant({initial_examples()}, -std::log(static_cast<Real>(initial_examples())));
  }

  bool unit_interval_;
  Parameter& pseudo_inputs_;
  PosteriorOfX q_;
};

struct VampPriorSettings {
  std::int64_t components = 500;

  void fields(Fields& f) { f("components", components, "number of pseudo-inputs", between(1, 100'000)); }
  std::unique_ptr<Prior> build(const PriorArgs& args) const {
    if (!args.q)
      throw ConfigError(
          "model.prior: vampprior needs a q(z | x) that is a diagonal normal given x, which this model does not have; choose "
          "standard_normal or mixture");
    if (args.data.vocabulary > 0)
      throw ConfigError(cat("model.prior: vampprior learns pseudo-inputs of numbers, and ", args.data.name, " has sequences of tokens; choose mixture"));
    return std::make_unique<VampPrior>(components, args.data, args.q, args.p);
  }
};

}  // namespace

VAEZOO_PART(Prior, vampprior, VampPriorSettings,
            "the mean of the posteriors of trained pseudo-inputs, which start as training examples; the KL from the sampled z")
