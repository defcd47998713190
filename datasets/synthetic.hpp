#pragma once
// Data drawn from distributions that are known exactly: the truth that models and estimators are tested against.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "config/fields.hpp"
#include "datasets/dataset.hpp"

namespace vaezoo {

struct LinearGaussianConfig {
  std::int64_t size = 10000, latent_dim = 2, data_dim = 8;
  double sigma = 0.5;
  void fields(Fields& f);
};

/// Probabilistic PCA (Tipping & Bishop 1999): z ~ N(0, I) and x | z ~ N(W z + b, sigma^2 I), so x ~ N(b, C) with
/// C = W W^T + sigma^2 I.
class LinearGaussian {
 public:
  /// W has independent N(0, 1 / latent_dim) elements and b N(0, 1) ones, drawn from the key.
  LinearGaussian(const LinearGaussianConfig& config, Key key);

  Index data_dim() const { return static_cast<Index>(b.size()); }
  Index latent_dim() const { return static_cast<Index>(W.size() / b.size()); }
  double log_density(std::span<const Real> x) const;  ///< exact log p(x), nats
  std::vector<Real> sample(Index count, Key key) const;  ///< [count, data_dim]

  std::vector<double> W;  ///< [data_dim, latent_dim]
  std::vector<double> b;  ///< [data_dim]
  double sigma;

 private:
  std::vector<double> cholesky_;  // lower L with L L^T = C, [data_dim, data_dim]
  double log_normalizer_;         // -(D log 2 pi + log det C) / 2
};
Dataset load_linear_gaussian(const LinearGaussianConfig& config, Key key);

struct GaussianMixtureConfig {
  std::int64_t size = 10000, components = 8;
  std::string layout = "ring";
  double spread = 2, sigma = 0.2;
  void fields(Fields& f);
};

/// Equal parts of two-dimensional Gaussians N(m_k, sigma^2 I), whose means lie on a ring around 0 or on a square grid.
class GaussianMixture {
 public:
  explicit GaussianMixture(const GaussianMixtureConfig& config);

  double log_density(std::span<const Real> x) const;  ///< exact log p(x), nats
  std::vector<Real> sample(Index count, Key key, std::vector<int>& component) const;  ///< [count, 2]

  std::vector<double> means;  ///< [components, 2]
  double sigma;
};
Dataset load_gaussian_mixture(const GaussianMixtureConfig& config, Key key);

struct TwoMoonsConfig {
  std::int64_t size = 10000;
  double noise = 0.1;
  void fields(Fields& f);
};
/// Two interleaving half circles of radius 1 with Gaussian noise; the class is the moon. log p(x) is not known.
Dataset load_two_moons(const TwoMoonsConfig& config, Key key);

}  // namespace vaezoo
