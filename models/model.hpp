#pragma once
// What every model of the zoo answers. Trainer, evaluation, pictures and tests know models only through this.
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/layers.hpp"
#include "models/distributions/normal.hpp"

namespace vaezoo {

using ad::Context;
using ad::Position;

/// A stretch of the numbers of x that is a thing of its own, see DataSpec::modalities.
struct ModalitySpec {
  std::string name;
  Index begin = 0;
  Index height = 1, width = 1, channels = 1;
  Index size() const { return height * width * channels; }
};

/// What a model must know of its data.
struct DataSpec {
  Index height = 1, width = 1, channels = 1;  ///< a vector of D numbers is 1 x D x 1; images are NHWC
  Index classes = 0;                          ///< of the labels; 0 when there are none
  bool unit_interval = true;                  ///< are all values in [0, 1]?
  Index conditions = 0;                       ///< real numbers that condition each example; 0 when there are none
  bool counts = false;                        ///< are all values whole numbers from 0 on?
  Index levels = 0;                           ///< the values are k / (levels - 1); 0: real numbers
  Index unlabelled = 0;                       ///< training examples whose label was not observed, where others have one
  Index hidden = 0;                           ///< training examples whose x was not observed
  Index missing = 0;                          ///< single numbers of the training examples that were not observed
  Index examples = 0;                         ///< training examples
  Index vocabulary = 0;                       ///< x are sequences of so many tokens, see parts/tokens.hpp; 0: x are numbers
  std::string_view name = "this data set";    ///< for messages
  std::vector<ModalitySpec> modalities = {};  ///< one after the other, all of x; empty: x is one thing
  Index size() const { return height * width * channels; }
};

/// One batch on the tape.
struct Minibatch {
  Var x{};                         ///< [B, D]
  Var mask{};                      ///< [B, D]: 1 where a number of x was observed, 0 where not and x is 0; empty: all were
  std::span<const int> labels{};   ///< [B], -1 where it was not observed; empty when the data have none
  Var conditions{};                ///< [B, C], empty when the data have none
  std::span<const std::uint8_t> observed{};  ///< [B]: 1 where x was observed, 0 where not and x is zeros; empty: everywhere
};

/// What of a batch a model asks for when it generates: a conditional model is p(x | z, given).
enum class Conditioning {
  none,
  labels,      ///< given.labels
  conditions,  ///< given.conditions
  x            ///< a part of given.x itself, which the model completes
};

/// A stretch of the code [B, Z] that is one stochastic layer.
struct Level {
  std::string name;  ///< "z1"
  Index begin = 0, end = 0;
};

/// Discrete codes of a batch as a picture: [B, height, width] numbers below `codes`.
struct CodeMap {
  std::string name;
  Index height = 1, width = 1, codes = 0;
  std::vector<Index> indices;
};

/// A quantity that is reported with the loss: its mean over the batch. The texts must live as long as the model.
struct Term {
  const char* name = "";
  Var value;
  const char* unit = "";     ///< "nats", "codes", ...; "" of a number without one, as a ratio
  const char* meaning = "";  ///< for tables and the report: "E_q log p(x|z); higher is better"

  Term() = default;
  Term(const char* name_, Var value_, const char* unit_, const char* meaning_)
      : name(name_), value(value_), unit(unit_), meaning(meaning_) {}
};

/// One of the numbers that a step minimises, and the parameters that it trains: those of `groups`, no others.
struct Loss : Term {
  ad::Groups groups = ad::Groups::all();
};

/// What one training step minimises: one loss, or several of different parts of the model (an adversary's). All of them are
/// differentiated before any parameter moves.
struct Objective {
  Var loss;  ///< the first of the losses: what is reported as "loss"
  std::array<Term, 24> terms{};
  std::size_t term_count = 0;

  Objective(Var loss_, std::initializer_list<Term> terms_);
  /// Every loss but the first is reported as a term of its name.
  Objective(std::initializer_list<Loss> losses, std::initializer_list<Term> terms_);
  void add(const Term& term);
  std::span<const Term> report() const { return {terms.data(), term_count}; }
  std::span<const Loss> losses() const { return {losses_.data(), loss_count_}; }

 private:
  std::array<Loss, 4> losses_{};
  std::size_t loss_count_ = 1;
};

/// The two parts of ELBO = reconstruction - kl, per example, in nats.
struct ElboTerms {
  Var reconstruction;    ///< log p(x | z), [B]
  Var kl;                ///< KL(q(z | x) || p(z)), [B]
  /// [B, Z]; of a hierarchy whose top prior does not fall into dimensions, of the levels below; empty where there are none.
  Var kl_per_dimension;
};

enum class Code { sample, mean };  ///< is z drawn from q(z | x), or its mean?

class Model {
 public:
  virtual ~Model() = default;

