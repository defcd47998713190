// A normal sent through affine couplings, which turn both ways.
//   Dinh, Sohl-Dickstein & Bengio, "Density Estimation using Real NVP", ICLR 2017, eq. (7) and (8); as a prior: Xu et al., "On the Necessity and
//   Effectiveness of Learning the Prior of Variational Auto-Encoder", 2019
#include <algorithm>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/networks.hpp"
#include "models/priors/flow_prior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

/// From z to noise: the half b of z is scaled and moved by what a network makes of the other half a, u_b = z_b e^s(z_a) + t(z_a).
class Coupling {
 public:
  Coupling(Index dimensions, bool second, const std::vector<std::int64_t>& hidden, const Parameters& p)
      : split_(dimensions / 2), dimensions_(dimensions), second_(second),
        network_(p, layer_sizes(second ? split_ : dimensions - split_, hidden, 2 * (second ? dimensions - split_ : split_)), Activation::relu) {
    const std::string last = p.prefix() + "/" + std::to_string(hidden.size());
    for (const char* part : {"/weight", "/bias"}) std::ranges::fill(p.store().find(last + part)->value(), Real(0));  // u = z at first
  }
  /// u and log |det du / dz|.
  std::pair<Var, Var> forward(const Context& c, Var z, bool constant) const {
    const auto [a, b] = halves(z);
    const auto [s, t] = numbers(c, a, constant);
    return {joined(a, b * exp(s) + t), sum(s, 1)};
  }
  Var inverse(const Context& c, Var u, bool constant) const {
    const auto [a, b] = halves(u);
    const auto [s, t] = numbers(c, a, constant);
    return joined(a, (b - t) * exp(-s));
  }

 private:
  std::pair<Var, Var> halves(Var z) const {  // what stays, what moves
    const Var first = slice(z, 1, 0, split_), rest = slice(z, 1, split_, dimensions_);
    return second_ ? std::pair(first, rest) : std::pair(rest, first);
  }
  Var joined(Var a, Var b) const { return second_ ? concat({a, b}, 1) : concat({b, a}, 1); }
  std::pair<Var, Var> numbers(const Context& c, Var a, bool constant) const {
    const Var h = constant ? stop_gradient(network_(c, a)) : network_(c, a);
    return {Real(2) * tanh(Real(0.5) * chunk(h, 2, 0)), chunk(h, 2, 1)};  // |s| < 2, so that nothing overflows
  }

  Index split_, dimensions_;
  bool second_;
  Mlp network_;
};

struct RealNvpSettings {
  std::int64_t length = 6;
  std::vector<std::int64_t> hidden{128};

  void fields(Fields& f) {
    f("length", length, "number of couplings", between(1, 1000));
    f("hidden", hidden, "width of each hidden layer of a coupling's network (ReLU)", between(1, 65536));
  }
  std::unique_ptr<Prior> build(const PriorArgs& args) const {
    if (args.latent_dim < 2)
      throw ConfigError("model.prior: realnvp moves one half of z by the other, and z has 1 dimension; set latent_dim to 2 or more");
    std::vector<Coupling> couplings;
    for (Index k = 0; k < length; ++k) couplings.emplace_back(args.latent_dim, k % 2 == 0, hidden, args.p / k);
    return std::make_unique<FlowPrior<Coupling>>(std::move(couplings), args.latent_dim, "affine couplings");
  }
};

}  // namespace

VAEZOO_PART(Prior, realnvp, RealNvpSettings, "a normal sent through affine couplings, trained with the model; the KL from the sampled z")
