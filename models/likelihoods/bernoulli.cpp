#include "autodiff/elementwise.hpp"
#include "models/likelihoods/likelihood.hpp"
#include "models/likelihoods/observed.hpp"
#include "models/model.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

/// Bernoulli(x; sigmoid(h)). Grey values in [0, 1] are taken as they are: the cross-entropy that most published VAEs use.
class Bernoulli final : public Likelihood {
 public:
  explicit Bernoulli(Index size) : size_(size) {}
  Index outputs() const override { return size_; }
  Var log_prob(const Context&, Var h, Var x, Var mask) const override {  // x h - log(1 + e^h)
    return sum_over_observed("bernoulli_log_prob", [](auto a, auto v) { return a * v - softplus(a); }, x, mask, h);
  }
  Var mean(Var h) const override { return sigmoid(h); }
  Var sample(const Context& c, Var h) const override {
    const Var p = sigmoid(h), x = c.tape.node("bernoulli", h.shape(), {});
    fill_bernoulli(c.key.fold("x"), p.value(), x.value());
    return x;
  }
  std::string describe() const override { return "Bernoulli on logits"; }
  bool discrete() const override { return true; }
  bool binary() const override { return true; }

 private:
  Index size_;
};

struct BernoulliSettings {
  void fields(Fields&) {}
  std::unique_ptr<Likelihood> build(const LikelihoodArgs& args) const {
    require_unit_interval("bernoulli", args.data);
    return std::make_unique<Bernoulli>(args.size);
  }
};

}  // namespace

VAEZOO_PART(Likelihood, bernoulli, BernoulliSettings, "binary data, or grey values in [0, 1] as cross-entropy targets")
