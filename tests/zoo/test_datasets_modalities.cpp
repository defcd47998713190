// Examples of several modalities.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>

#include "config/reader.hpp"
#include "datasets/config.hpp"

using namespace vaezoo;

TEST_CASE(
    "modalities: an image is cut into stretches, those of whole rows are images, and one of them stays of each training "
    "example") {
  const auto load = [](const char* modalities) {
    DatasetConfig config;
    read_config(
        Document::from_text(std::string("{\"dataset\": {\"name\": \"digits\", \"modalities\": ") + modalities + "}}", "exp.json"),
        [&](Fields& f) { f.one_of("dataset", config.name, config.alternatives(), "the data"); });
    return load_dataset(config, "");
  };
  const Dataset plain = load(R"({"names": ["top", "rest"], "sizes": [16, 48]})");
  REQUIRE(plain.modalities.size() == 2);
  CHECK(plain.modalities[0] == Modality{"top", 0, {2, 8, 1}});
  CHECK(plain.modalities[1] == Modality{"rest", 16, {6, 8, 1}});
  CHECK(plain.train.all_cells());
  CHECK(load(R"({"names": ["some", "rest"], "sizes": [10, 54]})").modalities[0].shape == ItemShape{1, 10, 1});

  const Dataset some = load(R"({"names": ["a", "b"], "sizes": [32, 32], "keep": 0.6})");
  CHECK(some.test.all_cells());
  int both = 0;
  for (Index i = 0; i < some.train.size(); ++i) {
    const std::span<const Cell> cells = some.train.cells(i);
    const auto seen = [&](std::size_t from) { return std::ranges::count(cells.subspan(from, 32), Cell::observed); };
    CHECK((seen(0) == 0 || seen(0) == 32));
    CHECK((seen(32) == 0 || seen(32) == 32));
    CHECK(seen(0) + seen(32) > 0);
    both += seen(0) + seen(32) == 64;
  }
  const double n = double(some.train.size());
  CHECK(std::abs(double(both) - 0.6 * n) < 5 * std::sqrt(0.24 * n));  // the one that the key draws stays, the other with 0.6

  const auto refused = [&](const char* modalities) {
    try {
      load(modalities);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(refused(R"({"names": ["a", "b"], "sizes": [32, 16]})") ==
        "dataset.modalities.sizes: are 48 numbers together, but an example has 64");
  CHECK(refused(R"({"keep": 0.5})").starts_with("dataset.modalities.keep: the data have no modalities"));
  CHECK(refused(R"({"names": ["a", "b"], "sizes": [64]})").find("one for each of names") != std::string::npos);
}

TEST_CASE("poly_digits: the modalities of an example share its class, are other digits, and no digit is in two splits") {
  DatasetConfig config;
  config.name = "poly_digits";
  config.poly_digits.count = 3;
  const Dataset data = load_dataset(config, "");
  CHECK(data.train.size() == 1437);
  CHECK(data.validation.size() == 180);
  CHECK(data.test.size() == 180);
  CHECK(data.shape == ItemShape{24, 8, 1});
  REQUIRE(data.modalities.size() == 3);
  CHECK(data.modalities[1].name == "white");

  // Black and white show the digit as it is and inverted: both can be looked up in the source.
  const Dataset source = load_digits();
  std::map<std::vector<Real>, int> label_of;
  std::vector<Real> x(64), whole(192);
  for (Index i = 0; i < source.train.size(); ++i) {
    source.train.read(i, x);
    label_of[x] = source.train.labels()[static_cast<std::size_t>(i)];
  }
  std::set<std::vector<Real>> seen;
  Index same = 0;
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    std::set<std::vector<Real>> here;
    for (Index i = 0; i < data.split(split).size(); ++i) {
      data.split(split).read(i, whole);
      const std::vector<Real> black(whole.begin(), whole.begin() + 64);
      std::vector<Real> white(whole.begin() + 64, whole.begin() + 128);
      for (Real& v : white) v = std::round(16 * (1 - v)) / 16;
      const int label = data.split(split).labels()[static_cast<std::size_t>(i)];
      REQUIRE(label_of.contains(black));
      REQUIRE(label_of.contains(white));
      CHECK(label_of[black] == label);
      CHECK(label_of[white] == label);
      same += black == white;
      here.insert(black), here.insert(white);
    }
    for (const std::vector<Real>& digit : here) CHECK_FALSE(seen.contains(digit));
    seen.insert(here.begin(), here.end());
  }
  CHECK(same < 60);  // by chance about one in each class and split
}
