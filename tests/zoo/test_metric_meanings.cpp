// Units and meanings of what a run reports, from the model and the evaluation to tables and the report.
#include <doctest/doctest.h>

#include <algorithm>

#include "experiments/runner/classifier.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/summary.hpp"
#include "models/registry.hpp"
#include "tests/zoo/runner_support.hpp"

using namespace vaezoo;
using namespace test_support;
using nlohmann::json;

TEST_CASE("meanings: every number of every model's evaluation has one, which the table shows and the curves share") {
  for (const ModelEntry& entry : model_registry()) {
    CAPTURE(entry.name);
    const json value = {{"dataset", {{"name", "digits"}, {"limit", 20}, {"modalities", {{"names", {"top", "bottom"}}, {"sizes", {32, 32}}}}}}, {"model", {{"name", entry.name}}}};
    const Session session(experiment(value), load_dataset(experiment(value).dataset, ""));
    EvaluationOptions options;
    options.importance_samples = 1;
    const Evaluation e = evaluate(*session.model, session.data, Split::train, options, Key(2));
    const std::vector<Metric> metrics = e.metrics();
    const std::string table = results_table(session, {{Split::train, e}});
    for (const Metric& m : metrics) {
      CAPTURE(m.name);
      CHECK(m.meaning.size() > 10);
      CHECK(table.find(ad::cat("  ", m.unit)) != std::string::npos);
      CHECK(table.find(ad::cat(" ", m.meaning, "\n")) != std::string::npos);
    }
    const std::vector<Metric> curves = objective_metrics(*session.model, session.data, Key(2));
    CHECK(curves.front().name == "loss");
    CHECK(curves.size() > 1);
    for (const Metric& m : curves) {
      CAPTURE(m.name);
      const auto same = std::ranges::find(metrics, m.name, &Metric::name);
      REQUIRE(same != metrics.end());
      CHECK(m.unit == same->unit);
      CHECK(m.meaning == same->meaning);
    }
  }
}

TEST_CASE("meanings: the judge's shares have one and no unit") {
  for (const Metric& m : Judgement{.classifier_accuracy = 0.9, .sample_accuracy = 0.8}.metrics()) {
    CHECK(m.value == (m.name == "sample_accuracy" ? 0.8 : 0.9));
    CHECK(m.unit == "");
    CHECK(m.meaning.size() > 10);
  }
}

TEST_CASE("meanings: the report explains the results and the curves of a model's own terms, also when no split was evaluated") {
  const TempFolder temp;
  json value = tiny_experiment();
  value["model"]["name"] = "vq_vae";
  value["model"].erase("latent_dim");
  value["model"]["codebook"] = {{"learning", "loss"}};
  const std::string own = "squared distance of the encoder&#39;s vectors from their codes";
  const std::string shared = "E_q log p(x|z); higher is better";
  const std::string of_training = "squared distance of the codes from the encoder&#39;s vectors";  // no evaluation has it
  REQUIRE(run(value, temp / "run") == kDone);
  const std::string page = read_file(temp / "run" / "report.html");
  CHECK(count(page, own) == 2);
  CHECK(count(page, shared) == 2);
  CHECK(count(page, of_training) == 1);
  value["evaluate"]["splits"] = json::array();
  REQUIRE(run(value, temp / "none") == kDone);
  const std::string curves = read_file(temp / "none" / "report.html");
  CHECK(count(curves, own) == 1);
  CHECK(count(curves, shared) == 1);
  CHECK(count(curves, of_training) == 1);
}
