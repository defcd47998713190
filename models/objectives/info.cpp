// A KL of less weight, and the aggregate posterior q(z) held to p(z) as a whole.
//   Zhao, Song & Ermon, "InfoVAE: Balancing Learning and Inference in Variational Autoencoders", AAAI 2019, eq. (6)
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/objectives/variational_objective.hpp"
#include "models/parts/mmd.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct InfoSettings {
  double alpha = 0.5, lambda = 10;
  KernelConfig kernel;

  void fields(Fields& f) {
    f("alpha", alpha, "1 - alpha is the weight of the KL; 0 with lambda 1 gives the VAE, 1 the MMD-VAE", between(-1000, 1));
    f("lambda", lambda, "alpha + lambda - 1 is the weight of the MMD of q(z) from p(z)", at_least(0));
    kernel.fields(f);
  }
  std::unique_ptr<VariationalObjective> build(const ObjectiveArgs& args) const;
};

class Info final : public VariationalObjective {
 public:
  Info(const ObjectiveArgs& args, const InfoSettings& settings) : VariationalObjective(args), settings_(settings) {}

  Objective operator()(const Context& c, const Minibatch& batch) const override {
    const Trace trace = model().trace(c, batch, false);                                     // z ~ q(z | x)
    const Var distortion = -mean(trace.log_p_x), kl = mean(trace.levels[0].rate);
    const NormalCode z = trace.code();
    const Var distance = mmd(z.draw, z.p.detached().rsample(c.key.fold("p")).value, settings_.kernel);
    return {distortion + static_cast<Real>(1 - settings_.alpha) * kl + static_cast<Real>(settings_.alpha + settings_.lambda - 1) * distance,
            {terms::reconstruction(-distortion), terms::kl(kl), {"mmd", distance, "", "squared maximum mean discrepancy of q(z) and p(z), of the batch"}}};
  }
  std::string describe() const override {
    return cat("-log p(x|z) + ", 1 - settings_.alpha, " KL + ", settings_.alpha + settings_.lambda - 1, " MMD of q(z) and p(z), kernel ",
               settings_.kernel.name);
  }

 private:
  InfoSettings settings_;
};

std::unique_ptr<VariationalObjective> InfoSettings::build(const ObjectiveArgs& args) const {
  require_normal_code(args, "info");
  require_plain_weight(args, "info", "1 - alpha");
  return std::make_unique<Info>(args, *this);
}

}  // namespace

VAEZOO_PART(VariationalObjective, info, InfoSettings, "-log p(x|z) + (1 - alpha) KL + (alpha + lambda - 1) MMD(q(z), p(z)) (Zhao et al. 2019)")
