#pragma once
// What the tests of the zoo share: small models from the registry, synthetic batches, statistics with a standard error.
#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "autodiff/parameters.hpp"
#include "models/registry.hpp"

namespace model_tests {

using namespace vaezoo;
using ad::ParameterStore;
using ad::Shape;

/// log (1/n sum_i e^x_i), in double.
template <class T>
double log_mean_exp(std::span<const T> x) {
  const double largest = double(*std::max_element(x.begin(), x.end()));
  double total = 0;
  for (const T v : x) total += std::exp(double(v) - largest);
  return largest + std::log(total / double(x.size()));
}
inline double log_mean_exp(const Real* x, Index count) {
  return log_mean_exp(std::span<const Real>(x, static_cast<std::size_t>(count)));
}

/// A mean that knows how far from its expectation it may be.
struct Sample {
  double count = 0, mean = 0, squares = 0;
  void add(double x) {
    count += 1;
    const double d = x - mean;
    mean += d / count;
    squares += d * (x - mean);
  }
  double variance() const { return squares / (count - 1); }
  double standard_error() const { return std::sqrt(variance() / count); }
  /// How many standard errors the mean lies above what it should be. Beyond +-5 it is not chance (1 in 1.7 million).
  double z(double expectation) const { return (mean - expectation) / standard_error(); }
};

/// What f throws says; "" when it throws nothing.
template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

/// A model with the store of its weights.
struct Built {
  std::unique_ptr<ModelConfig> config;
  std::unique_ptr<ParameterStore> store;
  std::unique_ptr<Model> model;

  std::span<Real> values(const char* path) const { return store->find(path)->value(); }
};

/// A model with exactly these settings (JSON). Throws ConfigError.
Built build(const std::string& name, const std::string& settings, const DataSpec& data, std::uint64_t seed = 1);

/// Any registered model, made small: of latent_dim 3, encoder and decoder (one hidden layer of 5, tanh) and likelihood those are
/// set that the model has, and of several stochastic layers those of 3 and 2 dimensions; `extra` (JSON) goes on top.
Built build_small(const ModelEntry& entry, const std::string& likelihood, const DataSpec& data, const std::string& extra = "{}",
                  std::uint64_t seed = 1);

/// The weights whose paths begin with this are no longer trained.
void freeze(const Built& built, const std::string& below);
/// Freezes the weights whose gradient the model cuts on purpose from a part of its loss, so that differences of the loss are no oracle.
void freeze_detached(const Built& built);
/// Numbers in the weights that are not frozen.
Index trainable_count(const ad::ParameterStore& store);

/// Does the model have a setting of this name, at the top of its settings?
bool has_setting(const ModelEntry& entry, const char* key);

/// One likelihood in each of its forms.
struct LikelihoodCase {
  std::string settings;  ///< JSON
  enum class Values { binary, grid, unit, real, count } values;  ///< what data suit it; grid: multiples of 1/15; count: 0 to 4
};
std::span<const LikelihoodCase> likelihood_cases();

/// Settings of the KL's weight ("\"free_bits\": 3") at the place where this model has them.
inline std::string kl_settings(const std::string& model, const std::string& fields) {
  return model == "beta_vae" ? "{\"objective\": {" + fields + "}}" : "{" + fields + "}";
}

constexpr Index kDimension = 6;
/// Images 2 pixels high, each row a modality, with labels of kClasses classes.
DataSpec data_spec(LikelihoodCase::Values values, Index dimension = kDimension);
/// [count, dimension]: two hidden factors and noise, brought to the range that `values` asks for.
std::vector<Real> synthetic(LikelihoodCase::Values values, Index count, Index dimension = kDimension, std::uint64_t seed = 3);

/// One training step of Adam at rate 0.01 on all of x per call; returns the losses.
std::vector<double> train(const Built& built, std::span<const Real> x, Index count, int steps);

constexpr Index kClasses = 3;
/// x [count, D] with labels 0, 1, 2, 0, ...; at most 32768 rows.
Minibatch minibatch(Tape& tape, std::span<const Real> x, Index count);

}  // namespace model_tests
