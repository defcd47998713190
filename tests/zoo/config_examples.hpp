#pragma once
// Structs that the tests of config/ read, write and describe.
#include <concepts>
#include <string>

#include "config/document.hpp"
#include "config/fields.hpp"
#include "config/reader.hpp"

namespace vaezoo::test {

struct Adam {
  double learning_rate = 1e-3, beta1 = 0.9;
  void fields(Fields& f) {
    f("learning_rate", learning_rate, "step size", more_than(0));
    f("beta1", beta1, "decay of the mean", below_one());
  }
};

struct Sgd {
  double learning_rate = 1e-2, momentum = 0;
  bool nesterov = false;
  void fields(Fields& f) {
    f("learning_rate", learning_rate, "step size", more_than(0));
    f("momentum", momentum, "decay of the sum", below_one());
    f("nesterov", nesterov, "Nesterov momentum");
    f.require("nesterov", !nesterov || momentum > 0, "needs a momentum above 0");
  }
};

struct Model {
  std::int64_t latent_dim = 20;
  double beta = 1;
  std::vector<std::int64_t> hidden = {400};
  std::vector<double> weights;
  std::string likelihood = "bernoulli";
  std::optional<double> sigma;
  std::optional<std::int64_t> components;
  void fields(Fields& f) {
    f("latent_dim", latent_dim, "dimension of z", at_least(1));
    f("beta", beta, "weight of the KL", at_least(0));
    f("hidden", hidden, "widths of the hidden layers", between(1, 65536));
    f("weights", weights, "weights of the scales", between(0, 1));
    f.choice("likelihood", likelihood, {"bernoulli", "gaussian", "laplace"}, "of a pixel");
    f("sigma", sigma, "fixed deviation", more_than(0));
    f("components", components, "of the mixture", at_least(2));
    f.require("sigma", !sigma || likelihood == "gaussian", "only a gaussian likelihood has one");
  }
};

struct Experiment {
  std::string name = "test";
  std::int64_t seed = 0;
  bool verbose = false;
  std::vector<std::string> splits = {"test"};
  Model model;
  std::string optimizer = "adam";
  Adam adam;
  Sgd sgd;
  void fields(Fields& f) {
    f("name", name, "of the run");
    f("seed", seed, "of all random numbers");
    f("verbose", verbose, "says more");
    f("splits", splits, "to evaluate");
    f("model", model, "the model");
    f.one_of("optimizer", optimizer,
             {alternative("adam", "Adam", adam), alternative("sgd", "SGD", sgd), {"none", "stays as it is", {}}},
             "how gradients become steps");
  }
};

inline Experiment read(const std::string& text, const std::vector<std::string>& overrides = {}) {
  Document document = Document::from_text(text, "exp.json");
  for (const std::string& assignment : overrides) document.set(assignment);
  return read_config<Experiment>(document);
}

/// The error that `action` throws, or "" when it throws none.
template <std::invocable Action>
std::string error_of(const Action& action) {
  try {
    action();
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

inline std::string error_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return error_of([&] { (void)read(text, overrides); });
}

}  // namespace vaezoo::test
