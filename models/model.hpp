#pragma once
// What every model of the zoo answers. Trainer, evaluation, pictures and tests know models through this alone.
#include <array>
#include <initializer_list>
#include <span>
#include <string>

#include "autodiff/layers.hpp"
#include "models/parts/distributions.hpp"
#include "models/parts/schedules.hpp"

namespace vaezoo {

using ad::Context;

/// What a model must know of its data.
struct DataSpec {
  Index height = 1, width = 1, channels = 1;  ///< a vector of D numbers is 1 x D x 1; images are NHWC
  Index classes = 0;                          ///< of the labels; 0 when there are none
  bool unit_interval = true;                  ///< are all values in [0, 1]?
  Index size() const { return height * width * channels; }
};

/// One batch on the tape.
struct Minibatch {
  Var x;                           ///< [B, D]
  std::span<const int> labels;     ///< [B], empty when the data have none
};

/// A quantity that is reported beside the loss: its mean over the batch, in nats unless its name says otherwise.
struct Term {
  const char* name = "";
  Var value;
};

/// What one training step minimises.
struct Objective {
  Var loss;  ///< one number: the mean over the batch
  std::array<Term, 8> terms{};
  std::size_t term_count = 0;

  Objective(Var loss_, std::initializer_list<Term> terms_);
  std::span<const Term> report() const { return {terms.data(), term_count}; }
};

/// The two parts of ELBO = reconstruction - kl, per example, in nats.
struct ElboTerms {
  Var reconstruction;    ///< log p(x | z), [B]
  Var kl;                ///< KL(q(z | x) || p(z)), [B]
  Var kl_per_dimension;  ///< [B, Z]
};

enum class Code { sample, mean };  ///< is z drawn from q(z | x), or its mean?

class Model {
 public:
  virtual ~Model() = default;

  virtual Objective objective(const Context& c, const Position& progress, const Minibatch& batch) const = 0;

  /// The ELBO with weight 1, whatever the objective.
  virtual ElboTerms elbo(const Context& c, const Minibatch& batch, Code code) const = 0;
  /// log w_k = log p(x, z_k) - log q(z_k | x) for `samples` draws z_k ~ q(z | x): [B, samples], in nats. log mean_k w_k
  /// estimates log p(x) from below (Burda et al. 2016).
  virtual Var log_weights(const Context& c, const Minibatch& batch, Index samples) const = 0;
  /// The mean of q(z | x), [B, Z].
  virtual Var encode(const Context& c, const Minibatch& batch) const = 0;
  /// E[x | z], [B, D].
  virtual Var decode(const Context& c, Var z) const = 0;
  /// z ~ p(z), [count, Z].
  virtual Var sample_prior(const Context& c, Index count) const = 0;

  virtual Index latent_dim() const = 0;
  /// Is p(x) a density at all? False for a plain autoencoder: it has no ELBO and no likelihood.
  virtual bool has_density() const = 0;
  /// Is p(x | z) a probability of values on a grid, so that bits per dimension mean something on such data?
  virtual bool discrete() const = 0;
  /// ... of the two values 0 and 1 alone?
  virtual bool binary() const = 0;
  /// One line for the log: objective with its effective weights, likelihood with its scale.
  virtual std::string describe() const = 0;
};

}  // namespace vaezoo
