// weight |z|^2 / 2.
//   Ghosh, Sajjadi, Vergari, Black & Schoelkopf, "From Variational to Deterministic Autoencoders", ICLR 2020, eq. (9)
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/penalties/penalty.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct L2Settings {
  double weight = 1e-2;

  void fields(Fields& f) { f("weight", weight, "of |z|^2 / 2", at_least(0)); }
  std::unique_ptr<CodePenalty> build(const PenaltyArgs&) const;
};

class L2 final : public CodePenalty {
 public:
  explicit L2(double weight) : weight_(weight) {}
  Var operator()(const Context&, Var z) const override { return static_cast<Real>(weight_ / 2) * mean(sum(square(z), 1)); }
  std::string describe() const override { return cat(weight_, " |z|^2 / 2"); }

 private:
  double weight_;
};

std::unique_ptr<CodePenalty> L2Settings::build(const PenaltyArgs&) const { return std::make_unique<L2>(weight); }

}  // namespace

VAEZOO_PART(CodePenalty, l2, L2Settings, "weight |z|^2 / 2 (Ghosh et al., ICLR 2020)")
