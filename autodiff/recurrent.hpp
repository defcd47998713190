#pragma once
// Recurrent cells, one step at a time, so that a sequence of any length is a loop of ordinary code.
#include "autodiff/layers.hpp"

namespace ad {

/// What a cell carries from step to step, [B, hidden].
struct RecurrentState {
  Var h;  ///< its output
  Var c;  ///< the LSTM's memory; empty in a GRU
};

/// LSTM:  i, f, g, o = W x + U h + b;  c' = sigmoid(f) c + sigmoid(i) tanh(g);  h' = sigmoid(o) tanh(c')
/// GRU:   r, z from W x + b + U h + d;  n = tanh(W_n x + b_n + r (U_n h + d_n));  h' = (1 - z) n + z h
/// The gates stand in PyTorch's order (i f g o; r z n). Parameters: input/weight [gates hidden, in], input/bias, recurrent/weight
/// [gates hidden, hidden] and, in the GRU, recurrent/bias. Initial values are PyTorch's.
///   Hochreiter & Schmidhuber, "Long short-term memory", 1997; Cho et al., "Learning Phrase Representations ...", EMNLP 2014
class RecurrentCell {
 public:
  enum class Kind { lstm, gru };

  RecurrentCell(Kind kind, const Parameters& p, Index in, Index hidden);
  /// The part of the gates that depends on the inputs, of any number of steps at once: [..., in] -> [..., gates hidden].
  Var from_input(const Context& context, Var x) const { return input_(context, x); }
  /// One step for B sequences; `from_input` [B, gates hidden].
  RecurrentState step(const Context& context, Var from_input, const RecurrentState& before) const;
  /// Zeros.
  RecurrentState start(Tape& tape, Index batch) const;
  Index hidden() const { return hidden_; }

 private:
  Kind kind_;
  Index hidden_;
  Linear input_, recurrent_;
};

}  // namespace ad
