#pragma once
// Vector quantisation: each vector becomes the nearest of K learned codes (van den Oord et al., "Neural Discrete Representation
// Learning", NeurIPS 2017).
#include <span>
#include <string>
#include <vector>

#include "config/fields.hpp"
#include "models/model.hpp"

namespace vaezoo {

struct CodebookConfig {
  std::int64_t codes = 512;
  std::string learning = "ema";  // ema, loss
  double decay = 0.99, epsilon = 1e-5;
  double codebook_weight = 1;
  double commitment = 0.25;
  std::string start = "kmeans";  // kmeans, uniform
  std::int64_t restart_after = 100;
  bool normalize = false;

  void fields(Fields& f);
  std::string describe() const;
};

/// The row of table [K, D] that is nearest to each row of x [N, D] by |x - e|^2; the first of equals. Lives in the tape until its
/// reset.
std::span<const Index> nearest_rows(Var x, Var table);

/// e^(entropy) of how often each of `codes` codes occurs among `indices`: how many codes are in use, as it were.
double perplexity(std::span<const Index> indices, Index codes, Tape& tape);

struct Clusters {
  std::vector<Real> centres;   ///< [clusters, width]
  std::vector<double> sizes;   ///< points nearest to each
};
/// Lloyd's k-means from a k-means++ start (Arthur & Vassilvitskii, 2007).   points: [N, width], N >= 1. A centre that loses all
/// points stays where it is.
Clusters kmeans(Key key, std::span<const Real> points, Index width, Index clusters, int rounds);

/// How long each code has not been chosen, in steps of training.
class CodeUsage {
 public:
  CodeUsage(Index codes, const ad::Parameters& p);

  void update(Tape& tape, std::span<const Index> chosen) const;  ///< one more step, at Tape::commit()
  /// The share of codes that were chosen in the last 100 steps of training.
  Var share(Tape& tape) const;
  void count(std::span<const Index> chosen) const;               ///< the same at once
  Real idle(Index code) const { return idle_->value()[static_cast<std::size_t>(code)]; }

 private:
  ad::Parameter *idle_, *steps_;
};

/// A batch of vectors and their codes.
struct Quantized {
  Var z;                         ///< [B, n D]: the codes' vectors, with the gradient of the vectors that came (straight-through)
  Var input;                     ///< [B, n D]: these vectors (at length 1, when the codebook is normalised)
  Var e;                         ///< [B, n D]: the codes' vectors, with the gradient of the codebook
  std::span<const Index> codes;  ///< [B n]
  Var commitment;                ///< |z - sg(e)|^2, summed over an example's vectors, mean of the batch
  Var codebook;                  ///< |sg(z) - e|^2 likewise; empty when averages move the codes
  Var perplexity;
};

/// K codes of D numbers. They follow the vectors that choose them
///   ema   as their moving averages: N_k <- average of the number of vectors, m_k <- average of their sum, both corrected for
///   their start
///         from zero, e_k = m_k / N_k with Laplace smoothing of N_k (appendix A.1 of the paper; Sonnet's VectorQuantizerEMA)
///   loss  by the gradient of |sg(z) - e|^2 (eq. 3)
/// A code that no vector chose for `restart_after` steps is put where some vector of the batch is.
class Codebook {
 public:
  Codebook(const CodebookConfig& config, Index width, const ad::Parameters& p);

  /// z: [B, n D]. Changes nothing.
  Quantized operator()(const Context& c, Var z) const;
  /// commitment * q.commitment, plus the codebook's own loss: what is added to the distortion.
  Var penalty(const Quantized& q) const;
  /// One step of learning from vectors [N, D] and the codes that they chose, at Tape::commit(): for training, once a step.
  void update(const Context& c, Var input, std::span<const Index> codes) const;
  /// Starts codes [first, first + count) as k-means centres of z [B, n D], if the configuration says so.
  void initialize(Key key, Var z, Index first, Index count) const;
  void initialize(Key key, Var z) const { initialize(key, z, 0, codes()); }

  Var embed(const Context& c, std::span<const Index> codes) const;  ///< [N, D]
  Var table(const Context& c) const;                                ///< [K, D]
  std::span<const Index> nearest(const Context& c, Var rows) const { return nearest_rows(rows, table(c)); }
  Var usage(Tape& tape) const { return usage_.share(tape); }
  Index codes() const { return codes_; }
  Index width() const { return width_; }

 private:
  void learn(const Context& c, Var input, std::span<const Index> codes) const;
  void move_averages(Tape& tape, const Real* input, std::span<const Index> codes) const;
  void set_code(Index code, const Real* vector, Real count) const;
  void restart_idle(const Context& c, Var input) const;
  Var normalized(Var rows) const;

  CodebookConfig config_;
  Index codes_, width_;
  std::string path_;
  CodeUsage usage_;
  ad::Parameter *table_, *age_;
  ad::Parameter *counts_ = nullptr, *sums_ = nullptr, *weight_ = nullptr;  // the averages times weight = 1 - decay^steps
};

/// What models of discrete codes report.
namespace terms {
Term commitment(Var value);  ///< Quantized::commitment
Term codebook(Var value);    ///< Quantized::codebook
Term penalty(Var value);     ///< Codebook::penalty
Term perplexity(Var value);  ///< Quantized::perplexity
Term usage(Var value);       ///< Codebook::usage
}  // namespace terms

}  // namespace vaezoo
