// Recurrent networks of sequences of tokens.
//   Bowman, Vilnis, Vinyals, Dai, Jozefowicz & Bengio, "Generating Sentences from a Continuous Space", CoNLL 2016, section 3
#include <algorithm>

#include "autodiff/elementwise.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/random_ops.hpp"
#include "autodiff/recurrent.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/distributions/categorical.hpp"
#include "models/parts/network_kinds.hpp"
#include "models/parts/tokens.hpp"

namespace vaezoo {
namespace {

using namespace ad;

RecurrentCell::Kind kind_of(const std::string& name) {
  return name == "lstm" ? RecurrentCell::Kind::lstm : RecurrentCell::Kind::gru;
}

/// The cell's state after the last token of each sequence.
class RecurrentEncoder final : public Network {
 public:
  RecurrentEncoder(const std::string& kind, const RecurrentConfig& config, const ImageShape& data, const Parameters& p)
      : embedding_(p.add("embedding", {data.vocabulary, config.embedding}, init::normal(0, Real(0.1)))),
        cell_(kind_of(kind), p / "cell", config.embedding, config.hidden) {}
  ImageShape outputs() const override { return {1, 1, cell_.hidden()}; }
  Var operator()(const Context& c, Var x) const override {
    const Index batch = x.shape()[0], steps = longest_sequence(x);
    Index* const tokens = c.tape.scratch<Index>(steps * batch);  // step by step, so that a step's inputs lie together
    const Var going_on = c.tape.node("going_on", {steps * batch, 1}, {});
    for (Index b = 0; b < batch; ++b) {
      const std::span<const Real> row = sequence(x, b);
      const Index end = sequence_length(row);
      for (Index t = 0; t < steps; ++t) {
        tokens[t * batch + b] = static_cast<Index>(row[static_cast<std::size_t>(t)]);
        going_on.data()[t * batch + b] = t < end ? 1 : 0;
      }
    }
    const Var inputs =
        cell_.from_input(c, embedding(c.tape.parameter(embedding_), {tokens, static_cast<std::size_t>(steps * batch)}));
    RecurrentState state = cell_.start(c.tape, batch);
    for (Index t = 0; t < steps; ++t) {
      const auto of_step = [&](Var v) { return slice(v, 0, t * batch, (t + 1) * batch); };
      const RecurrentState next = cell_.step(c, of_step(inputs), state);
      const Var on = of_step(going_on);
      state.h = state.h + on * (next.h - state.h);
      if (next.c) state.c = state.c + on * (next.c - state.c);
    }
    return state.h;
  }

 private:
  Parameter& embedding_;
  RecurrentCell cell_;
};

/// p(x_t | x_1 ... x_t-1, z): z sets the first state and is an input of every step, next to the token before.
class RecurrentDecoder final : public SequenceNetwork {
 public:
  RecurrentDecoder(const std::string& kind, const RecurrentConfig& config, Index inputs, const ImageShape& data,
                   const Parameters& p)
      : length_(data.width),
        vocabulary_(data.vocabulary),
        word_dropout_(config.word_dropout),
        embedding_(p.add("embedding", {data.vocabulary + 2, config.embedding}, init::normal(0, Real(0.1)))),
        start_(p / "start", inputs, (kind == "lstm" ? 2 : 1) * config.hidden),
        cell_(kind_of(kind), p / "cell", config.embedding + inputs, config.hidden),
        output_(p / "output", config.hidden, data.vocabulary) {}
  ImageShape outputs() const override { return {1, 1, length_ * vocabulary_}; }

  Var operator()(const Context&, Var) const override {
    throw Error("[recurrent decoder] needs the tokens before each: ask given_tokens() or generate()");
  }

