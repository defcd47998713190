// N(mean(y), diag variance(y)) of the condition y of a conditional model.
//   Sohn, Lee & Yan, "Learning Structured Output Representation using Deep Conditional Generative Models", NeurIPS 2015, eq. (4)
#include "models/parts/networks.hpp"
#include "models/priors/prior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

/// p(z | y): y is the context's condition, of as many rows as z.
class ConditionalPrior final : public Prior {
 public:
  ConditionalPrior(const std::vector<std::int64_t>& hidden, Index latent_dim, Index condition, const LogVarianceBounds& bounds,
                   Parameters p)
      : network_(p, layer_sizes(condition, hidden, 2 * latent_dim), Activation::relu), bounds_(bounds) {}
  const Distribution& operator()(const Context& c, Index) const override {
    return on_tape(c.tape, bounds_(normal_of(network_(c, c.condition))));
  }
  const std::type_info& distribution() const override { return typeid(DiagonalNormal); }
  std::string describe() const override { return "prior: a normal given y"; }

 private:
  Mlp network_;
  LogVarianceBounds bounds_;
};

struct ConditionalSettings {
  std::vector<std::int64_t> hidden;

  void fields(Fields& f) { f("hidden", hidden, "width of each hidden layer of its network", between(1, 65536)); }
  std::unique_ptr<Prior> build(const PriorArgs& args) const {
    return std::make_unique<ConditionalPrior>(hidden, args.latent_dim, args.condition, args.bounds, args.p);
  }
};

}  // namespace

VAEZOO_PART(Prior, conditional, ConditionalSettings, "p(z | y) = N(mean(y), diag variance(y)), trained; the KL in closed form")
