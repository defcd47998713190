#pragma once
// Models of q(z | x), p(z) and p(x | z), in one level of the code or several: what an objective asks of them. The objectives are in
// models/objectives and know models only through this.
#include <span>

#include "models/model.hpp"
#include "models/parts/importance_bounds.hpp"
#include "models/parts/terms.hpp"

namespace vaezoo {

/// What one draw of a level of the code costs.
struct LevelRate {
  Var rate;           ///< KL(q || p), or where that has no closed form log q - log p at the draw; [B], nats
  Var per_dimension;  ///< [B, Z]; empty where it was not asked for or does not exist
  Index channels;     ///< numbers at each place of a map; of a vector its dimension
  Var z{};            ///< in a model of one level, the draw from q, and the two laws
  const Distribution* q = nullptr;
  const Distribution* p = nullptr;
};

/// A draw z ~ q(z | x) = N(mean, diag variance), [B, Z], and p(z).
struct NormalCode {
  Var draw;
  const DiagonalNormal& q;
  const Distribution& p;
};

/// One draw of the whole code for each example.
struct Trace {
  Var log_p_x;                        ///< log p(x | z), [B], nats
  std::span<const LevelRate> levels;  ///< the one nearest to x first

  /// Of a model with has_normal_code().
  NormalCode code() const { return {levels[0].z, static_cast<const DiagonalNormal&>(*levels[0].q), *levels[0].p}; }
};

/// The means of a trace's rates over the batch: of each level, and their sum.
struct MeanRates {
  Var kl;
  std::span<const Var> levels;
};
MeanRates mean_rates(const Context& c, const Trace& trace);

/// Draws and what their weights are made of; each [B, K] in nats.
struct ImportanceSamples {
  Var log_p_x;                      ///< log p(x | z_k)
  Var log_ratio;                    ///< log q(z_k | x) - log p(z_k)
  std::span<const Var> levels;      ///< the same of each level, whose sum it is, [B K]
  std::span<Real> encoder_factors;  ///< [B K]: multiply the gradient that draw k sends to the encoder; 1 at first

  /// log p(x, z_k) - log q(z_k | x), with a weight of the rate log p(x | z_k) - beta log_ratio.
  Var log_w(Real beta = 1) const;
  /// `factors` of any shape with B K elements in the order of the draws; their values count.
  void scale_encoder_gradient(Var factors) const;
};

class VariationalModel : public Model {
 public:
  /// Draws each level from its q with c.key; the rates as the estimator wants them.
  virtual Trace trace(const Context& c, const Minibatch& batch, bool per_dimension) const = 0;
  virtual ImportanceSamples weighted_draws(const Context& c, const Minibatch& batch, Index samples) const = 0;
  /// "kl_z1", ...: the term of each level's rate; empty in a model of one level, where it is the KL.
  virtual std::span<const terms::Named> level_terms() const { return {}; }
  virtual const Estimator& estimator() const = 0;
  /// Does the rate have a closed form that falls into dimensions?
  virtual bool has_rate_per_dimension() const = 0;
  /// Is the code one vector whose q(z | x) is a diagonal normal?
  virtual bool has_normal_code() const { return false; }
  /// Is the code one vector, which decode() takes as the trace has it?
  virtual bool has_code() const { return false; }
  /// Is the code one vector of real numbers and classes, and its laws Joined?
  virtual bool has_joint_code() const { return false; }
  /// Is a draw with the same noise a smooth function of the parameters? Not one by rejection, whose gradient is right in the mean only.
  virtual bool smooth_draws() const { return true; }
  /// Is z relaxed in training, where it then has no density under the prior?
  virtual bool relaxed() const { return false; }
  /// Do the encoder_factors reach all that the draws send to the encoder?
  virtual bool can_weigh_draws() const = 0;

  Var log_weights(const Context& c, const Minibatch& batch, Index samples) const final {
    return weighted_draws(c, batch, samples).log_w();
  }
};

}  // namespace vaezoo
