// Reconstructions that look alike in the place of ones that are likely.
//   Snell, Ridgeway, Liao, Roads, Mozer & Zemel, "Learning to generate images with perceptual similarity metrics", ICIP 2017
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/objectives/variational_objective.hpp"
#include "models/parts/ssim.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct MsSsimSettings {
  double weight = 1000;
  std::optional<std::int64_t> scales = {};

  void fields(Fields& f) {
    f("weight", weight, "of 1 - MS-SSIM, which lies between 0 and 1, next to the KL in nats", at_least(0));
    f("scales", scales, "1 is SSIM; null: as many as the image has room for, 5 at most", between(1, 5));
  }
  std::unique_ptr<VariationalObjective> build(const ObjectiveArgs& args) const;
};

class MsSsim final : public VariationalObjective {
 public:
  MsSsim(const ObjectiveArgs& args, double weight, Index scales)
      : VariationalObjective(args),
        shape_{args.data.height, args.data.width, args.data.channels},
        weight_(weight),
        scales_(scales) {}

  Objective operator()(const Context& c, const Minibatch& batch) const override {
    const Trace trace = model().trace(c, batch, false);  // z ~ q(z | x)
    const auto [kl, rates] = mean_rates(c, trace);
    const Var likeness = mean(multi_scale_ssim(batch.x, model().decode(c, trace.levels[0].z, batch), shape_, scales_));
    const Real beta = weight().at(c.progress);
    Objective o{static_cast<Real>(weight_) * (Real(1) - likeness) + beta * kl,
                {terms::reconstruction(mean(trace.log_p_x)),
                 terms::kl(kl),
                 {"ms_ssim", likeness, "", "multi-scale structural similarity of x and its reconstruction from z; 1: equal"}}};
    report(o, c, rates, beta);
    return o;
  }
  std::string describe() const override {
    return cat(weight_, " (1 - MS-SSIM at ", scales_, " scales) + KL, ", weight().describe());
  }

 private:
  ImageShape shape_;
  double weight_;
  Index scales_;
};

std::unique_ptr<VariationalObjective> MsSsimSettings::build(const ObjectiveArgs& args) const {
  const Index most = most_ssim_scales({args.data.height, args.data.width, args.data.channels});
  if (most == 0 || args.data.vocabulary > 0)
    throw ConfigError(cat("model.objective: ms_ssim compares images of 11 x 11 pixels and more, and ", args.data.name, " has ",
                          args.data.height, " x ", args.data.width, "; choose elbo"));
  if (scales && *scales > most)
    throw ConfigError(cat("model.objective.scales: images of ", args.data.height, " x ", args.data.width, " have room for ", most,
                          "; set that, or null"));
  if (!args.data.unit_interval)
    throw ConfigError("model.objective: ms_ssim needs values in [0, 1]; scale the data, or choose elbo");
  if (args.data.missing > 0)
    throw ConfigError("model.objective: ms_ssim compares whole images, and some numbers of the data are missing; choose elbo");
  if (!args.model.has_code())
    throw ConfigError("model.objective: ms_ssim needs a model of one code; choose vae, or another objective");
  require_no_free_bits(args, "ms_ssim");
  return std::make_unique<MsSsim>(args, weight, scales.value_or(most));
}

}  // namespace

VAEZOO_PART(VariationalObjective, ms_ssim, MsSsimSettings,
            "weight (1 - MS-SSIM(x, E[x|z])) + KL, with the model's weight of the KL (Snell et al. 2017)")
