// sum_k w_k N(mean_k, diag variance_k), all trained.
#include "autodiff/reduce.hpp"
#include "models/distributions/mixture.hpp"
#include "models/priors/prior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

class MixturePrior final : public Prior {
 public:
  MixturePrior(Index components, Index latent_dim, Parameters p)
      : mean_(p.add("mean", {components, latent_dim}, init::normal(0, 1))),  // apart, so that they can learn to differ
        log_variance_(p.add("log_variance", {components, latent_dim}, init::zeros())),
        logits_(p.add("logits", {components}, init::zeros())) {}

  const Distribution& operator()(const Context& c, Index rows) const override {
    return on_tape(c.tape, Mixture(components(c), log_weight(c), rows));
  }
  const std::type_info& distribution() const override { return typeid(Mixture); }
  std::string describe() const override { return cat("prior: mixture of ", logits_.size(), " normals"); }

 private:
  DiagonalNormal components(const Context& c) const { return {c.tape.parameter(mean_), c.tape.parameter(log_variance_)}; }
  Var log_weight(const Context& c) const { return log_softmax(c.tape.parameter(logits_)); }

  Parameter &mean_, &log_variance_, &logits_;
};

struct MixtureSettings {
  std::int64_t components = 10;

  void fields(Fields& f) { f("components", components, "number of normals", between(1, 100'000)); }
  std::unique_ptr<Prior> build(const PriorArgs& args) const {
    return std::make_unique<MixturePrior>(components, args.latent_dim, args.p);
  }
};

}  // namespace

VAEZOO_PART(Prior, mixture, MixtureSettings, "a trained mixture of diagonal normals; the KL from the sampled z")
