#pragma once
// A distribution on the tape: what q(z | x) and p(z) are for one batch. A new law is one class; a pair of laws whose KL has a closed form is
// one line in kl.cpp.
#include <new>
#include <typeinfo>

#include "autodiff/random.hpp"
#include "autodiff/tape.hpp"

namespace vaezoo {

using ad::Index;
using ad::Key;
using ad::Real;
using ad::Tape;
using ad::Var;

struct Draw {
  Var value;     ///< [N, Z]
  Var log_prob;  ///< [N], in nats, of a law that knows its density only on the way to a draw (a flow); otherwise empty
};

/// N events of Z numbers, row by row. It lives on the tape of its parameters until that is reset, see on_tape().
class Distribution {
 public:
  /// A draw for each row. The gradient reaches the parameters through the value where the law can be reparameterised; where it cannot (a
  /// mixture), the value is a constant.
  virtual Draw rsample(Key key) const = 0;
  /// [N, Z] -> [N], in nats. Throws Error where only the density of its own draws is known; see log_prob(distribution, draw).
  virtual Var log_prob(Var value) const = 0;
  /// What stands for a row without noise, [N, Z]: the mean, or what a flow makes of its base's mean.
  virtual Var center() const = 0;
  /// The same numbers, constant for the gradient.
  virtual const Distribution& detached() const = 0;

 protected:
  ~Distribution() = default;  // on the tape, where nothing is destroyed
};

/// log q of a draw from q, [N], in nats.
inline Var log_prob(const Distribution& q, const Draw& draw) { return draw.log_prob ? draw.log_prob : q.log_prob(draw.value); }

/// KL(q || p), [N], in nats: in closed form where there is one, otherwise log q - log p of the draw from q, its unbiased estimate.
Var kl(const Distribution& q, const Distribution& p, const Draw& draw);
/// KL(q || p) of each dimension, [N, Z]; empty when there is no such closed form.
Var kl_per_dimension(const Distribution& q, const Distribution& p);
/// Does the KL of these two laws have a closed form? One that falls into the dimensions of z?
bool has_closed_form_kl(const std::type_info& q, const std::type_info& p);
bool has_kl_per_dimension(const std::type_info& q, const std::type_info& p);

/// A distribution that lives until the tape is reset.
template <class D>
const D& on_tape(Tape& tape, const D& distribution) {
  return *new (tape.scratch<D>(1)) D(distribution);
}

}  // namespace vaezoo
