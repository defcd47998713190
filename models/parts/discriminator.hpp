#pragma once
// A network that tells draws from one law from draws from another.
//   Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, eq. (1)
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/networks.hpp"

namespace vaezoo {

struct DiscriminatorConfig {
  std::vector<std::int64_t> hidden;

  void fields(Fields& f) { f("hidden", hidden, "width of each hidden layer (leaky ReLU)", at_least(1)); }
};

/// z [N, Z] -> D(z) = log d(z) / (1 - d(z)), [N, 1], where d is the probability that z is of the first law.
class Discriminator {
 public:
  Discriminator(const DiscriminatorConfig& config, ad::Index inputs, ad::Parameters p)
      : network_(p, layer_sizes(inputs, config.hidden, 1), ad::Activation::leaky_relu) {}

  ad::Var operator()(const ad::Context& c, ad::Var z) const { return network_(c, z); }

 private:
  ad::Mlp network_;
};

/// The mean of -log d and -log(1 - d), each of draws of its own law: log 2 when the discriminator sees no difference.
inline ad::Var cross_entropy(ad::Var d_of_first, ad::Var d_of_second) {
  return ad::Real(0.5) * (mean(softplus(-d_of_first)) + mean(softplus(d_of_second)));
}

}  // namespace vaezoo
