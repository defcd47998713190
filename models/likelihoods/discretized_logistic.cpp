#include <cmath>
#include <optional>

#include "autodiff/elementwise.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/likelihoods/likelihood.hpp"
#include "models/likelihoods/logistic_bins.hpp"
#include "models/likelihoods/observed.hpp"
#include "models/model.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

/// Location and log scale of each number from the decoder.
class DiscretizedLogistic final : public Likelihood {
 public:
  DiscretizedLogistic(Index bins, Index size) : bins_(bins), size_(size) {}
  Index outputs() const override { return 2 * size_; }

  Var log_prob(const Context&, Var h, Var x, Var mask) const override {
    return sum_over_observed("discretized_logistic_log_prob", logistic_bin(bins_), x, mask, location(h), raw_scale(h));
  }
  Var mean(Var h) const override { return sigmoid(location(h)); }
  Var sample(const Context& c, Var h) const override {
    const Var u = c.tape.node("noise", location(h).shape(), {});
    fill_uniform(c.key.fold("x"), u.value(), Real(1e-6), Real(1 - 1e-6));
    const Var x = map("logistic_sample", [](auto m, auto s, auto v) {
      return fmin(fmax(sigmoid(m) + exp(logistic_log_scale(s)) * (log(v) - log1p(-v)), decltype(v)(Real(0))), decltype(v)(Real(1)));
    }, location(h), raw_scale(h), u);
    const Real steps = static_cast<Real>(bins_ - 1);
    for (Real& v : x.value()) v = std::round(v * steps) / steps;
    return stop_gradient(x);
  }
  std::string describe() const override {
    return cat("discretised logistic with ", bins_, " bins, location and scale per dimension");
  }
  bool discrete() const override { return true; }
  bool binary() const override { return false; }

 private:
  Var location(Var h) const { return slice(h, 1, 0, size_); }
  Var raw_scale(Var h) const { return slice(h, 1, size_, 2 * size_); }

  Index bins_, size_;
};

struct DiscretizedLogisticSettings {
  std::optional<std::int64_t> bins;

  void fields(Fields& f) {
    f("bins", bins, "number of steps; null: as many as the data have levels, which is the only number that fits them", between(2, 65536));
  }
  std::unique_ptr<Likelihood> build(const LikelihoodArgs& args) const {
    const DataSpec& data = args.data;
    require_levels("discretized_logistic", data);
    if (bins && *bins != data.levels)
      throw ConfigError(cat("model.likelihood.bins: ", *bins, ", but ", data.name, " has ", data.levels,
                            " levels; leave bins out, and they follow the data"));
    return std::make_unique<DiscretizedLogistic>(data.levels, args.size);
  }
};

}  // namespace

VAEZOO_PART(Likelihood, discretized_logistic, DiscretizedLogisticSettings, "data on equal steps in [0, 1], such as bytes / 255")
