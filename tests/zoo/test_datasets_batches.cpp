#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autodiff/check.hpp"
#include "autodiff/parallel.hpp"
#include "datasets/batches.hpp"
#include "tests/zoo/datasets_support.hpp"

using namespace vaezoo;
using namespace test_support;

namespace {

/// `count` examples of 3 bytes: example n is n, n + 1, n + 2 (of 255), its label n.
Dataset counting(Index count) {
  std::vector<std::uint8_t> bytes;
  std::vector<int> labels;
  for (Index n = 0; n < count; ++n) {
    for (Index d = 0; d < 3; ++d) bytes.push_back(static_cast<std::uint8_t>(n + d));
    labels.push_back(static_cast<int>(n));
  }
  Dataset data;
  data.name = "counting";
  data.shape = {1, 3, 1};
  data.unit_range = true;
  data.train = Examples(bytes, 3, 255, labels);
  data.validation = data.train;
  data.test = data.train;
  return data;
}

/// All of one epoch, example by example, put back into the order of the split.
std::vector<Real> epoch_of(const Dataset& data, Split split, BatchOptions options, Key key, Index epoch) {
  Batches batches(data, split, options, key);
  batches.start(epoch);
  std::vector<Real> x(static_cast<std::size_t>(options.batch_size * 3));
  std::vector<Real> all(static_cast<std::size_t>(batches.examples() * 3), Real(-1));
  while (const Index count = batches.next(x)) {
    for (Index i = 0; i < count; ++i) {
      const Index row_of = batches.rows()[static_cast<std::size_t>(i)];
      std::copy_n(x.begin() + i * 3, 3, all.begin() + row_of * 3);
    }
  }
  return all;
}

}  // namespace

TEST_CASE("examples: bytes become byte / top exactly, and gather takes rows in any order") {
  const Dataset data = counting(200);
  const std::vector<Index> rows = {7, 0, 199, 7};
  std::vector<Real> x(12);
  data.train.gather(rows, x);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t d = 0; d < 3; ++d) CHECK(x[3 * i + d] == static_cast<Real>(rows[i] + static_cast<Index>(d)) / Real(255));
  }
  CHECK_THROWS_AS(data.train.gather(rows, std::span(x).first(11)), ad::Error);
  CHECK_THROWS_AS(data.train.gather(std::vector<Index>{0, 1, 2, 200}, x), ad::Error);
  CHECK_THROWS_AS(data.train.gather(std::vector<Index>{0, 1, 2, -1}, x), ad::Error);
}

TEST_CASE("examples: subset, cut_last and keep_first move labels along with rows") {
  Examples all = counting(10).train;
  const Examples last = all.cut_last(3);
  CHECK(all.size() == 7);
  CHECK(last.labels() == std::vector<int>{7, 8, 9});
  CHECK(row(last, 0) == row(counting(10).train, 7));
  CHECK(all.subset(std::vector<Index>{6, 0}).labels() == std::vector<int>{6, 0});
  all.keep_first(2);
  CHECK(all.size() == 2);
  CHECK(all.memory() == 2 * (3 + sizeof(int)));
}

TEST_CASE("batches: in order, with a short last batch that drop_last leaves out") {
  const Dataset data = counting(10);
  std::vector<Real> x(12);
  std::vector<int> labels(4);
  for (bool drop : {false, true}) {
    Batches batches(data, Split::train, {.batch_size = 4, .drop_last = drop}, Key(1));
    CHECK(batches.per_epoch() == (drop ? 2 : 3));
    std::vector<int> seen;
    while (const Index count = batches.next(x, labels)) {
      seen.insert(seen.end(), labels.begin(), labels.begin() + count);
      CHECK(x[0] == static_cast<Real>(labels[0]) / Real(255));
    }
    std::vector<int> expected(drop ? 8 : 10);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(seen == expected);
    CHECK(batches.next(x) == 0);
  }
}

