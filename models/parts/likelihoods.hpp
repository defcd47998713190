#pragma once
// Likelihoods p(x | z): what a decoder's output means. log p is in nats, summed over the data dimensions.
#include <memory>
#include <string>

#include "autodiff/layers.hpp"
#include "config/fields.hpp"
#include "models/parts/distributions.hpp"

namespace vaezoo {

/// Chosen in JSON: "likelihood": "bernoulli" or {"name": "gaussian", "scale": "learned", ...}.
struct LikelihoodConfig {
  std::string name = "bernoulli";
  std::string scale = "fixed";   // gaussian, laplace: fixed, learned, optimal
  double sigma = 1;              // the fixed scale, or the learned one's start
  std::string mean = "identity"; // gaussian, laplace: what makes the mean of the decoder's output
  std::int64_t bins = 256;       // discretized_logistic

  void visit(Fields& f);
};

/// The decoder gives h [B, outputs]; x is [B, D]. In log_prob x may have fewer rows, each for some neighbouring rows of h.
class Likelihood {
 public:
  virtual ~Likelihood() = default;

  virtual Index outputs() const = 0;                                  ///< numbers that the decoder gives for D data dimensions
  virtual Var log_prob(const ad::Context& c, Var h, Var x) const = 0; ///< [B], nats. In training, may update its scale at Tape::commit()
  virtual Var mean(Var h) const = 0;  ///< E[x | z], [B, D]; of the discretised logistic, its location
  virtual Var sample(const ad::Context& c, Var h) const = 0;          ///< x ~ p(x | z), [B, D]
  virtual std::string describe() const = 0;                           ///< "Gaussian, sigma 0.21 (optimal)"
  virtual bool discrete() const = 0;  ///< a probability of values on a grid in [0, 1], not a density
  virtual bool binary() const = 0;    ///< a probability of 0 and 1
};

std::unique_ptr<Likelihood> make_likelihood(const LikelihoodConfig& config, Index data_size, ad::Parameters p);
/// The same for data that lie in [0, 1] or not. Throws ConfigError when the likelihood does not fit them.
std::unique_ptr<Likelihood> make_likelihood(const LikelihoodConfig& config, Index data_size, bool unit_interval,
                                            ad::Parameters p);

}  // namespace vaezoo
