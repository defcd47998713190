// Training that begins with the weights of another run.
#include <doctest/doctest.h>

#include "experiments/runner/errors.hpp"
#include "experiments/runner/start_from.hpp"
#include "tests/zoo/export_support.hpp"

using namespace vaezoo;
using namespace test_support;
using nlohmann::json;

namespace {

json tiny(const char* name, int latent_dim = 2) {
  return quick({{"name", name}, {"latent_dim", latent_dim}, {"encoder", {{"hidden", {8}}}}, {"decoder", {{"hidden", {8}}}}});
}

/// A learning rate of nothing: what it began with is what it ends with.
json standing_still(json value, const std::string& start_from) {
  value["train"]["optimizer"] = {{"name", "sgd"}, {"learning_rate", 1e-30}};
  value["train"]["start_from"] = start_from;
  return value;
}

std::vector<Real> weights(const LoadedRun& run, const char* path) {
  const auto value = run.session->store.find(path)->value();
  return {value.begin(), value.end()};
}

}  // namespace

TEST_CASE("start_from: a run begins with all weights that it shares with another, also of another model") {
  const TempFolder temp;
  REQUIRE(run(tiny("vae"), temp / "first") == kDone);
  const LoadedRun first = loaded(temp / "first");
  json value = standing_still(tiny("beta_vae"), (temp / "first").string());
  value["seed"] = 7;
  REQUIRE(run(value, temp / "second") == kDone);
  const LoadedRun second = loaded(temp / "second");
  for (ad::Parameter& p : first.session->store.all()) CHECK(weights(first, p.path().c_str()) == weights(second, p.path().c_str()));
}

TEST_CASE("start_from: weights of another shape keep their own initial values, and are named") {
  const TempFolder temp;
  REQUIRE(run(tiny("vae"), temp / "first") == kDone);
  const LoadedRun first = loaded(temp / "first");
  json value = standing_still(tiny("vae", 3), (temp / "first" / "checkpoints" / "last.safetensors").string());
  REQUIRE(run(value, temp / "second") == kDone);
  value["train"]["start_from"] = "";
  REQUIRE(run(value, temp / "fresh") == kDone);
  const LoadedRun second = loaded(temp / "second"), fresh = loaded(temp / "fresh");
  int shared = 0, own = 0;
  for (ad::Parameter& p : first.session->store.all()) {
    const char* path = p.path().c_str();
    const bool same_shape = second.session->store.find(path)->shape() == p.shape();
    (same_shape ? shared : own) += 1;
    CHECK(weights(second, path) == weights(same_shape ? first : fresh, path));
  }
  CHECK(shared > 0);
  CHECK(own > 0);
  ExperimentConfig config = load_experiment(temp / "second" / "config.json");
  Dataset data = load_dataset(config.dataset, temp.path());
  Session session(std::move(config), std::move(data));
  const std::string sentence = take_start_weights(session);
  CHECK(sentence.find(ad::cat("took ", shared, " of ", shared + own, " tensors; not taken: ")) != std::string::npos);
  CHECK(sentence.find("is [") != std::string::npos);
}

TEST_CASE("start_from: a codebook is the other run's and not found in the data, but the data's variance is that of this run's own") {
  const TempFolder temp;
  json value = quick(small_vq());
  value["model"]["codebook"] = {{"codes", 8}, {"learning", "loss"}, {"restart_after", 0}};  // which a rate of nothing leaves as it is
  REQUIRE(run(value, temp / "first") == kDone);
  value["dataset"]["seed"] = 5;
  REQUIRE(run(standing_still(value, (temp / "first").string()), temp / "second") == kDone);
  REQUIRE(run(standing_still(value, ""), temp / "fresh") == kDone);
  const LoadedRun first = loaded(temp / "first"), second = loaded(temp / "second"), fresh = loaded(temp / "fresh");
  CHECK(weights(second, "codebook/weight") == weights(first, "codebook/weight"));
  CHECK(weights(second, "codebook/weight") != weights(fresh, "codebook/weight"));
  CHECK(weights(second, "data_variance") == weights(fresh, "data_variance"));
  CHECK(weights(second, "data_variance") != weights(first, "data_variance"));
}

TEST_CASE("start_from: resume does not load them again, and needs them no more") {
  const TempFolder temp;
  REQUIRE(run(tiny("vae"), temp / "first") == kDone);
  json value = tiny("vae");
  value["train"]["start_from"] = (temp / "first").string();
  REQUIRE(run(value, temp / "one") == kDone);
  value["train"]["epochs"] = 2;
  REQUIRE(run(value, temp / "two") == kDone);
  std::filesystem::remove_all(temp / "first");
  CHECK(resume_run(temp / "one", {"train.epochs=2"}, {.data_dir = std::nullopt, .threads = 1, .quiet = true}) == kDone);
  const LoadedRun one = loaded(temp / "one"), two = loaded(temp / "two");
  for (ad::Parameter& p : one.session->store.all()) CHECK(weights(one, p.path().c_str()) == weights(two, p.path().c_str()));
}

TEST_CASE("start_from: a place without weights, and weights without a use, are refused before anything is written") {
  const TempFolder temp;
  json value = tiny("vae");
  value["train"]["start_from"] = (temp / "nowhere").string();
  CHECK_THROWS_WITH_AS(run(value, temp / "run"), doctest::Contains("is neither a .safetensors file nor a run's folder"), ConfigError);
  REQUIRE(run(quick(small_vq()), temp / "vq") == kDone);
  value["model"] = {{"name", "vae"}, {"latent_dim", 2}, {"encoder", {{"hidden", {9}}}}, {"decoder", {{"hidden", {9, 9}}}}};
  value["dataset"] = {{"name", "two_moons"}};
  value["model"]["likelihood"] = "gaussian";
  value["train"]["start_from"] = (temp / "vq").string();
  CHECK_THROWS_WITH_AS(run(value, temp / "run"), doctest::Contains("has no weights of this vae"), ConfigError);
  CHECK_FALSE(std::filesystem::exists(temp / "run"));
}
