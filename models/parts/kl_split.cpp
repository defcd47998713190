#include "models/parts/kl_split.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {

using namespace ad;

KlSplit split_kl(Var z, Var log_q_z_given_x, Var log_p_z, const DiagonalNormal& q, Var log_weight) {
  constexpr Real kHalfLog2Pi = Real(0.91893853320467274178);
  const Var l = unsqueeze(q.log_variance, 0);
  const Var log_q = Real(-0.5) * (square(unsqueeze(z, 1) - unsqueeze(q.mean, 0)) * exp(-l) + l) - kHalfLog2Pi;  // log q(z_id | x_j), [n, N, Z]
  const Var log_q_z = logsumexp(sum(log_q, 2) + log_weight, 1);                              // log q(z_i)
  const Var log_q_z_d = sum(logsumexp(log_q + unsqueeze(log_weight, 2), 1), 1);              // sum_d log q(z_id)
  return {log_q_z_given_x - log_q_z, log_q_z - log_q_z_d, log_q_z_d - log_p_z};
}

Var stratified_log_weights(Tape& tape, Index batch, Index examples) {
  const double n = double(std::max(examples, batch)), others = double(batch - 1);
  if (batch == 1) return tape.constant({1, 1}, Real(0));
  // Of row i: its own posterior stands for itself, one other for the examples that are not in the batch, the rest for themselves.
  const Var w = tape.constant({batch, batch}, static_cast<Real>(-std::log(others)));
  for (Index i = 0; i < batch; ++i) {
    w.data()[i * batch + i] = static_cast<Real>(-std::log(n));
    w.data()[i * batch + (i + 1) % batch] = static_cast<Real>(std::log((n - others) / (n * others)));
  }
  return w;
}

Var weighted_log_weights(Tape& tape, Index batch, Index examples) {
  return tape.constant({batch, batch}, static_cast<Real>(-std::log(double(std::max(examples, batch)) * double(batch))));
}

}  // namespace vaezoo
