// The distribution of the codes held to N(0, I) by their maximum mean discrepancy.
//   Tolstikhin, Bousquet, Gelly & Schoelkopf, "Wasserstein Auto-Encoders", ICLR 2018, algorithm 2
#include "models/parts/mmd.hpp"

#include "autodiff/elementwise.hpp"
#include "models/distributions/normal.hpp"
#include "models/penalties/penalty.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct MmdSettings {
  double weight = 10;
  KernelConfig kernel;

  void fields(Fields& f) {
    f("weight", weight, "of the squared discrepancy", at_least(0));
    kernel.fields(f);
  }
  std::unique_ptr<CodePenalty> build(const PenaltyArgs&) const;
};

class MmdPenalty final : public CodePenalty {
 public:
  explicit MmdPenalty(const MmdSettings& settings) : settings_(settings) {}
  Var operator()(const Context& c, Var z) const override {
    const Var prior = StandardNormal(c.tape, z.shape()[0], z.shape()[1]).rsample(c.key.fold("prior")).value;
    return static_cast<Real>(settings_.weight) * mmd(z, prior, settings_.kernel);
  }
  std::string describe() const override { return cat(settings_.weight, " MMD of q(z) and N(0, I), kernel ", settings_.kernel.name); }

 private:
  MmdSettings settings_;
};

std::unique_ptr<CodePenalty> MmdSettings::build(const PenaltyArgs&) const { return std::make_unique<MmdPenalty>(*this); }

}  // namespace

VAEZOO_PART(CodePenalty, mmd, MmdSettings, "weight MMD(q(z), N(0, I)) (Tolstikhin et al., ICLR 2018)")
