#include "autodiff/recurrent.hpp"

#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/initializers.hpp"
#include "autodiff/map.hpp"
#include "autodiff/shape_ops.hpp"

namespace ad {
namespace {

LinearOptions options(Index hidden, bool bias) {
  const Real bound = 1 / std::sqrt(static_cast<Real>(hidden));
  return {.bias = bias, .initial_weight = init::uniform(-bound, bound), .initial_bias = init::uniform(-bound, bound)};
}

}  // namespace

RecurrentCell::RecurrentCell(Kind kind, const Parameters& p, Index in, Index hidden)
    : kind_(kind),
      hidden_(hidden),
      input_(p / "input", in, (kind == Kind::lstm ? 4 : 3) * hidden, options(hidden, true)),
      recurrent_(p / "recurrent", hidden, (kind == Kind::lstm ? 4 : 3) * hidden, options(hidden, kind == Kind::gru)) {}

RecurrentState RecurrentCell::start(Tape& tape, Index batch) const {
  const Var zeros = tape.constant({batch, hidden_}, Real(0));
  return {zeros, kind_ == Kind::lstm ? zeros : Var()};
}

RecurrentState RecurrentCell::step(const Context& context, Var from_input, const RecurrentState& before) const {
  const Var from_state = recurrent_(context, before.h);
  if (kind_ == Kind::lstm) {
    const Var gates = from_input + from_state;
    const auto gate = [&](Index k) { return chunk(gates, 4, k, 1); };
    const Var c = map(
        "lstm_memory", [](auto i, auto f, auto g, auto m) { return sigmoid(f) * m + sigmoid(i) * tanh(g); }, gate(0), gate(1),
        gate(2), before.c);
    return {map(
                "lstm_output", [](auto o, auto m) { return sigmoid(o) * tanh(m); }, gate(3), c),
            c};
  }
  const auto of_input = [&](Index k) { return chunk(from_input, 3, k, 1); };
  const auto of_state = [&](Index k) { return chunk(from_state, 3, k, 1); };
  const Var n = map(
      "gru_new", [](auto rx, auto rh, auto nx, auto nh) { return tanh(nx + sigmoid(rx + rh) * nh); }, of_input(0), of_state(0),
      of_input(2), of_state(2));
  return {map(
              "gru_output", [](auto zx, auto zh, auto fresh, auto old) { return fresh + sigmoid(zx + zh) * (old - fresh); },
              of_input(1), of_state(1), n, before.h),
          {}};
}

}  // namespace ad
