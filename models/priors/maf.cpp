// A masked autoregressive flow: the density of z in one pass of each step's network, a draw in Z of them.
//   Papamakarios, Pavlakou & Murray, "Masked Autoregressive Flow for Density Estimation", NeurIPS 2017, eq. (3) and (4); as a
//   prior: Chen et al., "Variational Lossy Autoencoder", ICLR 2017, section 3.2
#include <vector>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/distributions/normal.hpp"
#include "models/parts/made.hpp"
#include "models/priors/prior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

/// u_i = (z_i - m_i) e^-s_i, where m_i and s_i are functions of z_1, ..., z_i-1; the log density of z is that of u less sum s.
class Maf final : public Distribution {
 public:
  Maf(const std::vector<Made>& steps, const Context& c, Index rows, Index dimensions, bool constant)
      : steps_(&steps), c_(c), rows_(rows), dimensions_(dimensions), constant_(constant) {}

  Var log_prob(Var z) const override {
    Var log_det;
    for (const Made& made : *steps_) {
      const auto [m, s] = numbers(made, z);
      z = (z - m) * exp(-s);
      log_det = log_det ? log_det + sum(s, 1) : sum(s, 1);
    }
    return base().log_prob(z) - log_det;
  }
  Draw rsample(Key key) const override { return {back(base().rsample(key).value), {}}; }
  Var center() const override { return back(base().center()); }
  const Distribution& detached() const override { return on_tape(c_.tape, Maf(*steps_, c_, rows_, dimensions_, true)); }

 private:
  StandardNormal base() const { return {c_.tape, rows_, dimensions_}; }
  std::pair<Var, Var> numbers(const Made& made, Var z) const {
    const Var h = constant_ ? stop_gradient(made(c_, z)) : made(c_, z);
    return {chunk(h, 2, 0), Real(2) * tanh(Real(0.5) * chunk(h, 2, 1))};  // |s| < 2, so that nothing overflows
  }
  /// Each round of a step makes at least one more dimension right, in the order of its network.
  Var back(Var u) const {
    for (auto step = steps_->rbegin(); step != steps_->rend(); ++step) {
      Var z = u;
      for (Index i = 0; i < dimensions_; ++i) {
        const auto [m, s] = numbers(*step, z);
        z = u * exp(s) + m;
      }
      u = z;
    }
    return u;
  }

  const std::vector<Made>* steps_;
  Context c_;
  Index rows_, dimensions_;
  bool constant_;
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
  std::unique_ptr<Prior> build(const PriorArgs& args) const;
};

class MafPrior final : public Prior {
 public:
  MafPrior(const MafSettings& settings, const PriorArgs& args) : latent_dim_(args.latent_dim) {
    for (Index k = 0; k < settings.length; ++k) {
      steps_.emplace_back(args.p / k, latent_dim_, settings.hidden, 0, k % 2 == 1);
      steps_.back().start_at_zero();  // N(0, I) at first
    }
  }
  const Distribution& operator()(const Context& c, Index rows) const override {
    return on_tape(c.tape, Maf(steps_, c, rows, latent_dim_, false));
  }
  const std::type_info& distribution() const override { return typeid(Maf); }
  std::string describe() const override { return cat("prior: ", steps_.size(), " masked autoregressive flows"); }

 private:
  Index latent_dim_;
  std::vector<Made> steps_;
};

std::unique_ptr<Prior> MafSettings::build(const PriorArgs& args) const { return std::make_unique<MafPrior>(*this, args); }

}  // namespace

VAEZOO_PART(Prior, maf, MafSettings,
            "a normal sent through masked autoregressive flows, trained with the model; the KL from the sampled z")
