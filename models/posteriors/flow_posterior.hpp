#pragma once
#include "models/distributions/transformed.hpp"
#include "models/posteriors/posterior.hpp"

namespace vaezoo {

/// A normal sent through a flow: the encoder gives the normal's means and log variances, then the flow's numbers. Subclasses say which flow.
class FlowPosterior : public Posterior, protected Flow {
 public:
  Index inputs() const final { return 2 * latent_dim_ + flow_inputs_; }
  const Distribution& operator()(const ad::Context& c, Var h) const final;
  const std::type_info& distribution() const final { return typeid(Transformed); }
  bool density_everywhere() const final { return false; }
  bool has_log_variances() const final { return true; }

 protected:
  FlowPosterior(const PosteriorArgs& args, Index flow_inputs)
      : latent_dim_(args.latent_dim), flow_inputs_(flow_inputs), bounds_(args.bounds) {}
  Index latent_dim() const { return latent_dim_; }

 private:
  Index latent_dim_, flow_inputs_;
  LogVarianceBounds bounds_;
};

}  // namespace vaezoo
