#include <doctest/doctest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "config/reader.hpp"
#include "config/writer.hpp"
#include "datasets/batches.hpp"
#include "tests/zoo/datasets_support.hpp"

using namespace vaezoo;
using namespace test_support;

namespace {

DatasetConfig parse(const std::string& json) {
  DatasetConfig config;
  read_config(Document::from_text("{\"dataset\": " + json + "}", "exp.json"),
              [&](Fields& f) { f.one_of("dataset", config.name, config.alternatives(), "the data"); });
  return config;
}

Dataset load(const std::string& json, const std::filesystem::path& data_dir = "nowhere") {
  return load_dataset(parse(json), data_dir);
}

/// The sentence of the ConfigError, or "".
template <class Run>
std::string config_error(Run run) {
  try {
    run();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("digits: 1797 images of 17 levels, every class, in splits that do not overlap and are the same every time") {
  const Dataset data = load(R"("digits")");
  CHECK(data.train.size() == 1437);
  CHECK(data.validation.size() == 180);
  CHECK(data.test.size() == 180);
  CHECK(data.shape == ItemShape{8, 8, 1});
  CHECK(data.levels == 17);
  CHECK(data.unit_range);
  CHECK(contains(data.provenance, "CC BY 4.0"));
  // The UCI file's own counts of its 1797 images per class, and the sum of all its pixels.
  std::vector<int> counts(10);
  double sum = 0;
  std::set<std::vector<Real>> distinct;
  for (Split split : {Split::train, Split::validation, Split::test}) {
    const Examples& part = data.split(split);
    for (Index i = 0; i < part.size(); ++i) {
      ++counts[static_cast<std::size_t>(part.labels()[static_cast<std::size_t>(i)])];
      const std::vector<Real> x = row(part, i);
      for (Real pixel : x) sum += 16 * static_cast<double>(pixel);
      distinct.insert(x);
    }
  }
  CHECK(counts == std::vector<int>{178, 182, 177, 183, 181, 182, 181, 179, 174, 180});
  CHECK(sum == 561718);
  CHECK(distinct.size() == 1797);
  CHECK(row(load("{}").test, 17) == row(data.test, 17));
  CHECK(row(load(R"({"seed": 1})").test, 17) != row(data.test, 17));
}

TEST_CASE("splits: validation is cut from the end of what is left for training, test is drawn, limit keeps the first") {
  const Dataset whole = load(R"({"name": "digits", "validation": 0, "test": 100})");
  CHECK(whole.train.size() == 1697);
  const Dataset cut = load(R"({"name": "digits", "validation": 97, "test": 100, "limit": 50})");
  CHECK(cut.train.size() == 50);
  CHECK(cut.validation.size() == 97);
  for (Index i = 0; i < 50; ++i) CHECK(row(cut.train, i) == row(whole.train, i));
  for (Index i = 0; i < 97; ++i) CHECK(row(cut.validation, i) == row(whole.train, 1600 + i));
  for (Index i = 0; i < 100; ++i) CHECK(row(cut.test, i) == row(whole.test, i));
}

TEST_CASE("splits: a source with a test split keeps it, and has no validation split unless asked") {
  const TempFolder folder;
  std::string images, labels;
  for (int n = 0; n < 20; ++n) {
    images += std::string(784, static_cast<char>(n));
    labels += static_cast<char>(n % 10);
  }
  for (const char* part : {"train", "t10k"}) {
    write(folder / ("mnist/" + std::string(part) + "-images-idx3-ubyte"), idx({20, 28, 28}, images));
    write(folder / ("mnist/" + std::string(part) + "-labels-idx1-ubyte"), idx({20}, labels));
  }
  const Dataset plain = load(R"("mnist")", folder.path());
  CHECK(plain.train.size() == 20);
  CHECK(plain.validation.size() == 0);
  CHECK(plain.test.size() == 20);
  CHECK(plain.levels == 256);
  const Dataset cut = load(R"({"name": "mnist", "validation": 5, "binarize": "dynamic"})", folder.path());
  CHECK(cut.train.size() == 15);
  CHECK(cut.validation.labels() == std::vector<int>{5, 6, 7, 8, 9});
  CHECK(cut.binarize == Binarize::dynamic);
  CHECK(cut.train.top() == 255);
  CHECK(cut.test.top() == 1);
  CHECK(contains(config_error([&] { load(R"({"name": "mnist", "test": 5})", folder.path()); }),
                 "dataset.test: this data set brings its own test split"));
  CHECK(contains(config_error([&] { load(R"({"name": "mnist", "validation": 20})", folder.path()); }),
                 "dataset.validation: 20 of 20 examples leave none for training"));
}

TEST_CASE("binarize static gives the same bits for any limit, and different ones for another seed of the data") {
  const Dataset data = load(R"({"name": "digits", "binarize": "static"})");
  CHECK(data.levels == 2);
  CHECK(data.train.top() == 1);
  const Dataset part = load(R"({"name": "digits", "binarize": "static", "limit": 10})");
  for (Index i = 0; i < 10; ++i) CHECK(row(part.train, i) == row(data.train, i));
}

TEST_CASE("dataset configurations that cannot be are refused with the path in the JSON") {
  struct Case {
    const char *json, *sentence;
  };
  const Case cases[] = {
      {R"("minst")", "dataset"},
      {R"({"name": "digits", "binarise": "static"})", "dataset.binarise: unknown key"},
      {R"({"name": "digits", "binarize": "fixed"})", "dataset.binarize"},
      {R"({"name": "digits", "validation": -1})", "dataset.validation"},
      {R"({"name": "digits", "limit": 0})", "dataset.limit"},
      {R"({"name": "digits", "limit": 1438})", "dataset.limit: 1438, but there are 1437 training examples"},
      {R"({"name": "linear_gaussian", "binarize": "static"})", "dataset.binarize: unknown key"},
      {R"({"name": "digits", "test": 1797})", "dataset.test: 1797 of 1797 examples leave none for training"},
      {R"({"name": "npy"})", "dataset.train_file: names no file"},
      {R"({"name": "image_folder"})", "dataset.path: names no folder"},
      {R"({"name": "image_folder", "path": "x", "size": 0})", "dataset.size"},
      {R"({"name": "npy", "train_file": "x", "shape": [4]})", "dataset.shape: expected [height, width]"},
      {R"({"name": "csv", "train_file": "x", "delimiter": "::"})", "dataset.delimiter: expected one character"},
      {R"({"name": "gaussian_mixture", "layout": "grid", "components": 8})", "dataset.components: a grid needs a square number"},
      {R"({"name": "emnist", "subset": "words"})", "dataset.subset"},
  };
  for (const Case& c : cases) {
    const std::string error = config_error([&] { load(c.json); });
    CAPTURE(error);
    CHECK(contains(error, c.sentence));
  }
}

TEST_CASE("classes: a subset by name or number is renumbered, keeps its names, and comes before the splits are cut") {
  const Dataset whole = load(R"({"name": "digits", "validation": 0, "test": 0})");
  const Dataset data = load(R"({"name": "digits", "classes": [7, "3"], "validation": 0, "test": 0})");
  CHECK(data.classes == 2);
  CHECK(data.class_names == std::vector<std::string>{"7", "3"});
  CHECK(data.train.size() == 179 + 183);
  for (Index i = 0; i < 20; ++i) {
    const auto n = static_cast<std::size_t>(data.train.source_row(i));
    CHECK(row(data.train, i) == row(load_digits().train, data.train.source_row(i)));
    CHECK(data.train.labels()[static_cast<std::size_t>(i)] == (load_digits().train.labels()[n] == 7 ? 0 : 1));
  }
  const Dataset turned = load(R"({"name": "digits", "classes": [1, 0], "validation": 0, "test": 0})");
  CHECK(turned.class_names == std::vector<std::string>{"1", "0"});
  CHECK(load(R"({"name": "digits", "classes": [0, 1], "validation": 0, "test": 0})").class_names.empty());
  CHECK(whole.classes == 10);
  const TempFolder folder;
  write(folder / "a.csv", "1,cat\n2,dog\n3,cow\n4,cat\n");
  const Dataset named = load(R"({"name": "csv", "train_file": "a.csv", "label": "1", "classes": ["dog", "cat"], "test": 0})",
                             folder.path());
  CHECK(named.train.size() == 3);
  CHECK(named.class_names == std::vector<std::string>{"dog", "cat"});
  const auto error = [&](const char* json) { return config_error([&] { load(json, folder.path()); }); };
  CHECK(error(R"({"name": "digits", "classes": [10]})") == "dataset.classes: there is no class '10'; there are 0 to 9");
  CHECK(error(R"({"name": "digits", "classes": [1, "1"]})") == "dataset.classes: names class '1' twice");
  CHECK(error(R"({"name": "csv", "train_file": "a.csv", "label": "1", "classes": ["emu"]})") ==
        "dataset.classes: there is no class 'emu'; there are 0 to 2, called cat, cow, dog");
  CHECK(error(R"({"name": "linear_gaussian", "classes": [0]})") == "dataset.classes: the examples have no labels");
  CHECK(contains(error(R"({"name": "digits", "classes": [1.5]})"), "dataset.classes[0]"));
}

TEST_CASE("binarize: real numbers outside [0, 1] are refused") {
  const TempFolder folder;
  write(folder / "a.csv", "0.5,1.5\n0,1\n");
  CHECK(contains(config_error([&] { load(R"({"name": "csv", "train_file": "a.csv", "binarize": "static"})", folder.path()); }),
                 "dataset.binarize: only numbers in [0, 1] can be binarised"));
}

TEST_CASE("every data set is listed with a doc, and its written defaults read back") {
  std::set<std::string> names;
  for (const DatasetInfo& info : dataset_list()) {
    CAPTURE(info.name);
    CHECK_FALSE(info.doc.empty());
    names.insert(info.name);
    DatasetConfig config;
    config.name = info.name;
    config.npy.train_file = config.csv.train_file = config.image_folder.path = "x";  // required there
    const auto fields = [](DatasetConfig& c) {
      return [&c](Fields& f) { f.one_of("dataset", c.name, c.alternatives(), "the data"); };
    };
    const std::string text = config_text(fields(config));
    DatasetConfig again;
    read_config(Document::from_text(text, "resolved"), fields(again));
    CHECK(config_text(fields(again)) == text);
  }
  CHECK(names.size() == dataset_list().size());
  for (const char* name : {"digits", "mnist", "fashion_mnist", "kmnist", "emnist", "frey_faces", "cifar10", "svhn", "omniglot",
                           "image_folder", "npy", "csv", "linear_gaussian", "gaussian_mixture", "two_moons"}) {
    CHECK(names.contains(name));
  }
}

TEST_CASE("data_directory: the flag wins over VAEZOO_DATA, which wins over data") {
  const char* before = std::getenv("VAEZOO_DATA");
  const std::string saved = before != nullptr ? before : "";
  ::setenv("VAEZOO_DATA", "/from/environment", 1);
  CHECK(data_directory("/from/flag") == "/from/flag");
  CHECK(data_directory() == "/from/environment");
  ::unsetenv("VAEZOO_DATA");
  CHECK(data_directory() == "data");
  if (before != nullptr) ::setenv("VAEZOO_DATA", saved.c_str(), 1);
}

TEST_CASE("mnist: the real files have the published counts and mean (only where VAEZOO_DATA has them)") {
  if (!std::filesystem::exists(data_directory() / "mnist")) return;
  const Dataset data = load(R"("mnist")", data_directory());
  REQUIRE(data.train.size() == 60000);
  CHECK(data.test.size() == 10000);
  std::vector<int> counts(10);
  for (int label : data.test.labels()) ++counts[static_cast<std::size_t>(label)];
  CHECK(counts == std::vector<int>{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009});
  double sum = 0;
  for (Index i = 0; i < data.train.size(); ++i) {
    for (Real x : row(data.train, i)) sum += static_cast<double>(x);
  }
  CHECK(sum / (60000 * 784) == doctest::Approx(0.1307).epsilon(0.0005));  // the mean every tutorial normalises with
}

TEST_CASE("labels: as many of each class keep their label, drawn with the seed, and the other splits keep all") {
  const auto labelled = [](const Dataset& data) {
    std::vector<int> counts(10);
    for (const int label : data.train.labels())
      if (label >= 0) ++counts[static_cast<std::size_t>(label)];
    return counts;
  };
  const Dataset all = load(R"("digits")");
  const Dataset some = load(R"({"name": "digits", "labels": {"keep": 32}})");
  CHECK(labelled(some) == std::vector<int>{4, 4, 3, 3, 3, 3, 3, 3, 3, 3});
  CHECK(some.train.size() == all.train.size());
  CHECK(some.test.labels() == all.test.labels());
  for (std::size_t i = 0; i < all.train.labels().size(); ++i)
    CHECK((some.train.labels()[i] == -1 || some.train.labels()[i] == all.train.labels()[i]));
  CHECK(load(R"({"name": "digits", "labels": {"keep": 32}})").train.labels() == some.train.labels());
  CHECK(load(R"({"name": "digits", "seed": 1, "labels": {"keep": 32}})").train.labels() != some.train.labels());
  const Dataset repeated = load(R"({"name": "digits", "labels": {"keep": 32, "repeat": 5}})");
  CHECK(repeated.train.size() == all.train.size() + 4 * 32);
  CHECK(labelled(repeated) == std::vector<int>{20, 20, 15, 15, 15, 15, 15, 15, 15, 15});
  const Dataset only = load(R"({"name": "digits", "labels": {"keep": 32, "others": "dropped"}})");
  CHECK(only.train.size() == 32);
  CHECK(labelled(only) == labelled(some));
  CHECK(config_error([] { load(R"({"name": "digits", "limit": 50, "labels": {"keep": 100}})"); }).find("more training examples of class") !=
        std::string::npos);
  CHECK(config_error([] { load(R"({"name": "two_moons", "labels": {"keep": 100, "repeat": 0}})"); }) != "");
  CHECK(config_error([] { load(R"({"name": "linear_gaussian", "labels": {"keep": 10}})"); }) == "dataset.labels.keep: the examples have no labels");
  CHECK(config_error([] { load(R"({"name": "digits", "labels": {"repeat": 2}})"); }).find("set keep as well") != std::string::npos);
}

TEST_CASE("inputs.keep: so many training examples keep their numbers, the others have a label, and nothing else changes") {
  const Dataset all = load(R"({"name": "digits"})"), some = load(R"({"name": "digits", "labels": {"keep": 700}, "inputs": {"keep": 1000}})");
  CHECK(some.train.size() == all.train.size());
  CHECK(some.train.hidden() == all.train.size() - 1000);
  CHECK(some.validation.hidden() == 0);
  CHECK(some.test.hidden() == 0);
  for (Index row = 0; row < some.train.size(); ++row)
    if (!some.train.observed(row)) CHECK(some.train.labels()[static_cast<std::size_t>(row)] >= 0);
  CHECK(load(R"({"name": "digits", "labels": {"keep": 700}, "inputs": {"keep": 1000}})").train.digest() == some.train.digest());
  CHECK(some.train.digest() != all.train.digest());
  CHECK(config_error([] { load(R"({"name": "digits", "labels": {"keep": 100}, "inputs": {"keep": 1000}})"); })
            .starts_with("dataset.inputs.keep: 337 of the other examples have no label"));
  CHECK(load(R"({"name": "digits", "inputs": {"keep": 100000}})").train.hidden() == 0);

  // In batches their numbers are zeros, and the batch says which.
  Batches batches(some, Split::train, {.batch_size = 100, .shuffle = true}, Key(3));
  std::vector<Real> x(static_cast<std::size_t>(100 * some.train.item_size()));
  Index hidden = 0;
  while (const Index n = batches.next(x)) {
    REQUIRE(std::ssize(batches.observed()) == n);
    for (Index i = 0; i < n; ++i) {
      const std::span<const Real> row = std::span<const Real>(x).subspan(static_cast<std::size_t>(i * 64), 64);
      const bool seen = std::ranges::any_of(row, [](Real v) { return v != 0; });
      CHECK_FALSE(seen != (batches.observed()[static_cast<std::size_t>(i)] == 1));
      hidden += !seen;
    }
  }
  CHECK(hidden == some.train.hidden());
}

TEST_CASE("missing numbers: 0 in a batch with a mask that says so, and no part in the standardisation") {
  const TempFolder folder;
  write(folder / "t.csv", "1,10\n,20\n3,\n5,40\n8,\n");
  write(folder / "v.csv", "4,\n3,10\n");
  const std::string files = R"("train_file": ")" + (folder / "t.csv").string() + R"(", "validation_file": ")" + (folder / "v.csv").string() +
                            R"(", "test_file": ")" + (folder / "v.csv").string() + R"(")";
  const Dataset plain = load(R"({"name": "csv", "missing": true, )" + files + "}"),
                scaled = load(R"({"name": "csv", "missing": true, "standardize": true, )" + files + "}");
  CHECK(plain.train.missing_cells() == 3);
  CHECK(plain.test.missing_cells() == 1);
  CHECK(row(plain.train, 1) == std::vector<Real>{0, 20});
  CHECK(scaled.mean[0] == doctest::Approx(4.25));                             // of 1, 3, 5, 8
  CHECK(scaled.stddev[1] == doctest::Approx(std::sqrt(1400.0 / 9)));          // of 10, 20, 40
  CHECK(row(scaled.train, 2)[1] == 0);
  CHECK(double(row(scaled.test, 0)[0]) == doctest::Approx(-0.25 / scaled.stddev[0]));
  Batches batches(scaled, Split::train, {.batch_size = 3}, Key(1));
  std::vector<Real> x(6);
  CHECK(batches.next(x) == 3);
  CHECK(std::ranges::equal(batches.mask(), std::vector<Real>{1, 1, 0, 1, 1, 0}));
  CHECK(batches.next(x) == 2);
  CHECK(std::ranges::equal(batches.mask(), std::vector<Real>{1, 1, 1, 0}));
  const std::string error = data_error([&] { load(R"({"name": "csv", )" + files + "}"); });
  CHECK(error.find("set \"missing\": true") != std::string::npos);
}

TEST_CASE("cells.keep: numbers count as missing, the same ones each time, and their values stay in the data set") {
  const Dataset all = load(R"({"name": "digits"})"), some = load(R"({"name": "digits", "cells": {"keep": 0.7}})");
  const double share = double(some.train.missing_cells()) / double(some.train.size() * 64);
  CHECK(std::abs(share - 0.3) < 5 * std::sqrt(0.21 / double(some.train.size() * 64)));
  CHECK(some.test.missing_cells() > 0);
  CHECK(load(R"({"name": "digits", "cells": {"keep": 0.7}})").train.digest() == some.train.digest());
  CHECK(load(R"({"name": "digits", "seed": 1, "cells": {"keep": 0.7}})").train.digest() != some.train.digest());
  CHECK(row(some.train, 5) == row(all.train, 5));
  Batches seen(some, Split::train, {.batch_size = 50, .shuffle = true}, Key(1)), whole(all, Split::train, {.batch_size = 50, .shuffle = true}, Key(1));
  std::vector<Real> x(50 * 64), y(50 * 64);
  CHECK(seen.next(x) == whole.next(y));
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(x[i] == y[i] * seen.mask()[i]);
  CHECK(config_error([] { load(R"({"name": "digits", "cells": {"keep": 0}})"); }) != "");
}
