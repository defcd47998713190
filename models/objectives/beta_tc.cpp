// The KL split in three, each part with a weight of its own.
//   Chen, Li, Grosse & Duvenaud, "Isolating Sources of Disentanglement in VAEs", NeurIPS 2018, eq. (4) and appendix C
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/objectives/variational_objective.hpp"
#include "models/parts/kl_split.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct BetaTcSettings {
  double alpha = 1, beta = 6, gamma = 1;
  std::string estimator = "stratified";

  void fields(Fields& f) {
    f("alpha", alpha, "weight of the mutual information of x and z", at_least(0));
    f("beta", beta, "weight of the total correlation", at_least(0));
    f("gamma", gamma, "weight of the dimension-wise KL", at_least(0));
    f.choice("weights", estimator, {"stratified", "weighted"},
             "how q(z) is estimated from a batch: minibatch stratified sampling, or the biased minibatch weighted sampling, whose terms are off by "
             "constants of the size of log N");
  }
  std::unique_ptr<VariationalObjective> build(const ObjectiveArgs& args) const;
};

class BetaTc final : public VariationalObjective {
 public:
  BetaTc(const ObjectiveArgs& args, const BetaTcSettings& settings)
      : VariationalObjective(args), settings_(settings), examples_(args.data.examples), stratified_(settings.estimator == "stratified") {}

  Objective operator()(const Context& c, const Minibatch& batch) const override {
    const Trace trace = model().trace(c, batch, false);            // z ~ q(z | x)
    const NormalCode z = trace.code();
    const Var distortion = -mean(trace.log_p_x), kl = mean(trace.levels[0].rate);
    const Index rows = z.draw.shape()[0];
    const auto [information, correlation, dimension_wise] =
        split_kl(z.draw, z.q.log_prob(z.draw), z.p.log_prob(z.draw), z.q,
                 stratified_ ? stratified_log_weights(c.tape, rows, examples_) : weighted_log_weights(c.tape, rows, examples_));
    const Var mi = mean(information), tc = mean(correlation), dw = mean(dimension_wise);
    return {distortion + static_cast<Real>(settings_.alpha) * mi + static_cast<Real>(settings_.beta) * tc + static_cast<Real>(settings_.gamma) * dw,
            {terms::reconstruction(-distortion), terms::kl(kl),
             {"mutual_information", mi, "nats", "I(x; z) under q, as estimated from the batch"},
             {"total_correlation", tc, "nats", "KL of q(z) from the product of its marginals, as estimated from the batch"},
             {"dimension_wise_kl", dw, "nats", "sum_d KL(q(z_d) || p(z_d)), as estimated from the batch"}}};
  }
  std::string describe() const override {
    return cat("-log p(x|z) + ", settings_.alpha, " I(x; z) + ", settings_.beta, " total correlation + ", settings_.gamma, " dimension-wise KL");
  }

 private:
  BetaTcSettings settings_;
  Index examples_;
  bool stratified_;
};

std::unique_ptr<VariationalObjective> BetaTcSettings::build(const ObjectiveArgs& args) const {
  require_normal_code(args, "beta_tc");
  require_plain_weight(args, "beta_tc", "alpha, beta and gamma");
  return std::make_unique<BetaTc>(args, *this);
}

}  // namespace

VAEZOO_PART(VariationalObjective, beta_tc, BetaTcSettings,
            "-log p(x|z) + alpha I(x; z) + beta total correlation + gamma dimension-wise KL (Chen et al. 2018)")
