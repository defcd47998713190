// What a run remembers of its data and settings, and what it says when they are others.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

#include "autodiff/safetensors.hpp"
#include "experiments/runner/config_changes.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/summary.hpp"
#include "experiments/runner/training_state.hpp"
#include "tests/zoo/picture_support.hpp"
#include "tests/zoo/runner_support.hpp"

using namespace vaezoo;
using namespace test_support;
using ad::cat;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const CommonOptions kQuiet{.data_dir = std::nullopt, .threads = 1, .quiet = true};

std::string resume_message(const fs::path& folder, const std::vector<std::string>& overrides = {}) {
  try {
    resume_run(folder, overrides, kQuiet);
  } catch (const ConfigError& e) {
    return cat("ConfigError: ", e.what());
  } catch (const DataError& e) {
    return cat("DataError: ", e.what());
  } catch (const FileError& e) {
    return cat("FileError: ", e.what());
  }
  return "resumed";
}

/// A table whose columns have very different scales.
std::string table(int rows) {
  std::string text;
  for (int i = 0; i < rows; ++i) text += cat(i * 37 % 101 * 1000, ",", 0.001 * (i * 53 % 97), ",", i % 7, "\n");
  return text;
}

json table_experiment(const fs::path& file) {
  json value = tiny_experiment();
  value["dataset"] = {{"name", "csv"}, {"train_file", file.string()}, {"standardize", true}};
  value["model"]["likelihood"] = "gaussian";
  value["train"] = {{"epochs", 2}, {"batch_size", 16}};
  value["output"] = {{"samples", 0}, {"tensorboard", false}, {"report", false}, {"latent_map", false}};
  return value;
}

/// Writes the file again with other metadata.
void change_metadata(const fs::path& path, const std::function<void(ad::Metadata&)>& change) {
  const ad::Safetensors file(path);
  std::vector<std::vector<Real>> values;
  std::vector<ad::NamedTensor> tensors;
  for (const auto& t : file.tensors()) {
    file.read(t, values.emplace_back(static_cast<std::size_t>(t.size)));
    const std::vector<Index> sizes(t.shape.begin(), t.shape.end());
    tensors.push_back({t.name, ad::Shape(std::span(sizes)), values.back()});
  }
  ad::Metadata metadata = file.metadata();
  change(metadata);
  ad::write_safetensors(path, std::move(tensors), metadata);
}

bool notes_contain(const LoadedRun& run, const std::string& part) {
  return std::ranges::any_of(run.session->config.notes, [&](const std::string& note) { return contains(note, part); });
}

}  // namespace

TEST_CASE("run record: data that changed since training are named, and only used when one says so") {
  const TempFolder temp;
  const fs::path data = temp / "data.csv", folder = temp / "run";
  atomic_write(data, table(60));
  REQUIRE(run(table_experiment(data), folder) == kDone);
  const auto expect = [&](const std::string& part) {
    CAPTURE(part);
    CHECK(contains(resume_message(folder), cat("DataError: ", folder.string())));
    CHECK(contains(resume_message(folder), part));
    CHECK(contains(message_of<DataError>([&] { load_run(folder, "", {}, kQuiet); }), part));
    CommonOptions told = kQuiet;
    told.accept_data = true;
    CHECK(notes_contain(load_run(folder, "", {}, told), part));
  };
  atomic_write(data, table(30));
  expect("data.csv is not what this run was trained on (60 examples then, 30 now)");
  std::string other = table(60);
  other.replace(other.rfind("\n", other.size() - 2) + 1, 1, "8");
  atomic_write(data, other);
  expect("as many examples as then, but other values or another order");
  atomic_write(data, table(60));
  CHECK(resume_message(folder) == "resumed");
  CHECK(load_run(folder, "", {}, kQuiet).session->config.notes.empty());
  fs::rename(data, temp / "moved.csv");
  CHECK(resume_message(folder, {"dataset.train_file=" + (temp / "moved.csv").string()}) == "resumed");
  CHECK(resume_message(folder) == "resumed");
}

TEST_CASE("run record: other data are standardised by the means and deviations of training, and said to be other") {
  const TempFolder temp;
  const fs::path data = temp / "data.csv", more = temp / "more.csv", folder = temp / "run";
  atomic_write(data, table(60));
  atomic_write(more, table(25));
  REQUIRE(run(table_experiment(data), folder) == kDone);
  const LoadedRun same = load_run(folder, "", {}, kQuiet);
  const LoadedRun other = load_run(folder, "", {"dataset.test_file=" + more.string()}, kQuiet);  // no test split is cut from data.csv now
  REQUIRE(other.session->data.train.size() > same.session->data.train.size());
  CHECK(other.session->data.mean == same.session->data.mean);
  CHECK(other.session->data.stddev == same.session->data.stddev);
  CHECK(notes_contain(other, "dataset.test_file was \"\" and is "));
  CHECK(notes_contain(other, "(60 examples then, 85 now)"));
  CHECK(notes_contain(other, "the other splits may hold what the model was trained on"));
  REQUIRE(evaluate_run(other) == kDone);
  CHECK(read_json_file(folder / "evaluation.json").at("notes").size() == 3);
  atomic_write(more, "1,2\n3,4\n");
  CHECK_THROWS_AS(load_run(folder, "", {"dataset.train_file=" + more.string()}, kQuiet), DataError);
}

