#pragma once
// Likelihoods p(x | z): what a decoder's output means. log p is in nats, summed over the data dimensions.
#include <memory>
#include <optional>
#include <string>

#include "autodiff/layers.hpp"
#include "config/fields.hpp"
#include "models/distributions/normal.hpp"

namespace vaezoo {

struct DataSpec;

/// Chosen in JSON: "likelihood": "bernoulli" or {"name": "gaussian", "scale": "learned", ...}.
struct LikelihoodConfig {
  std::string name = "bernoulli";
  std::string scale = "fixed";   // gaussian, laplace: fixed, learned, optimal
  double sigma = 1;              // the fixed scale, or the learned one's start
  std::string mean = "identity"; // gaussian, laplace: what makes the mean of the decoder's output
  std::optional<std::int64_t> bins;  // discretized_logistic; as many as the data have levels when not set

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

/// Of `data_size` numbers, which may be a part of an example of `data`. Throws ConfigError when the likelihood does not fit these data:
/// numbers outside of its support, or bins that are not the data's levels.
std::unique_ptr<Likelihood> make_likelihood(const LikelihoodConfig& config, Index data_size, const DataSpec& data, ad::Parameters p);
/// The same without a check; without `bins` there are 256.
std::unique_ptr<Likelihood> make_likelihood(const LikelihoodConfig& config, Index data_size, ad::Parameters p);

}  // namespace vaezoo
