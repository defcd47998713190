// A mixture of logistic distributions cut into equal steps, for each number of x by itself.
//   Salimans, Karpathy, Chen & Kingma, "PixelCNN++", ICLR 2017, eq. (2)
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/distributions/categorical.hpp"
#include "models/likelihoods/likelihood.hpp"
#include "models/likelihoods/logistic_bins.hpp"
#include "models/model.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

class DiscretizedLogisticMixture final : public Likelihood {
 public:
  DiscretizedLogisticMixture(Index components, Index bins, Index size) : components_(components), bins_(bins), size_(size) {}
  Index outputs() const override { return 3 * components_ * size_; }

  Var log_prob(const Context&, Var h, Var x, Var mask) const override {
    const Index times = h.shape()[0] / x.shape()[0];
    const Var values = repeat_rows(x, times), weight = log_softmax(reshape(weights(h), {-1, components_, size_}), 1);
    Var* const parts = h.tape().scratch<Var>(components_);
    for (Index k = 0; k < components_; ++k)
      parts[k] = map("logistic_bin", logistic_bin(bins_), location(h, k), raw_scale(h, k), values) + squeeze(slice(weight, 1, k, k + 1), 1);
    const Var log_p = logsumexp(stack(std::span<const Var>(parts, static_cast<std::size_t>(components_)), 0), 0);  // [N, D]
    return mask ? sum(log_p * repeat_rows(mask, times), 1) : sum(log_p, 1);
  }
  Var mean(Var h) const override {  // of the locations
    const Var weight = softmax(reshape(weights(h), {-1, components_, size_}), 1);
    Var total;
    for (Index k = 0; k < components_; ++k) {
      const Var part = sigmoid(location(h, k)) * squeeze(slice(weight, 1, k, k + 1), 1);
      total = total ? total + part : part;
    }
    return total;
  }
  Var sample(const Context& c, Var h) const override {
    const Var u = c.tape.node("noise", {h.shape()[0], size_}, {});
    fill_uniform(c.key.fold("x"), u.value(), Real(1e-6), Real(1 - 1e-6));
    const Var score = with_gumbel_noise(reshape(weights(h), {-1, components_, size_}), c.key.fold("component"));
    const Var chosen = c.tape.node("discretized_logistic_mixture", u.shape(), {});
    for (Index i = 0; i < u.size(); ++i) {
      const Index row = i / size_, d = i % size_;
      Index best = 0;  // argmax(logits + Gumbel noise) is a draw of the component
      for (Index k = 1; k < components_; ++k)
        if (score.data()[(row * components_ + k) * size_ + d] > score.data()[(row * components_ + best) * size_ + d]) best = k;
      const Real* const numbers = h.data() + row * outputs() + best * size_ + d;
      chosen.data()[i] = logistic_bin_sample(numbers[components_ * size_], numbers[2 * components_ * size_], u.data()[i], bins_);
    }
    return chosen;
  }
  std::string describe() const override { return cat("mixture of ", components_, " discretised logistics with ", bins_, " bins"); }
  bool discrete() const override { return true; }
  bool binary() const override { return false; }

 private:
  // h holds the logits of the weights, then the locations, then the raw scales, each [K, D].
  Var weights(Var h) const { return slice(h, 1, 0, components_ * size_); }
  Var location(Var h, Index k) const { return slice(h, 1, (components_ + k) * size_, (components_ + k + 1) * size_); }
  Var raw_scale(Var h, Index k) const { return slice(h, 1, (2 * components_ + k) * size_, (2 * components_ + k + 1) * size_); }

  Index components_, bins_, size_;
};

struct DiscretizedLogisticMixtureSettings {
  std::int64_t components = 5;

  void fields(Fields& f) { f("components", components, "logistic distributions for each number", between(1, 1000)); }
  std::unique_ptr<Likelihood> build(const LikelihoodArgs& args) const {
    require_levels("discretized_logistic_mixture", args.data);
    return std::make_unique<DiscretizedLogisticMixture>(components, args.data.levels, args.size);
  }
};

}  // namespace

VAEZOO_PART(Likelihood, discretized_logistic_mixture, DiscretizedLogisticMixtureSettings, "data on equal steps in [0, 1] with several modes (PixelCNN++)")