TEST_CASE("run record: samples need no training data, and are the same without them") {
  const TempFolder temp;
  const fs::path data = temp / "data.csv";
  const std::string folder = (temp / "run").string();
  atomic_write(data, table(60));
  REQUIRE(run(table_experiment(data), folder) == kDone);
  const std::string a = (temp / "a.csv").string(), b = (temp / "b.csv").string();
  REQUIRE(run_program(temp, {"sample", folder, "--count", "3", "--out", a, "--set", "dataset.validation=null"}).code == kDone);
  fs::remove(data);
  const ProgramResult sampled = run_program(temp, {"sample", folder, "--count", "3", "--out", b});
  CAPTURE(sampled.output);
  CHECK(sampled.code == kDone);
  CHECK(read_file(a) == read_file(b));
  CHECK(run_program(temp, {"encode", folder}).code == kData);
}

TEST_CASE("run record: a run does not go on with other settings, and says which and why") {
  const TempFolder temp;
  const fs::path folder = temp / "run";
  REQUIRE(run(tiny_experiment(), folder) == kDone);
  const std::string config = read_file(folder / "config.json"), weights = checkpoint_numbers(folder, "state");
  const auto expect = [&](const std::string& assignment, const std::string& part) {
    CAPTURE(assignment);
    const std::string message = resume_message(folder, {assignment});
    CAPTURE(message);
    CHECK(message.starts_with("ConfigError: "));
    CHECK(contains(message, part));
  };
  expect("train.batch_size=16", "train.batch_size was 32 and is 16 (the place in the epoch is counted in batches)");
  expect("seed=5", "seed was 0 and is 5");
  expect("dataset.limit=100", "dataset.limit was 200 and is 100");
  expect("model.latent_dim=4", "model.latent_dim was 3 and is 4 (the weights are of that model)");
  expect("model.name=iwae", "model.name was \"vae\" and is \"iwae\"");
  expect("train.optimizer.name=sgd", "train.optimizer.name was \"adam\" and is \"sgd\"");
  expect("train.ema_decay=0.9", "the steps that are done depend on it");
  expect("train.epochs=1", "the plan of 7 steps is shorter than the 14 steps that are done");
  json edited = json::parse(config);  // by hand is the same as with --set
  edited["train"]["batch_size"] = 16;
  atomic_write(folder / "config.json", edited.dump());
  CHECK(contains(resume_message(folder), "train.batch_size was 32 and is 16"));
  atomic_write(folder / "config.json", config);
  CHECK(checkpoint_numbers(folder, "state") == weights);
  for (const char* allowed : {"name=other", "train.log_every=5", "train.schedule=cosine", "train.clip_norm=1",
                              "train.optimizer.learning_rate=1e-4", "train.early_stopping.patience=3", "evaluate.importance_samples=2",
                              "output.samples=1", "output.tensorboard=false"}) {
    CAPTURE(allowed);
    CHECK(resume_message(folder, {allowed}) == "resumed");
  }
  CHECK(read_json_file(folder / "config.json").at("train").at("log_every") == 5);
  CHECK(checkpoint_numbers(folder, "state") == weights);  // nothing was left to train
}

TEST_CASE("run record: a plan made longer trains on as one run would, also with a rate that waits for a plateau") {
  const TempFolder temp;
  json value = tiny_experiment();
  value["train"]["schedule"] = {{"name", "reduce_on_plateau"}, {"patience", 0}, {"threshold", 0.5}};
  value["train"]["epochs"] = 4;
  REQUIRE(run(value, temp / "whole") == kDone);
  value["train"]["steps"] = 3;  // before the first validation
  REQUIRE(run(value, temp / "half") == kDone);
  REQUIRE(resume_run(temp / "half", {"train.steps=16"}, kQuiet) == kDone);
  REQUIRE(resume_run(temp / "half", {"train.steps=null"}, kQuiet) == kDone);
  CHECK(checkpoint_numbers(temp / "whole", "state") == checkpoint_numbers(temp / "half", "state"));
  CHECK(metrics_without_time(temp / "whole") == metrics_without_time(temp / "half"));
}

