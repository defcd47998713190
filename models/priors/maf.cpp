// A masked autoregressive flow: the density of z in one pass of each step's network, a draw in Z of them.
//   Papamakarios, Pavlakou & Murray, "Masked Autoregressive Flow for Density Estimation", NeurIPS 2017, eq. (3) and (4); as a
//   prior: Chen et al., "Variational Lossy Autoencoder", ICLR 2017, section 3.2
#include <vector>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/made.hpp"
#include "models/priors/flow_prior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

/// u_i = (z_i - m_i) e^-s_i, where m_i and s_i are functions of z_1, ..., z_i-1: log |det du / dz| = -sum s.
class MafStep {
 public:
  MafStep(const Parameters& p, Index dimensions, const std::vector<std::int64_t>& hidden, bool reversed)
      : made_(p, dimensions, hidden, 0, reversed), dimensions_(dimensions) {
    made_.start_at_zero();  // u = z at first
  }
  std::pair<Var, Var> forward(const Context& c, Var z, bool constant) const {
    const auto [m, s] = numbers(c, z, constant);
    return {(z - m) * exp(-s), -sum(s, 1)};
  }
  /// Each round makes at least one more dimension right, in the order of the network.
  Var inverse(const Context& c, Var u, bool constant) const {
    Var z = u;
    for (Index i = 0; i < dimensions_; ++i) {
      const auto [m, s] = numbers(c, z, constant);
      z = u * exp(s) + m;
    }
    return z;
  }

 private:
  std::pair<Var, Var> numbers(const Context& c, Var z, bool constant) const {
    const Var h = constant ? stop_gradient(made_(c, z)) : made_(c, z);
    return {chunk(h, 2, 0), Real(2) * tanh(Real(0.5) * chunk(h, 2, 1))};  // |s| < 2, so that nothing overflows
  }

  Made made_;
  Index dimensions_;
};

struct MafSettings {
  std::int64_t length = 4;
  std::vector<std::int64_t> hidden{128};

  void fields(Fields& f) {
    f("length", length, "number of steps, each in the reverse order of the one before; 1 is an autoregressive prior of normals",
      between(1, 1000));
    f("hidden", hidden, "width of each hidden layer (ELU) of a step's autoregressive network", between(1, 65536));
    f.require("hidden", !hidden.empty(), "needs at least one layer");
  }
  std::unique_ptr<Prior> build(const PriorArgs& args) const {
    std::vector<MafStep> steps;
    for (Index k = 0; k < length; ++k) steps.emplace_back(args.p / k, args.latent_dim, hidden, k % 2 == 1);
    return std::make_unique<FlowPrior<MafStep>>(std::move(steps), args.latent_dim, "masked autoregressive flows");
  }
};

}  // namespace

VAEZOO_PART(Prior, maf, MafSettings,
            "a normal sent through masked autoregressive flows, trained with the model; the KL from the sampled z")
