#include <doctest/doctest.h>

#include <array>
#include <cmath>

#include "tests/models/models_support.hpp"

using namespace model_tests;

namespace {

/// `each` points about each of four corners, in turn.
std::vector<Real> corners(Index each, double spread) {
  std::vector<Real> x(static_cast<std::size_t>(8 * each));
  ad::fill_normal(Key(5), x, 0, static_cast<Real>(spread));
  for (Index i = 0; i < 4 * each; ++i) {
    x[static_cast<std::size_t>(2 * i)] += static_cast<Real>(i % 4 < 2 ? -3 : 3);
    x[static_cast<std::size_t>(2 * i + 1)] += static_cast<Real>(i % 2 == 0 ? -3 : 3);
  }
  return x;
}

}  // namespace

TEST_CASE("the prior clusters starts from the means, variances and shares of the clusters of the codes") {
  const std::vector<Real> x = corners(64, 0.5);  // the encoder is the identity
  const Built built = build("vade", R"({"latent_dim": 2, "encoder": {"hidden": []}, "decoder": {"hidden": []}, "likelihood": "gaussian",
                                       "prior": {"name": "clusters", "components": 4, "examples": 256}})",
                            DataSpec{.width = 2, .unit_interval = false});
  std::ranges::copy(std::array<Real, 8>{1, 0, 0, 1, 0, 0, 0, 0}, built.values("encoder/head/weight").begin());
  std::ranges::copy(std::array<Real, 4>{0, 0, Real(std::log(0.01)), Real(std::log(0.01))}, built.values("encoder/head/bias").begin());
  CHECK(built.model->initial_examples() == 256);
  Tape tape;
  const Context c{tape, false, Key(2)};
  Minibatch batch{.x = tape.constant({256, 2}, x)};
  built.model->initialize(c, batch);
  for (const Real m : built.values("prior/mean")) CHECK(std::abs(std::abs(double(m)) - 3) < 0.3);
  for (const Real l : built.values("prior/log_variance")) CHECK(double(l) == doctest::Approx(std::log(0.26)).epsilon(0.25));
  for (const Real l : built.values("prior/logits")) CHECK(double(l) == doctest::Approx(std::log(0.25)).epsilon(1e-5));
  const std::span<const Index> clusters = built.model->clusters(c, batch);
  REQUIRE(clusters.size() == 256);
  for (std::size_t i = 0; i < 256; ++i) CHECK(clusters[i] == clusters[i % 4]);
  const Built plain = build("vae", R"({"latent_dim": 2})", DataSpec{.width = 2});
  CHECK(plain.model->clusters(c, batch).empty());
}
