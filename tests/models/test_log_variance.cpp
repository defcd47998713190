// "log_variance": bounds on the log variances of z.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/models/models_support.hpp"

using namespace vaezoo;
using namespace model_tests;
using Values = LikelihoodCase::Values;

namespace {

constexpr Index kCount = 8;

const LikelihoodCase& gaussian() { return likelihood_cases()[1]; }

/// The loss and all gradients of one step.
std::vector<Real> step(const Built& built, std::span<const Real> x) {
  Tape tape;
  built.store->zero_grad();
  const Objective o = built.model->objective({tape, true, Key(4)}, minibatch(tape, x, kCount));
  tape.backward(o.loss);
  const auto gradients = built.store->gradients();
  std::vector<Real> numbers(gradients.begin(), gradients.end());
  numbers.push_back(o.loss.item());
  return numbers;
}

}  // namespace

TEST_CASE("log_variance: bounds that nothing reaches change no bit; narrow ones hold the log variances") {
  const std::vector<Real> x = synthetic(Values::real, kCount);
  int models = 0;
  for (const ModelEntry& entry : model_registry()) {
    if (!has_setting(entry, "log_variance")) continue;
    ++models;
    CAPTURE(std::string(entry.name));
    const auto built_with = [&](const char* extra) { return build_small(entry, gaussian().settings, data_spec(Values::real), extra); };
    const Built free = built_with("{}"), wide = built_with(R"({"log_variance": [-60, 60]})");
    CHECK(step(free, x) == step(wide, x));
    const Built narrow = built_with(R"({"log_variance": [-0.02, 0.01]})");
    CHECK(step(free, x) != step(narrow, x));
    Tape tape(ad::Grad::off);
    Minibatch batch = minibatch(tape, x, kCount);
    std::vector<Real> mask(x.size(), 0);  // of one modality, so that no model mixes several of these normals
    for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = i % kDimension < kDimension / 2 ? Real(1) : Real(0);
    if (narrow.model->takes_mask()) batch.mask = tape.constant(batch.x.shape(), mask);
    const Var log_variance = narrow.model->posterior({tape, false, Key(1)}, batch).log_variance;
    const auto [low, high] = std::ranges::minmax(log_variance.value());
    const bool multiplies = std::string(entry.name) == "ladder_vae" || std::string(entry.name) == "mvae";  // two normals
    CHECK(low >= (multiplies ? -0.02 - std::log(2.0) : -0.02) - 1e-6);
    CHECK(high <= 0.01 + 1e-6);
  }
  CHECK(models > 8);
}

TEST_CASE("log_variance: what is no interval is refused") {
  const auto refused = [](const char* interval) {
    return message_of([&] { build("vae", std::string(R"({"log_variance": )") + interval + "}", data_spec(Values::unit)); });
  };
  for (const char* interval : {"[1]", "[2, 1]", "[1, 1]", "[1, 2, 3]"}) {
    CAPTURE(interval);
    CHECK(refused(interval).find("log_variance: needs a lower and a higher number, for example [-12, 6], or none") != std::string::npos);
  }
  CHECK(refused("[-1000, 0]").find("log_variance[0]: must be between -60 and 60") != std::string::npos);
  CHECK(refused("[-12, 6]") == "");
}
