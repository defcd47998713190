#pragma once
// Priors that send z through steps to the noise of a normal, and back for a draw.
//   Rezende & Mohamed, "Variational Inference with Normalizing Flows", ICML 2015; Chen et al., "Variational Lossy Autoencoder", ICLR 2017, section 3.2
#include <utility>
#include <vector>

#include "autodiff/elementwise.hpp"
#include "models/distributions/normal.hpp"
#include "models/priors/prior.hpp"

namespace vaezoo {

/// The law of z whose steps lead to N(0, I). A Step has forward(c, z, constant), which gives u and log |det du / dz|, and inverse(c, u, constant);
/// constant: its weights get no gradient.
template <class Step>
class Flowing final : public Distribution {
 public:
  Flowing(const std::vector<Step>& steps, const Context& c, Index rows, Index dimensions, bool constant)
      : steps_(&steps), c_(c), rows_(rows), dimensions_(dimensions), constant_(constant) {}

  Var log_prob(Var z) const override {
    Var log_det;
    for (const Step& step : *steps_) {
      const auto [u, of_step] = step.forward(c_, z, constant_);
      z = u;
      log_det = log_det ? log_det + of_step : of_step;
    }
    return base().log_prob(z) + log_det;
  }
  Draw rsample(Key key) const override { return {back(base().rsample(key).value), {}}; }
  Var center() const override { return back(base().center()); }
  const Distribution& detached() const override { return on_tape(c_.tape, Flowing(*steps_, c_, rows_, dimensions_, true)); }

 private:
  StandardNormal base() const { return {c_.tape, rows_, dimensions_}; }
  Var back(Var u) const {
    for (auto step = steps_->rbegin(); step != steps_->rend(); ++step) u = step->inverse(c_, u, constant_);
    return u;
  }

  const std::vector<Step>* steps_;
  Context c_;
  Index rows_, dimensions_;
  bool constant_;
};

template <class Step>
class FlowPrior final : public Prior {
 public:
  /// `what` for describe(): "affine couplings".
  FlowPrior(std::vector<Step> steps, Index latent_dim, const char* what) : steps_(std::move(steps)), latent_dim_(latent_dim), what_(what) {}
  const Distribution& operator()(const Context& c, Index rows) const override {
    return on_tape(c.tape, Flowing<Step>(steps_, c, rows, latent_dim_, false));
  }
  const std::type_info& distribution() const override { return typeid(Flowing<Step>); }
  std::string describe() const override { return ad::cat("prior: ", steps_.size(), " ", what_); }

 private:
  std::vector<Step> steps_;
  Index latent_dim_;
  const char* what_;
};

}  // namespace vaezoo