TEST_CASE("run record: the state of another model is refused by name") {
  const TempFolder temp;
  json value = tiny_experiment();
  value["train"]["steps"] = 5;  // within an epoch
  const std::vector<std::string> models = {"vae", "beta_vae", "iwae", "miwae", "ciwae", "piwae"};
  for (const std::string& model : models) {
    value["model"]["name"] = model;
    REQUIRE(run(value, temp / model) == kDone);
  }
  for (const std::string& a : models)
    for (const std::string& b : models) {
      if (a == b) continue;
      const fs::path folder = temp / (a + "-" + b);
      fs::copy(temp / a, folder, fs::copy_options::recursive);
      fs::copy(temp / b / "checkpoints", folder / "checkpoints", fs::copy_options::recursive | fs::copy_options::overwrite_existing);
      const std::string named = cat("model.name was \"", b, "\" and is \"", a, "\"");
      CHECK(contains(resume_message(folder), named));
      CHECK(contains(message_of<ConfigError>([&] { load_run(folder, "", {}, kQuiet); }), named));
    }
}

TEST_CASE("run record: a state whose counters were changed is refused with a sentence") {
  const TempFolder temp;
  const fs::path folder = temp / "run", file = folder / "checkpoints" / "state.safetensors";
  json value = tiny_experiment();
  value["train"]["steps"] = 5;
  REQUIRE(run(value, folder) == kDone);
  const std::string whole = read_file(file);
  const auto refused = [&](const std::string& part, const std::function<void(ad::Metadata&)>& change) {
    CAPTURE(part);
    atomic_write(file, whole);
    change_metadata(file, change);
    const std::string message = resume_message(folder, {"train.steps=6"});  // a step is left
    CAPTURE(message);
    CHECK(message.starts_with("FileError: "));
    CHECK(contains(message, part));
  };
  const auto counter = [&](const char* key, const json& bad) {
    CAPTURE(key);
    refused("has counters that cannot be read, or contradict each other", [&](ad::Metadata& metadata) {
      json state = json::parse(metadata.at("state"));
      REQUIRE(state.contains(key));
      state[key] = bad;
      metadata["state"] = state.dump();
    });
  };
  for (const char* key : {"step", "epoch", "batch", "best_step", "waited", "log_bytes"})
    for (const json& bad : {json(2.5), json(1e300), json(std::numeric_limits<std::int64_t>::min()), json("3"),
                            json(std::numeric_limits<std::uint64_t>::max()), json()})
      counter(key, bad);
  counter("step", 6);
  counter("batch", 4);
  counter("epoch", 1);
  counter("seconds", -1);
  counter("examples", 0);
  counter("sums", json::array());
  counter("learning_rate", 0);
  for (const char* bad : {"12abc", "-5", "", "6", "99999999999999999999"})
    refused("counters", [&](ad::Metadata& metadata) { metadata["optimizer_steps"] = bad; });
  refused("tells of an epoch with the terms loss, other", [](ad::Metadata& metadata) {
    json state = json::parse(metadata.at("state"));
    state["sums"] = json::array({json::array({"loss", 1.0}), json::array({"other", 2.0})});
    metadata["state"] = state.dump();
  });
  refused("is of an earlier version", [](ad::Metadata& metadata) { metadata["format"] = "vaezoo training state 1"; });
  refused("parameters of other names", [](ad::Metadata& metadata) { metadata["layout"] = "1"; });
  refused("record of the data", [](ad::Metadata& metadata) { metadata["data"] = "{}"; });
  refused("configuration", [](ad::Metadata& metadata) { metadata["config"] = "{\"what\":1}"; });
  refused("has no \"state\"", [](ad::Metadata& metadata) { metadata.erase("state"); });
  atomic_write(file, whole);
  CHECK(resume_message(folder) == "resumed");
}

TEST_CASE("run record: a setting of the model that the weights do not fit is named") {
  const TempFolder temp;
  REQUIRE(run(tiny_experiment(), temp / "run") == kDone);
  const std::string message = message_of<ConfigError>([&] { load_run(temp / "run", "", {"model.latent_dim=5"}, kQuiet); });
  CHECK(message.starts_with("model.latent_dim was 3 and is 5, since the weights were trained: "));
  CHECK(contains(message, "does not fit the model"));
}