TEST_CASE("batches: a shuffled epoch holds every example once, in an order of its own that key and epoch give") {
  const Dataset data = counting(100);
  const auto order = [&](Key key, Index epoch) {
    Batches batches(data, Split::train, {.batch_size = 7, .shuffle = true}, key);
    batches.start(epoch);
    std::vector<Real> x(21);
    std::vector<Index> seen;
    while (batches.next(x) > 0) seen.insert(seen.end(), batches.rows().begin(), batches.rows().end());
    return seen;
  };
  const std::vector<Index> first = order(Key(1), 0);
  CHECK(first == order(Key(1), 0));
  CHECK(first != order(Key(1), 1));
  CHECK(first != order(Key(2), 0));
  std::vector<Index> sorted = first;
  std::sort(sorted.begin(), sorted.end());
  for (Index i = 0; i < 100; ++i) CHECK(sorted[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("batches: an epoch resumed in its middle continues with the same batches") {
  Dataset data = counting(50);
  binarize(data, Binarize::dynamic, Key(3));
  Batches whole(data, Split::train, {.batch_size = 8, .shuffle = true}, Key(1));
  Batches resumed(data, Split::train, {.batch_size = 8, .shuffle = true}, Key(1));
  std::vector<Real> x(24), y(24);
  whole.start(5);
  for (int i = 0; i < 4; ++i) whole.next(x);
  resumed.start(5);
  resumed.seek(4);
  while (const Index count = whole.next(x)) {
    CHECK(resumed.next(y) == count);
    CHECK(x == y);
  }
  CHECK_THROWS_AS(resumed.seek(8), ad::Error);
}

TEST_CASE("batches: labels are -1 where the data have none, and rooms that are too small are refused") {
  Dataset data = counting(4);
  data.train = Examples(std::vector<Real>{1, 2, 3, 4, 5, 6}, 3);
  Batches batches(data, Split::train, {.batch_size = 2}, Key(1));
  std::vector<Real> x(6);
  std::vector<int> labels(2, 5);
  CHECK(batches.next(x, labels) == 2);
  CHECK(labels == std::vector<int>{-1, -1});
  CHECK(x == std::vector<Real>{1, 2, 3, 4, 5, 6});
  batches.start(0);
  CHECK_THROWS_AS(batches.next(std::span(x).first(5)), ad::Error);
  CHECK_THROWS_AS(Batches(data, Split::train, {.batch_size = 0}, Key(1)), ad::Error);
}

TEST_CASE("batches: an empty split has no batches") {
  Dataset data = counting(4);
  data.test = {};
  Batches batches(data, Split::test, {.batch_size = 2, .shuffle = true}, Key(1));
  std::vector<Real> x(6);
  CHECK(batches.per_epoch() == 0);
  CHECK(batches.next(x) == 0);
}

TEST_CASE("batches: no step allocates, dynamic binarisation and labels included") {
  Dataset data = counting(250);
  binarize(data, Binarize::dynamic, Key(3));
  Batches batches(data, Split::train, {.batch_size = 64, .shuffle = true}, Key(1));
  std::vector<Real> x(64 * 3);
  std::vector<int> labels(64);
  batches.next(x, labels);
  const std::size_t before = allocations();
  while (batches.next(x, labels) > 0) {
  }
  CHECK(allocations() == before);
}

TEST_CASE("binarize dynamic: draws are new each epoch, the same for any batch size, order and number of threads") {
  Dataset data = counting(200);
  binarize(data, Binarize::dynamic, Key(3));
  const std::vector<Real> first = epoch_of(data, Split::train, {.batch_size = 16}, Key(1), 0);
  CHECK(std::all_of(first.begin(), first.end(), [](Real x) { return x == 0 || x == 1; }));
  CHECK(first == epoch_of(data, Split::train, {.batch_size = 7, .shuffle = true}, Key(1), 0));
  CHECK(first != epoch_of(data, Split::train, {.batch_size = 16}, Key(1), 1));
  CHECK(first != epoch_of(data, Split::train, {.batch_size = 16}, Key(2), 0));
  const int threads = ad::threads();
  ad::set_threads(1);
  CHECK(first == epoch_of(data, Split::train, {.batch_size = 16}, Key(1), 0));
  ad::set_threads(threads);
}

TEST_CASE("binarize dynamic: validation and test are drawn once, whatever the run's key and epoch") {
  Dataset data = counting(200);
  binarize(data, Binarize::dynamic, Key(3));
  const std::vector<Real> first = epoch_of(data, Split::test, {.batch_size = 16}, Key(1), 0);
  CHECK(first == epoch_of(data, Split::test, {.batch_size = 10}, Key(9), 4));
  CHECK(first != epoch_of(data, Split::validation, {.batch_size = 16}, Key(1), 0));
  CHECK(data.levels == 2);
}

TEST_CASE("binarize fixed: the data set's key alone decides, and examples do not depend on each other") {
  Dataset data = counting(200), same = counting(200), other = counting(200), longer = counting(201);
  binarize(data, Binarize::fixed, Key(3));
  binarize(same, Binarize::fixed, Key(3));
  binarize(other, Binarize::fixed, Key(4));
  binarize(longer, Binarize::fixed, Key(3));
  const std::vector<Real> first = epoch_of(data, Split::train, {.batch_size = 16, .shuffle = true}, Key(1), 0);
  CHECK(first == epoch_of(same, Split::train, {.batch_size = 16}, Key(2), 7));
  CHECK(first != epoch_of(other, Split::train, {.batch_size = 16}, Key(1), 0));
  for (Index i = 0; i < 200; ++i) CHECK(row(data.train, i) == row(longer.train, i));
}

TEST_CASE("binarize: a pixel p is 1 with probability p") {
  // 3 x 86 pixel values k / 255, each drawn in 400 epochs: the standardised frequency is N(0, 1) for each, so the sum of
  // squares over n values is about n +- sqrt(2 n); five standard deviations are allowed.
  Dataset data = counting(86);
  const std::size_t values = 86 * 3;
  const int epochs = 400;
  std::vector<double> ones(values);
  binarize(data, Binarize::dynamic, Key(3));
  Batches batches(data, Split::train, {.batch_size = 86}, Key(1));
  std::vector<Real> x(values);
  for (int epoch = 0; epoch < epochs; ++epoch) {
    batches.start(epoch);
    batches.next(x);
    for (std::size_t i = 0; i < values; ++i) ones[i] += static_cast<double>(x[i]);
  }
  double chi2 = 0, n = 0;
  for (std::size_t i = 0; i < values; ++i) {
    const double p = static_cast<double>(i / 3 + i % 3) / 255;
    if (p == 0) {
      CHECK(ones[i] == 0);
      continue;
    }
    const double z = (ones[i] - epochs * p) / std::sqrt(epochs * p * (1 - p));
    chi2 += z * z;
    n += 1;
  }
  CHECK(std::abs(chi2 - n) < 5 * std::sqrt(2 * n));
}

TEST_CASE("binarize: black stays black and white stays white, and numbers outside [0, 1] are refused") {
  Dataset data = counting(1);
  data.train = data.validation = data.test = Examples(std::vector<std::uint8_t>{0, 255, 0}, 3, 255);
  binarize(data, Binarize::fixed, Key(1));
  CHECK(row(data.train, 0) == std::vector<Real>{0, 1, 0});
  Dataset wide = counting(1);
  wide.train = Examples(std::vector<Real>{0, 2, 0}, 3);
  wide.unit_range = wide.train.in_unit_range();
  CHECK(contains(data_error([&] { binarize(wide, Binarize::fixed, Key(1)); }), "only numbers in [0, 1] can be binarised"));
}
