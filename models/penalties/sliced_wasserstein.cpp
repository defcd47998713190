// The distribution of the codes held to N(0, I) by their distance along random directions.
//   Kolouri, Pope, Martin & Rohde, "Sliced Wasserstein Auto-Encoders", ICLR 2019, eq. (10)
#include "autodiff/elementwise.hpp"
#include "models/distributions/normal.hpp"
#include "models/parts/mmd.hpp"
#include "models/penalties/penalty.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct SlicedWassersteinSettings {
  double weight = 10;
  std::int64_t projections = 50;

  void fields(Fields& f) {
    f("weight", weight, "of the squared distance", at_least(0));
    f("projections", projections, "random directions of each step", between(1, 100'000));
  }
  std::unique_ptr<CodePenalty> build(const PenaltyArgs&) const;
};

class SlicedWasserstein final : public CodePenalty {
 public:
  explicit SlicedWasserstein(const SlicedWassersteinSettings& settings) : settings_(settings) {}
  Var operator()(const Context& c, Var z) const override {
    const Var prior = StandardNormal(c.tape, z.shape()[0], z.shape()[1]).rsample(c.key.fold("prior")).value;
    return static_cast<Real>(settings_.weight) * sliced_wasserstein(z, prior, settings_.projections, c.key.fold("directions"));
  }
  std::string describe() const override { return cat(settings_.weight, " sliced Wasserstein distance of q(z) and N(0, I)"); }

 private:
  SlicedWassersteinSettings settings_;
};

std::unique_ptr<CodePenalty> SlicedWassersteinSettings::build(const PenaltyArgs&) const { return std::make_unique<SlicedWasserstein>(*this); }

}  // namespace

VAEZOO_PART(CodePenalty, sliced_wasserstein, SlicedWassersteinSettings, "weight SW^2(q(z), N(0, I)) along random directions (Kolouri et al., ICLR 2019)")