TEST_CASE("run record: weights of an earlier version still serve, with a note") {
  const TempFolder temp;
  const fs::path folder = temp / "run";
  REQUIRE(run(tiny_experiment(), folder) == kDone);
  for (const char* which : {"last", "best"})
    change_metadata(folder / "checkpoints" / cat(which, ".safetensors"), [](ad::Metadata& metadata) {
      metadata.erase("data");
      metadata.erase("config");
    });
  CHECK(contains(message_of<FileError>([] { position_of({{"step", "12abc"}}); }), "\"12abc\", which is no place in training"));
  CHECK_THROWS_AS(position_of({{"epoch", "nan"}}), FileError);
  const LoadedRun old = load_run(folder, "", {}, kQuiet);
  CHECK(notes_contain(old, "whether these are the same cannot be told"));
  CHECK(evaluate_run(old) == kDone);
  CHECK(read_json_file(folder / "evaluation.json").at("test") == read_json_file(folder / "summary.json").at("test"));
}

TEST_CASE("run record: what is kept of the data comes back, and damage to it has a name") {
  DataRecord record{.name = "csv", .provenance = "a \"file\".csv", .binarize = "none", .shape = {1, 2, 1}, .is_image = false,
                    .unit_range = false, .levels = 0, .classes = 2, .condition_size = 1, .column_names = {"x", "y"},
                    .class_names = {"a,b", "c"}, .condition_names = {"age"}, .vocabulary = {"<end>", "a \"b\""}, .token_separator = " ", .mean = {0.1, -1e300}, .stddev = {1.0 / 3, 5e-324}, .shown = {-0.1f, 3},
                    .parts = {{{5, 0xffffffffffffffff}, {0, 0}, {2, 17}}}};
  const std::string text = to_json_text(record);
  const DataRecord back = read_data_record(text, "x");
  CHECK(to_json_text(back) == text);
  CHECK(back.parts == record.parts);
  CHECK(back.mean == record.mean);
  CHECK_FALSE(difference(record, back));
  const json good = json::parse(text);
  for (const auto& item : good.items()) {
    const std::string& key = item.key();
    CAPTURE(key);
    json bad = good;
    bad.erase(key);
    if (key == "counts" || key == "vocabulary" || key == "modalities") {  // records of earlier versions do without
      CHECK_FALSE(read_data_record(bad.dump(), "file").counts);
    } else {
      CHECK(contains(message_of<FileError>([&] { read_data_record(bad.dump(), "file"); }), cat("file: its record of the data has no \"", key)));
    }
    bad[key] = nullptr;
    CHECK_THROWS_AS(read_data_record(bad.dump(), "file"), FileError);
  }
  for (const json& shape : {json{1, 2}, json{0, 2, 1}, json{1 << 29, 1 << 29, 1 << 29}, json{1.5, 2, 1}, json{1, 3, 1}}) {
    json bad = good;
    bad["shape"] = shape;
    CHECK_THROWS_AS(read_data_record(bad.dump(), "file"), FileError);
  }
  CHECK_THROWS_AS(read_data_record("not JSON", "file"), FileError);
  DataRecord other = record;
  other.column_names = {"y", "x"};
  CHECK(contains(*misfit(record, other), "has the columns y, x, and the data that this run was trained on had x, y"));
  other = record;
  other.class_names = {"a,b", "d"};
  CHECK(contains(*misfit(record, other), "has the classes 2: a,b, d, and the data that this run was trained on had 2: a,b, c"));
}

TEST_CASE("run record: a picture more, or of another size, is noticed without reading them") {
  const TempFolder temp;
  const auto picture = [&](const char* name, Index side) {
    write_png(temp / "pictures" / name, random_picture(side, 8, 1, Key(static_cast<std::uint64_t>(side))));
  };
  const auto digest = [&] {
    DatasetConfig config{.name = "image_folder", .validation = 0, .test = 0};
    config.image_folder.path = (temp / "pictures").string();
    config.image_folder.size = 8;
    return load_dataset(config, temp.path()).digests[0];
  };
  picture("a.png", 8);
  picture("b.png", 8);
  const std::uint64_t before = digest();
  CHECK(digest() == before);
  picture("b.png", 40);
  CHECK(digest() != before);
  picture("b.png", 8);
  CHECK(digest() == before);
  picture("c.png", 8);
  CHECK(digest() != before);
}

TEST_CASE("run record: the digest of examples tells numbers, order, labels and conditions apart") {
  const std::vector<Real> numbers = {1, 2, 3, 4};
  const Examples examples(numbers, 2, {0, 1});
  CHECK(examples.digest() == Examples(numbers, 2, {0, 1}).digest());
  Examples told(numbers, 2, {0, 1});
  told.set_conditions({1, 2}, 1);
  const std::vector<Index> swapped = {1, 0};
  for (const Examples& other : {Examples({1, 2, 3, 5}, 2, {0, 1}), Examples(numbers, 2, {1, 0}), Examples(numbers, 2),
                                Examples(numbers, 4, {0}), examples.subset(swapped), told})
    CHECK(other.digest() != examples.digest());
}
