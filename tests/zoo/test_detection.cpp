// Anomalies: scores and data.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "config/reader.hpp"
#include "datasets/config.hpp"
#include "experiments/runner/detection.hpp"
#include "experiments/runner/errors.hpp"
#include "tests/zoo/runner_support.hpp"

using namespace vaezoo;
using namespace test_support;
using nlohmann::json;

TEST_CASE("detection: AUROC is the share of ordered pairs, ties counting half; average precision by hand") {
  const std::vector<double> scores = {0.1, 0.4, 0.35, 0.8};
  const std::vector<std::uint8_t> anomaly = {0, 0, 1, 1};
  CHECK(auroc(scores, anomaly) == doctest::Approx(0.75));  // the documentation of scikit-learn's roc_auc_score
  CHECK(average_precision(scores, anomaly) == doctest::Approx(0.8333333333));  // and of average_precision_score
  const std::vector<double> tied = {1, 1, 1, 1};
  CHECK(auroc(tied, anomaly) == doctest::Approx(0.5));
  CHECK(average_precision(tied, anomaly) == doctest::Approx(0.5));
  CHECK(std::isnan(auroc(scores, std::vector<std::uint8_t>(4, 0))));
  CHECK(std::isnan(average_precision(scores, std::vector<std::uint8_t>(4, 0))));

  std::vector<Real> u(300);
  ad::fill_uniform(ad::Key(1), u);
  std::vector<double> s;
  std::vector<std::uint8_t> a;
  for (std::size_t i = 0; i < 150; ++i)
    s.push_back(std::round(10 * double(u[2 * i])) / 10), a.push_back(u[2 * i + 1] < 0.3 ? 1 : 0);
  double pairs = 0, right = 0;
  for (std::size_t i = 0; i < s.size(); ++i)
    for (std::size_t j = 0; j < s.size(); ++j)
      if (a[i] != 0 && a[j] == 0) pairs += 1, right += s[i] > s[j] ? 1 : s[i] == s[j] ? 0.5 : 0;
  CHECK(auroc(s, a) == doctest::Approx(right / pairs));
}

TEST_CASE("normal: training and validation keep those classes, the test split keeps all with its labels") {
  DatasetConfig config;
  config.normal = {"3", "5"};
  const Dataset data = load_dataset(config, "");
  for (const Examples* split : {&data.train, &data.validation}) {
    CHECK(split->size() > 20);
    for (const int label : split->labels()) CHECK((label == 3 || label == 5));
  }
  CHECK(data.test.size() == 180);
  CHECK(data.classes == 10);
  CHECK(data.normal == std::vector<bool>{false, false, false, true, false, true, false, false, false, false});
  config.normal = {"3", "3"};
  CHECK(message_of<ConfigError>([&] { load_dataset(config, ""); }) == "dataset.normal: names class '3' twice");
  config.normal = {"eleven"};
  CHECK(message_of<ConfigError>([&] { load_dataset(config, ""); }).starts_with("dataset.normal: there is no class 'eleven'"));
}

TEST_CASE("run: a VAE of one class tells the others by its ELBO, and an autoencoder by its reconstruction") {
  const TempFolder temp;
  json e = tiny_experiment();
  e["dataset"] = {{"name", "digits"}, {"normal", {"0"}}};
  e["train"]["epochs"] = 60;
  e["evaluate"] = {{"splits", {"validation", "test"}}, {"importance_samples", 10}};
  REQUIRE(run(e, temp / "vae") == kDone);
  const json summary = read_json_file(temp / "vae" / "summary.json");
  CHECK_FALSE(summary.at("validation").contains("auroc_elbo"));  // it has no anomalies
  for (const char* name : {"auroc_elbo", "auroc_nll", "auroc_reconstruction", "auprc_elbo"}) {
    CAPTURE(name);
    CHECK(summary.at("test").at(name).get<double>() > 0.9);
  }
  e["model"]["name"] = "autoencoder";
  REQUIRE(run(e, temp / "autoencoder") == kDone);
  const json test = read_json_file(temp / "autoencoder" / "summary.json").at("test");
  CHECK(test.at("auroc_reconstruction").get<double>() > 0.9);
  CHECK_FALSE(test.contains("auroc_elbo"));
}
