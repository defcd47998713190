#pragma once
// Likelihoods p(x | z): what a decoder's output means. log p is in nats, summed over the data dimensions. Chosen in JSON: "likelihood":
// "bernoulli" or {"name": "gaussian", "scale": "learned", ...}. A new one is one file models/likelihoods/<name>.cpp that ends in
// VAEZOO_PART, and one line in registry.def.
#include <memory>
#include <string>

#include "autodiff/layers.hpp"
#include "config/part.hpp"

namespace vaezoo {

using ad::Index;
using ad::Var;

struct DataSpec;

/// The decoder gives h [B, outputs]; x is [B, D]. In log_prob x may have fewer rows, each for some neighbouring rows of h. A mask of the shape of
/// x is 1 where a number was observed and 0 where not: only the observed ones count.
class Likelihood {
 public:
  virtual ~Likelihood() = default;

  virtual Index outputs() const = 0;                                  ///< numbers that the decoder gives for D data dimensions
  /// [B], nats. In training, may update its scale at Tape::commit().
  virtual Var log_prob(const ad::Context& c, Var h, Var x, Var mask = {}) const = 0;
  virtual Var mean(Var h) const = 0;  ///< E[x | z], [B, D]; of the discretised logistic, its location
  virtual Var sample(const ad::Context& c, Var h) const = 0;          ///< x ~ p(x | z), [B, D]
  virtual std::string describe() const = 0;                           ///< "Gaussian, sigma 0.21 (optimal)"
  virtual bool discrete() const = 0;  ///< a probability of values on a grid in [0, 1], not a density
  virtual bool binary() const = 0;    ///< a probability of 0 and 1
};

/// Of `size` numbers, which may be a part of an example of `data`. Building throws ConfigError when the likelihood does not fit these data:
/// numbers outside of its support, or bins that are not the data's levels.
struct LikelihoodArgs {
  Index size;
  const DataSpec& data;
  ad::Parameters p;
};

using LikelihoodEntry = PartEntry<Likelihood, LikelihoodArgs>;
Registry<LikelihoodEntry>& likelihood_registry();

struct LikelihoodConfig : PartChoice<Likelihood, LikelihoodArgs> {
  LikelihoodConfig() : PartChoice(likelihood_registry(), "bernoulli") {}
  void visit(Fields& f) { PartChoice::visit(f, "likelihood", "p(x | z)"); }
};

/// Throws ConfigError when the data are not in [0, 1], where `name` needs them.
void require_unit_interval(const char* name, const DataSpec& data);
/// Throws ConfigError when the data are not on equal steps in [0, 1], where `name` needs them.
void require_levels(const char* name, const DataSpec& data);

}  // namespace vaezoo
