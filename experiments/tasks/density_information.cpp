#include "experiments/tasks/density_information.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "autodiff/parallel.hpp"
#include "experiments/tasks/disentanglement_measures.hpp"

namespace vaezoo {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// H(z_d) of the mixture of these normals, for each d.
std::vector<double> entropies(const NormalCodes& q, Key key) {
  const Index N = q.mean.rows, D = q.mean.columns;
  std::vector<ad::Real> noise(at(N * D));
  ad::fill_normal(key, noise);
  std::vector<double> out(at(D), 0);
  ad::parallel_for(D, [&](Index d) {
    const std::vector<double> mean = q.mean.column(d), log_variance = q.log_variance.column(d);
    std::vector<double> precision, height;
    for (const double v : log_variance) {
      precision.push_back(std::exp(-v));
      height.push_back(std::exp(-v / 2) / std::sqrt(2 * std::numbers::pi));
    }
    for (Index n = 0; n < N; ++n) {
      const double z = mean[at(n)] + std::exp(log_variance[at(n)] / 2) * double(noise[at(n * D + d)]);
      double density = 0;
      for (std::size_t m = 0; m < mean.size(); ++m) {
        const double off = z - mean[m];
        if (Index(m) != n) density += height[m] * std::exp(-0.5 * off * off * precision[m]);
      }
      out[at(d)] -= std::log(std::max(density / double(N - 1), 1e-300)) / double(N);
    }
  });
  return out;
}

}  // namespace

std::optional<std::vector<double>> density_information_gaps(const std::function<NormalCodes(const FactorTable&, Key)>& posterior,
                                                            const std::vector<int>& counts, Index examples, Key key) {
  // The marginal as the mean over several sets of examples, of which each is as large as those of a factor's value.
  constexpr Index kSets = 10;
  std::vector<double> marginal;
  for (Index set = 0; set < kSets; ++set) {
    const Key own = key.fold("marginal").fold(static_cast<std::uint64_t>(set));
    const NormalCodes q = posterior(draw_factors(counts, examples, own), own.fold("codes"));
    if (q.log_variance.rows == 0) return std::nullopt;
    const std::vector<double> h = entropies(q, own.fold("draws"));
    marginal.resize(h.size(), 0);
    for (std::size_t d = 0; d < h.size(); ++d) marginal[d] += h[d] / double(kSets);
  }
  Matrix information(std::ssize(marginal), std::ssize(counts));
  std::vector<double> entropy;
  for (Index k = 0; k < information.columns; ++k) {
    const int values = counts[at(k)];
    entropy.push_back(std::log(double(values)));
    for (Index d = 0; d < information.rows; ++d) information(d, k) = marginal[at(d)];
    for (int v = 0; v < values; ++v) {
      const Key own = key.fold(static_cast<std::uint64_t>(k)).fold(static_cast<std::uint64_t>(v));
      FactorTable factors = draw_factors(counts, examples, own);
      for (Index i = 0; i < examples; ++i) factors(i, k) = v;
      const std::vector<double> h = entropies(posterior(factors, own.fold("codes")), own.fold("draws"));
      for (Index d = 0; d < information.rows; ++d) information(d, k) -= h[at(d)] / double(values);
    }
  }
  return information_gaps(information, entropy);
}

}  // namespace vaezoo