  virtual Objective objective(const Context& c, const Minibatch& batch) const = 0;

  /// The ELBO with weight 1, whatever the objective.
  virtual ElboTerms elbo(const Context& c, const Minibatch& batch, Code code) const = 0;
  /// log w_k = log p(x, z_k) - log q(z_k | x) for `samples` draws z_k ~ q(z | x): [B, samples], in nats. log mean_k w_k
  /// estimates log p(x) from below (Burda et al. 2016).
  virtual Var log_weights(const Context& c, const Minibatch& batch, Index samples) const = 0;
  /// The mean of q(z | x), [B, Z].
  virtual Var encode(const Context& c, const Minibatch& batch) const = 0;
  /// The mean, as encode() gives it, and the log variance of q(z | x), each [B, Z]; in a hierarchy each layer's q is given the means of the
  /// layers that were inferred before it. An empty log variance: q is one point.
  virtual DiagonalNormal posterior(const Context& c, const Minibatch& batch) const;

  // Generation. Of `given` a model reads what its conditioning() names, one row for each row of z; an unconditional one nothing.
  /// E[x | z], [B, D].
  virtual Var decode(const Context& c, Var z, const Minibatch& given) const = 0;
  /// x ~ p(x | z), [B, D].
  virtual Var sample_x(const Context& c, Var z, const Minibatch& given) const = 0;
  /// z ~ p(z), [count, Z].
  virtual Var sample_prior(const Context& c, Index count, const Minibatch& given) const = 0;
  virtual Conditioning conditioning() const { return Conditioning::none; }
  /// What of this decode() and sample_x() read: nothing where only the prior is conditional.
  virtual Conditioning decoder_conditioning() const { return conditioning(); }

  virtual Index latent_dim() const = 0;
  /// The stochastic layers of the code, the one nearest to x first.
  virtual std::vector<Level> levels() const { return {{"z", 0, latent_dim()}}; }
  /// Is the prior of this level conditional: on the levels above, a label, a part of x? Then the mean of q may vary only because that of
  /// p(z | ...) does, so the level's active units are those with a KL, not those whose mean varies.
  virtual bool conditional_prior(std::size_t /*level*/) const { return false; }
  /// The code z [B, Z] with the levels below `level` (nearer to x) drawn again from p(z_i | z_i+1 ...).
  virtual Var resample_below(const Context& c, Var z, std::size_t level, const Minibatch& given) const;
  /// The discrete codes of a batch; none in a model of continuous codes.
  virtual std::vector<CodeMap> code_maps(const Context& c, const Minibatch& batch) const;
  /// The maps of codes that an example has, without indices; none in a model of continuous codes.
  virtual std::vector<CodeMap> code_shapes() const;
  /// The code z [B, Z] of such maps, each with the indices of B examples: decode() takes it. Throws Error in a model of continuous codes.
  virtual Var embed_codes(const Context& c, const std::vector<CodeMap>& maps) const;

  /// Is a model of a smaller loss, on the same data, the better one? Not where the loss is measured by features that are trained themselves.
  virtual bool loss_measures_progress() const { return true; }
  /// Does its likelihood count only the numbers that batch.mask names?
  virtual bool takes_mask() const { return false; }
  /// Can it learn from examples whose x was not observed, but whose label was?
  virtual bool takes_hidden_x() const { return false; }

  /// The cluster of each example, [B], in a model that has clusters; empty in others.
  virtual std::span<const Index> clusters(const Context& /*c*/, const Minibatch& /*batch*/) const { return {}; }

  /// Called once, before the first step of training, with the first `initial_examples()` training examples (fewer when there are fewer):
  /// what starts from data (pseudo-inputs, codebooks) starts here.
  virtual Index initial_examples() const { return 0; }
  virtual void initialize(const Context& c, const Minibatch& examples);

  /// Is p(x) a density at all? False for a plain autoencoder: it has no ELBO and no likelihood.
  virtual bool has_density() const = 0;
  /// Is p(x | z) a probability of values on a grid, so that bits per dimension mean something on such data?
  virtual bool discrete() const = 0;
  /// ... of only the two values 0 and 1?
  virtual bool binary() const = 0;
  /// One line for the log: objective with its effective weights, likelihood with its scale.
  virtual std::string describe() const = 0;
};

}  // namespace vaezoo
