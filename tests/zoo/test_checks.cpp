// What a run refuses before its first step, and what it says when training diverges.
#include <doctest/doctest.h>

#include "experiments/runner/checks.hpp"
#include "experiments/runner/commands.hpp"
#include "experiments/runner/errors.hpp"
#include "tests/zoo/config_examples.hpp"
#include "tests/zoo/runner_support.hpp"

using namespace vaezoo;
using namespace test_support;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// `run` and `validate` say the same, and no folder is made.
std::string refusal(const json& value) {
  const TempFolder temp;
  std::string sentence;
  try {
    run(value, temp / "run");
  } catch (const ConfigError& e) {
    sentence = e.what();
  }
  CHECK(fs::exists(temp / "run") == sentence.empty());
  atomic_write(temp / "exp.json", value.dump());
  Child child({"validate", (temp / "exp.json").string()}, temp / "out.txt");
  CHECK(child.wait() == (sentence.empty() ? kDone : kConfig));
  if (!sentence.empty()) {
    const std::string said = child.output();
    CHECK(said.find(sentence.substr(sentence.find(": ") + 2)) != std::string::npos);
  }
  return sentence;
}

json with(const char* section, const json& settings) {
  json value = tiny_experiment();
  value[section].merge_patch(settings);
  return value;
}

std::string message_of_divergence(const json& value) {
  const TempFolder temp;
  try {
    run(value, temp / "run");
  } catch (const DivergedError& e) {
    return e.what();
  }
  return "";
}

/// An experiment on a table of 32 rows of 3 numbers around `offset`, which leads to numbers that are not finite.
json table(const TempFolder& temp, double offset) {
  std::string rows;
  for (int i = 0; i < 32; ++i) rows += std::to_string(offset + i % 5) + ",0." + std::to_string(i % 7) + ",0.5\n";
  atomic_write(temp / "data.csv", rows);
  json value = tiny_experiment();
  value["dataset"] = {{"name", "csv"}, {"train_file", (temp / "data.csv").string()}};
  value["model"]["likelihood"] = {{"name", "gaussian"}, {"sigma", 1e-6}};
  return value;
}

}  // namespace

TEST_CASE("checks: a last batch of one that batch normalisation cannot take is refused before the first step") {
  json value = with("dataset", {{"limit", 33}});
  value["model"]["encoder"]["batch_norm"] = true;
  CHECK(refusal(value) == "train.batch_size: 33 examples leave a last batch of one, which batch normalisation cannot take; "
                          "set train.drop_last or another batch_size");
  value["train"]["batch_size"] = 1;
  CHECK(refusal(value) == "train.batch_size: 1, which batch normalisation cannot take; set 2 or more");
  json ladder = with("dataset", {{"limit", 33}});
  ladder["model"] = {{"name", "ladder_vae"}, {"latent_dims", {2}}, {"hidden", {8}}};
  CHECK(refusal(ladder).find("33 examples leave a last batch of one") != std::string::npos);
  ladder["train"]["drop_last"] = true;
  ladder["train"]["epochs"] = 1;
  CHECK(refusal(ladder) == "");
}

TEST_CASE("checks: a model without batch normalisation trains on a last batch of one, and the check leaves no trace") {
  const TempFolder temp;
  json odd = with("dataset", {{"limit", 33}});
  odd["model"]["likelihood"] = {{"name", "gaussian"}, {"scale", "optimal"}};
  Session session(experiment(odd), load_dataset(experiment(odd).dataset, ""));
  const std::vector<Real> values(session.store.values().begin(), session.store.values().end());
  const std::vector<Real> buffers(session.store.buffers().begin(), session.store.buffers().end());
  check_before_training(session);
  CHECK(std::ranges::equal(session.store.values(), values));
  CHECK(std::ranges::equal(session.store.buffers(), buffers));
  CHECK(run(odd, temp / "run") == kDone);
}

TEST_CASE("checks: what watches an empty validation split, and labels that are not there, are refused before the first step") {
  json value = with("dataset", {{"validation", 0}});
  CHECK(refusal(value) == "");
  value["train"]["early_stopping"] = {{"patience", 3}};
  CHECK(refusal(value) == "train.early_stopping: watches the validation split, which is empty; set dataset.validation");
  value["train"].erase("early_stopping");
  value["train"]["schedule"] = "reduce_on_plateau";
  CHECK(refusal(value) == "train.schedule: reduce_on_plateau watches the validation split, which is empty; set dataset.validation");
  CHECK(refusal(with("train", {{"drop_last", true}, {"batch_size", 1000}}))
            .starts_with("train.batch_size: the training split of digits has 200 examples"));
  CHECK(refusal(with("evaluate", {{"classifier_epochs", 2}})) ==
        "evaluate.classifier_epochs: vae is not conditioned on labels and makes no modality from others, so there is nothing to judge; set it to 0");
}

