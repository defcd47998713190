// The ELBO with the covariance of the aggregate posterior held to the identity.
//   Kumar, Sattigeri & Balakrishnan, "Variational Inference of Disentangled Latent Concepts from Unlabeled Observations", ICLR 2018, eq. (6), (7)
#include <algorithm>

#include "autodiff/elementwise.hpp"
#include "autodiff/linalg.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/objectives/variational_objective.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct DipSettings {
  std::string form = "i";
  double off_diagonal = 10, diagonal = 100;

  void fields(Fields& f) {
    f.choice("form", form, {"i", "ii"}, "i: the covariance of the means of q(z | x); ii: that of z, which adds the mean of q's variances");
    f("off_diagonal", off_diagonal, "weight of the squares of its off-diagonal elements", at_least(0));
    f("diagonal", diagonal, "weight of the squared distances of its diagonal elements from 1", at_least(0));
  }
  std::unique_ptr<VariationalObjective> build(const ObjectiveArgs& args) const;
};

class Dip final : public VariationalObjective {
 public:
  Dip(const ObjectiveArgs& args, const DipSettings& settings) : VariationalObjective(args), settings_(settings) {}

  Objective operator()(const Context& c, const Minibatch& batch) const override {
    const Real beta = weight().at(c.progress);
    const Trace trace = model().trace(c, batch, false);            // z ~ q(z | x)
    const Var distortion = -mean(trace.log_p_x), kl = mean(trace.levels[0].rate);
    const DiagonalNormal& q = trace.code().q;
    const Index rows = q.mean.shape()[0], size = q.mean.shape()[1];
    const Var centred = q.mean - mean(q.mean, 0, true);
    const Var covariance = matmul(centred, centred, true) / static_cast<Real>(rows);               // of the means, [Z, Z]
    Var variance = mean(square(centred), 0);                                                       // its diagonal
    const Var off = sum(square(covariance)) - sum(square(variance));
    if (settings_.form == "ii") variance = variance + mean(exp(q.log_variance), 0);
    const Var penalty = static_cast<Real>(settings_.off_diagonal) * off + static_cast<Real>(settings_.diagonal) * sum(square(variance - Real(1)));
    Objective o{distortion + beta * kl + penalty,
                {terms::reconstruction(-distortion), terms::kl(kl),
                 {"dip", penalty, "", "weighted distance of the covariance of q(z) from the identity, of the batch"},
                 {"off_diagonal", off / static_cast<Real>(std::max<Index>(1, size * (size - 1))), "", "mean square of its off-diagonal elements"}}};
    report(o, c, {}, beta);
    return o;
  }
  std::string describe() const override {
    return cat("-log p(x|z) + KL, ", weight().describe(), ", + ", settings_.off_diagonal, " off-diagonal^2 + ",
               settings_.diagonal, " (diagonal - 1)^2 of Cov ",
               settings_.form == "i" ? "of the means" : "z");
  }

 private:
  DipSettings settings_;
};

std::unique_ptr<VariationalObjective> DipSettings::build(const ObjectiveArgs& args) const {
  require_normal_code(args, "dip");
  require_no_free_bits(args, "dip");
  return std::make_unique<Dip>(args, *this);
}

}  // namespace

VAEZOO_PART(VariationalObjective, dip, DipSettings, "-log p(x|z) + KL + the covariance of z held to the identity (Kumar et al. 2018)")