  Var given_tokens(const Context& c, Var z, Var x) const override {
    const Index rows = z.shape()[0], steps = longest_sequence(x), each = rows / x.shape()[0];
    Index* const before = c.tape.scratch<Index>(steps * rows);
    for (Index r = 0; r < rows; ++r)
      for (Index t = 0; t < steps; ++t)
        before[t * rows + r] = t == 0 ? start_token() : static_cast<Index>(x.data()[r / each * length_ + t - 1]);
    drop(c, {before + rows, static_cast<std::size_t>((steps - 1) * rows)});
    const Var tokens = embedding(c.tape.parameter(embedding_), {before, static_cast<std::size_t>(steps * rows)});
    Index* const row_of = c.tape.scratch<Index>(steps * rows);
    for (Index i = 0; i < steps * rows; ++i) row_of[i] = i % rows;
    const Var inputs = cell_.from_input(c, concat({tokens, embedding(z, {row_of, static_cast<std::size_t>(steps * rows)})}, 1));
    RecurrentState state = first_state(c, z);
    Var* const hidden = c.tape.scratch<Var>(steps);
    for (Index t = 0; t < steps; ++t) {
      state = cell_.step(c, slice(inputs, 0, t * rows, (t + 1) * rows), state);
      hidden[t] = state.h;
    }
    const Var all = concat(std::span<const Var>(hidden, static_cast<std::size_t>(steps)), 1);  // [rows, steps hidden]
    return reshape(output_(c, reshape(all, {rows * steps, cell_.hidden()})), {rows, steps * vocabulary_});
  }

  Var generate(const Context& c, Var z, Tokens how) const override {
    const Index rows = z.shape()[0];
    const Var x = c.tape.constant({rows, length_}, Real(0));
    Index* const last = c.tape.scratch<Index>(rows);
    bool* const done = c.tape.scratch<bool>(rows);
    std::fill_n(last, rows, start_token());
    std::fill_n(done, rows, false);
    RecurrentState state = first_state(c, z);
    for (Index t = 0; t < length_ && !std::all_of(done, done + rows, [](bool d) { return d; }); ++t) {
      if (t > 0 && word_dropout_ == 1) std::fill_n(last, rows, dropped_token());
      const Var token = embedding(c.tape.parameter(embedding_), {last, static_cast<std::size_t>(rows)});
      state = cell_.step(c, cell_.from_input(c, concat({token, z}, 1)), state);
      Var logits = output_(c, state.h);
      if (how == Tokens::sampled) logits = with_gumbel_noise(logits, c.key.fold("tokens").fold(static_cast<std::uint64_t>(t)));
      const std::span<const Index> best = argmax(logits);
      for (Index r = 0; r < rows; ++r) {
        last[r] = best[static_cast<std::size_t>(r)];
        if (!done[r]) x.data()[r * length_ + t] = static_cast<Real>(last[r]);
        done[r] = done[r] || last[r] == 0;
      }
    }
    return x;
  }

 private:
  Index dropped_token() const { return vocabulary_; }
  Index start_token() const { return vocabulary_ + 1; }
  RecurrentState first_state(const Context& c, Var z) const {
    const Var h = tanh(start_(c, z));
    return h.shape()[1] == cell_.hidden() ? RecurrentState{h, {}} : RecurrentState{chunk(h, 2, 0, 1), chunk(h, 2, 1, 1)};
  }
  /// Of the decoder's inputs only, in training; a decoder that loses all of them never sees any.
  void drop(const Context& c, std::span<Index> tokens) const {
    if (tokens.empty() || word_dropout_ == 0 || (!c.training && word_dropout_ < 1)) return;
    const Var u = uniform(c.tape, {std::ssize(tokens)}, c.key.fold("word dropout"));
    for (std::size_t i = 0; i < tokens.size(); ++i)
      if (double(u.data()[i]) < word_dropout_) tokens[i] = dropped_token();
  }

  Index length_, vocabulary_;
  double word_dropout_;
  Parameter& embedding_;
  Linear start_;
  RecurrentCell cell_;
  Linear output_;
};

}  // namespace

std::unique_ptr<Network> recurrent_encoder(const std::string& kind, const RecurrentConfig& config, const ImageShape& data,
                                           Parameters p) {
  return std::make_unique<RecurrentEncoder>(kind, config, data, p);
}
std::unique_ptr<Network> recurrent_decoder(const std::string& kind, const RecurrentConfig& config, Index inputs,
                                           const ImageShape& data, Parameters p) {
  return std::make_unique<RecurrentDecoder>(kind, config, inputs, data, p);
}

}  // namespace vaezoo