TEST_CASE("checks: a classifier that has no test split to stand beside is refused, not left out") {
  json value = with("evaluate", {{"classifier_epochs", 1}});
  value["model"]["name"] = "conditional_vae";
  CHECK(refusal(value) == "");
  value["dataset"]["test"] = 0;
  CHECK(refusal(value).starts_with("evaluate.classifier_epochs: samples are judged together with the test split, which is empty"));
  value["dataset"]["test"] = 40;
  value["evaluate"]["splits"] = {"validation"};
  CHECK(refusal(value).starts_with("evaluate.classifier_epochs: samples are judged together with the test split, which evaluate.splits leaves out"));
}

TEST_CASE("checks: means that cannot reach the data are refused by run and validate") {
  const TempFolder temp;
  json value = table(temp, 3);
  value["model"]["likelihood"] = {{"name", "gaussian"}, {"mean", "sigmoid"}};
  CHECK(refusal(value) == "model.likelihood.mean: sigmoid gives means in [0, 1], but csv has other numbers; choose identity");
}

TEST_CASE("checks: a model too large for this machine names the model") {
  json value = tiny_experiment();
  value["model"]["encoder"] = {{"name", "conv"}, {"channels", {65536, 65536}}, {"kernels", {1, 1023}}, {"strides", {1}}};
  CHECK(refusal(value).starts_with("model: encoder/"));
}

TEST_CASE("checks: bins that are not the levels of the data are refused by run and validate") {
  json value = tiny_experiment();
  value["model"]["likelihood"] = {{"name", "discretized_logistic"}, {"bins", 256}};
  CHECK(refusal(value) == "model.likelihood.bins: 256, but digits has 17 levels; leave bins out, and they follow the data");
  value["model"]["likelihood"]["bins"] = nullptr;
  value["dataset"]["binarize"] = "static";
  CHECK(refusal(value) == "");
}

TEST_CASE("validate: an experiment whose data are not there is checked without them") {
  const TempFolder temp;
  json value = tiny_experiment();
  value["dataset"] = "mnist";
  atomic_write(temp / "exp.json", value.dump());
  Child child({"validate", (temp / "exp.json").string(), "--data-dir", (temp / "none").string()}, temp / "out.txt");
  CHECK(child.wait() == kDone);
  CHECK(child.output().find("exp.json: ok, but without its data: ") != std::string::npos);
}

TEST_CASE("divergence: unscaled data are named, with their column and what scales them, and no learning rate at the first step") {
  const TempFolder temp;
  const std::string said = message_of_divergence(table(temp, 1e7));
  CAPTURE(said);
  CHECK(said.starts_with("training diverged at step 1 (epoch 1): "));
  CHECK(said.find("no checkpoint was saved yet") != std::string::npos);
  CHECK(said.find("column 0 of the training data reaches from 1e+07 to 10000004, and networks expect numbers around 1; "
                  "set dataset.standardize") != std::string::npos);
  CHECK(said.find("learning rate") == std::string::npos);
}

TEST_CASE("divergence: when the squares of finite gradients overflow, the largest gradient is named") {
  const TempFolder temp;
  json value = table(temp, 1e6);
  value["model"]["log_variance"] = {-12, 6};
  const std::string said = message_of_divergence(value);
  CAPTURE(said);
  CHECK(said.find("the squares of the gradients overflow, the largest is ") != std::string::npos);
  CHECK((said.find("in the gradient of encoder/") != std::string::npos || said.find("in the gradient of decoder/") != std::string::npos));
}

TEST_CASE("checks: a model that needs x of every example refuses data that have only the label of some") {
  json value = with("dataset", {{"inputs", {{"keep", 150}}}});
  CHECK(refusal(value) ==
        "dataset.inputs.keep: vae needs the numbers of every training example, and 50 have only their label; choose the model mvae, or leave "
        "dataset.inputs out");
  value["model"]["name"] = "mvae";
  CHECK(refusal(value) == "");
}

TEST_CASE("checks: a model whose likelihood needs every number refuses data in which some are missing") {
  json value = with("dataset", {{"cells", {{"keep", 0.9}}}});
  CHECK(refusal(value) == "");
  value["model"] = {{"name", "completion_vae"}};
  CHECK(refusal(value).find(" numbers are missing, and completion_vae needs all of them; choose vae, a preset of it or a hierarchy") != std::string::npos);
}

TEST_CASE("checks: a judge of samples needs a training example with both x and label") {
  json value = with("dataset", {{"labels", {{"keep", 100}}}, {"inputs", {{"keep", 100}}}});
  value["model"] = {{"name", "mvae"}};
  value["evaluate"]["classifier_epochs"] = 1;
  CHECK(refusal(value).starts_with("evaluate.classifier_epochs: no training example has both its numbers and its label"));
  value["dataset"]["inputs"]["keep"] = 101;
  CHECK(refusal(value) == "");
}
