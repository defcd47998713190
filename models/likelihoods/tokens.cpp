// Sequences of tokens: a categorical variable at each place up to the end.
//   Bowman, Vilnis, Vinyals, Dai, Jozefowicz & Bengio, "Generating Sentences from a Continuous Space", CoNLL 2016
#include <algorithm>

#include "autodiff/elementwise.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/distributions/categorical.hpp"
#include "models/likelihoods/likelihood.hpp"
#include "models/model.hpp"
#include "models/parts/tokens.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

/// h [N, T' V] are logits of the first T' places, place by place; beyond T' no sequence of the batch goes on.
class Tokens final : public Likelihood {
 public:
  Tokens(Index length, Index vocabulary) : length_(length), vocabulary_(vocabulary) {}
  Index outputs() const override { return length_ * vocabulary_; }
  Var log_prob(const Context& c, Var h, Var x, Var) const override {
    const Index rows = h.shape()[0], places = h.shape()[1] / vocabulary_, each = rows / x.shape()[0];
    Index* const target = c.tape.scratch<Index>(rows * places);
    const Var counts = c.tape.node("counts", {rows, places}, {});
    for (Index r = 0; r < rows; ++r) {
      const std::span<const Real> row = sequence(x, r / each);
      const Index length = sequence_length(row);
      for (Index t = 0; t < places; ++t) {
        target[r * places + t] = static_cast<Index>(row[static_cast<std::size_t>(t)]);
        counts.data()[r * places + t] = t < length ? 1 : 0;
      }
    }
    const Var logits = reshape(h, {rows * places, vocabulary_});
    const Var log_p = squeeze(gather(logits, 1, {target, static_cast<std::size_t>(rows * places)}), 1) - logsumexp(logits, 1);
    return sum(reshape(log_p, {rows, places}) * counts, 1);
  }
  /// The likeliest token of each place.
  Var mean(Var h) const override { return largest(h.tape(), h); }
  Var sample(const Context& c, Var h) const override { return largest(c.tape, with_gumbel_noise(h, c.key.fold("tokens"))); }
  std::string describe() const override { return cat("categorical over ", vocabulary_, " tokens"); }
  bool discrete() const override { return false; }  // bits per dimension mean nothing of sequences of their own lengths
  bool binary() const override { return false; }

 private:
  Var largest(Tape& tape, Var h) const {
    const Index rows = h.shape()[0], places = h.shape()[1] / vocabulary_;
    const Var x = tape.constant({rows, length_}, Real(0));
    const std::span<const Index> best = argmax(reshape(h, {rows * places, vocabulary_}));
    for (Index r = 0; r < rows; ++r)
      for (Index t = 0; t < places; ++t) {
        const Index token = best[static_cast<std::size_t>(r * places + t)];
        if (token == 0) break;
        x.data()[r * length_ + t] = static_cast<Real>(token);
      }
    return x;
  }

  Index length_, vocabulary_;
};

struct TokensSettings {
  void fields(Fields&) {}
  std::unique_ptr<Likelihood> build(const LikelihoodArgs& args) const {
    if (args.data.vocabulary == 0)
      throw ConfigError(cat("model.likelihood: tokens is for sequences of tokens, as dataset text reads them, and ",
                            args.data.name, " has numbers; choose gaussian or laplace, or bernoulli for numbers in [0, 1]"));
    return std::make_unique<Tokens>(args.size, args.data.vocabulary);
  }
};

}  // namespace

VAEZOO_PART(Likelihood, tokens, TokensSettings, "categorical over the tokens of a sequence, for decoders lstm and gru")
