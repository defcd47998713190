#pragma once
// Codes of G categorical variables, each a one-hot vector of K numbers: z is [N, G K].
//   Jang, Gu & Poole, "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017
//   Maddison, Mnih & Teh, "The Concrete Distribution", ICLR 2017
#include "models/distributions/distribution.hpp"

namespace vaezoo {

/// Independent categorical variables. Draws are constants.
class OneHotCategorical final : public Distribution {
 public:
  /// log_probabilities: [N, G, K].
  explicit OneHotCategorical(Var log_probabilities) : log_p_(log_probabilities) {}
  /// With probabilities softmax(logits) over each `classes` neighbours of logits [N, G K].
  static OneHotCategorical of_logits(Var logits, Index classes);

  Draw rsample(Key key) const override;
  Var log_prob(Var value) const override;
  Var center() const override;  ///< the likeliest class of each variable
  const OneHotCategorical& detached() const override;
  Var log_probabilities() const { return log_p_; }

 private:
  Var log_p_;
};

/// The same variables relaxed for training: draws softmax((log p + Gumbel noise) / temperature), which have gradients and tend to one-hot
/// vectors as the temperature falls. Straight-through: the value is the one-hot vector of the largest number, the gradient that of the
/// relaxed draw. The KL is that of the categorical variables (Jang et al.), so the loss with relaxed draws is not a bound of log p(x).
class RelaxedOneHot final : public Distribution {
 public:
  RelaxedOneHot(const OneHotCategorical& of, Real temperature, bool straight_through)
      : of_(of), temperature_(temperature), straight_through_(straight_through) {}
  Draw rsample(Key key) const override;
  Var log_prob(Var value) const override;  ///< throws Error
  Var center() const override { return of_.center(); }
  const Distribution& detached() const override;
  const OneHotCategorical& categorical() const { return of_; }

 private:
  OneHotCategorical of_;
  Real temperature_;
  bool straight_through_;
};

/// The sum over the variables of sum_k q_k (log q_k - log p_k), [N].
Var kl(const OneHotCategorical& q, const OneHotCategorical& p);
Var kl(const RelaxedOneHot& q, const OneHotCategorical& p);

/// logits + standard Gumbel noise, whose largest number is where a draw from softmax(logits) falls.
Var with_gumbel_noise(Var logits, Key key);
/// One such draw for each row of logits [N, K].
std::span<const Index> draw_classes(Var logits, Key key);

}  // namespace vaezoo
