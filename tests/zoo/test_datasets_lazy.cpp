#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "autodiff/check.hpp"
#include "autodiff/parallel.hpp"
#include "datasets/batches.hpp"
#include "tests/zoo/datasets_support.hpp"

using namespace vaezoo;
using namespace test_support;

namespace {

constexpr Index kWidth = 5;

std::uint8_t made(Index row, Index i) { return static_cast<std::uint8_t>((37 * row + 11 * i) % 256); }

/// Rows of five bytes made by a formula; reading row `broken` fails.
class Formula final : public ExampleSource {
 public:
  explicit Formula(Index size, Index broken = -1) : size_(size), broken_(broken) {}
  Index size() const override { return size_; }
  void read(Index row, std::span<std::uint8_t> out) const override {
    ++reads;
    if (row == broken_) throw DataError("row " + std::to_string(row) + " is broken");
    for (Index i = 0; i < kWidth; ++i) out[static_cast<std::size_t>(i)] = made(row, i);
  }
  mutable std::atomic<Index> reads = 0;

 private:
  Index size_, broken_;
};

std::vector<int> labels_of(Index size) {
  std::vector<int> labels;
  for (Index n = 0; n < size; ++n) labels.push_back(static_cast<int>(n % 10));
  return labels;
}

/// Two numbers for example n: n and -n.
std::vector<Real> conditions_of(Index size) {
  std::vector<Real> values;
  for (Index n = 0; n < size; ++n) values.insert(values.end(), {static_cast<Real>(n), static_cast<Real>(-n)});
  return values;
}

Examples lazy(Index size, Index broken = -1) {
  Examples all(std::make_shared<const Formula>(size, broken), kWidth, 255, labels_of(size));
  all.set_conditions(conditions_of(size), 2);
  return all;
}

Examples in_memory(Index size) {
  std::vector<std::uint8_t> bytes;
  for (Index n = 0; n < size; ++n) {
    for (Index i = 0; i < kWidth; ++i) bytes.push_back(made(n, i));
  }
  Examples all(std::move(bytes), kWidth, 255, labels_of(size));
  all.set_conditions(conditions_of(size), 2);
  return all;
}

Dataset dataset_of(const Examples& examples) {
  Dataset data;
  data.shape = {1, kWidth, 1};
  data.unit_range = true;
  data.train = data.validation = data.test = examples;
  return data;
}

void check_same(const Examples& a, const Examples& b) {
  REQUIRE(a.size() == b.size());
  CHECK(a.labels() == b.labels());
  for (Index i = 0; i < a.size(); ++i) {
    CHECK(row(a, i) == row(b, i));
    CHECK(std::ranges::equal(a.conditions(i), b.conditions(i)));
  }
}

/// Everything that three epochs deliver, with a jump back in the middle of the second.
std::vector<Real> delivered(const Dataset& data, BatchOptions options) {
  Batches batches(data, Split::train, options, Key(5));
  std::vector<Real> x(static_cast<std::size_t>(options.batch_size * kWidth)), all;
  std::vector<int> labels(static_cast<std::size_t>(options.batch_size));
  const auto drain = [&](Index most) {
    for (Index batch = 0; batch < most; ++batch) {
      const Index n = batches.next(x, labels);
      all.insert(all.end(), x.begin(), x.begin() + n * kWidth);
      all.insert(all.end(), labels.begin(), labels.begin() + n);
      all.insert(all.end(), batches.conditions().begin(), batches.conditions().end());
      CHECK(std::ssize(batches.conditions()) == 2 * n);
    }
  };
  for (Index epoch = 0; epoch < 3; ++epoch) {
    batches.start(epoch);
    drain(3);
    if (epoch == 1) batches.seek(1);
    drain(batches.per_epoch());
  }
  return all;
}

}  // namespace

TEST_CASE("lazy examples: cutting, choosing and gathering give what the same examples in memory give") {
  Examples a = lazy(100), b = in_memory(100);
  CHECK(a.is_lazy());
  CHECK(a.is_bytes());
  CHECK(a.in_unit_range());
  check_same(a, b);
  const std::vector<Index> rows = {99, 3, 3, 50, 0, 17};
  check_same(a.subset(rows), b.subset(rows));
  check_same(a.subset(rows).subset(std::vector<Index>{2, 0}), b.subset(rows).subset(std::vector<Index>{2, 0}));
  check_same(a.cut_last(20), b.cut_last(20));
  a.keep_first(33);
  b.keep_first(33);
  check_same(a, b);
  std::vector<Real> x(3 * kWidth), y(3 * kWidth);
  a.gather(std::vector<Index>{32, 0, 8}, x);
  b.gather(std::vector<Index>{32, 0, 8}, y);
  CHECK(x == y);
  CHECK_THROWS_AS(a.gather(std::vector<Index>{33, 0, 8}, x), ad::Error);
}

TEST_CASE("lazy examples: nothing is read before it is asked for, and a binarised set stays lazy") {
  const auto source = std::make_shared<const Formula>(1000);
  Dataset data = dataset_of(Examples(source, kWidth, 255));
  binarize(data, Binarize::fixed, Key(3));
  CHECK(data.train.is_lazy());
  CHECK(source->reads == 0);
  CHECK(data.train.memory() == 1000 * sizeof(Index));
  row(data.train, 5);
  CHECK(source->reads == 1);
}

TEST_CASE("lazy examples: binarised fixed and dynamic they give the bits of the same examples in memory, also when cut") {
  for (Binarize how : {Binarize::fixed, Binarize::dynamic}) {
    Dataset a = dataset_of(lazy(60)), b = dataset_of(in_memory(60));
    a.train.cut_last(7);
    b.train.cut_last(7);
    binarize(a, how, Key(3));
    binarize(b, how, Key(3));
    CHECK(a.test.top() == 1);
    check_same(a.train, b.train);
    check_same(a.test, b.test);
    const std::vector<Index> rows = {40, 2};  // draws belong to the examples, not to their new places
    check_same(a.test.subset(rows), b.test.subset(rows));
    CHECK(delivered(a, {.batch_size = 8, .shuffle = true}) == delivered(b, {.batch_size = 8, .shuffle = true}));
  }
}

TEST_CASE("lazy examples: standardised they become the numbers that examples in memory become") {
  Dataset a = dataset_of(lazy(40)), b = dataset_of(in_memory(40));
  standardize(a);
  standardize(b);
  CHECK_FALSE(a.train.is_lazy());
  check_same(a.train, b.train);
}

TEST_CASE("prefetch: batches are the same bit for bit with it, without it and from memory, for any number of threads") {
  const Dataset a = dataset_of(lazy(203)), b = dataset_of(in_memory(203));
  const int threads = ad::threads();
  for (bool shuffle : {false, true}) {
    for (bool drop_last : {false, true}) {
      BatchOptions options{.batch_size = 16, .shuffle = shuffle, .drop_last = drop_last};
      const std::vector<Real> memory = delivered(b, options);
      CHECK(delivered(a, options) == memory);
      ad::set_threads(1);
      CHECK(delivered(a, options) == memory);
      ad::set_threads(threads);
      options.prefetch = false;
      CHECK(delivered(a, options) == memory);
    }
  }
}

TEST_CASE("prefetch: a reader's error comes out of the next() that would deliver the broken example, and of no other") {
  const Dataset data = dataset_of(lazy(40, 21));
  for (bool prefetch : {false, true}) {
    Batches batches(data, Split::train, {.batch_size = 8, .prefetch = prefetch}, Key(1));
    std::vector<Real> x(8 * kWidth);
    CHECK(batches.next(x) == 8);
    CHECK(batches.next(x) == 8);
    CHECK(data_error([&] { batches.next(x); }) == "row 21 is broken");
    batches.seek(3);
    CHECK(batches.next(x) == 8);
    CHECK(batches.next(x) == 8);
    CHECK(batches.next(x) == 0);
    batches.seek(2);
    CHECK(data_error([&] { batches.next(x); }) == "row 21 is broken");
  }
}

TEST_CASE("prefetch: an iterator may be dropped or moved while it reads ahead") {
  const Dataset data = dataset_of(lazy(64));
  std::vector<Real> x(8 * kWidth), y(8 * kWidth);
  for (int i = 0; i < 50; ++i) {
    Batches batches(data, Split::train, {.batch_size = 8, .shuffle = true}, Key(1));
    batches.next(x);
    Batches moved = std::move(batches);
    CHECK(moved.next(y) == 8);
    if (i % 2 == 0) moved.start(i);
  }
}

TEST_CASE("gather: of several broken rows the first one asked for is reported") {
  class Broken final : public ExampleSource {
   public:
    Index size() const override { return 50; }
    void read(Index row, std::span<std::uint8_t>) const override { throw DataError(std::to_string(row)); }
  };
  const Examples all(std::make_shared<const Broken>(), 1, 255);
  std::vector<Index> rows;
  for (Index i = 50; i-- > 0;) rows.push_back(i);
  std::vector<Real> x(50);
  for (int i = 0; i < 20; ++i) CHECK(data_error([&] { all.gather(rows, x); }) == "49");
}

TEST_CASE("conditions: batches deliver each example's own, and numbers that do not fit are refused") {
  Dataset data = dataset_of(in_memory(10));
  Batches batches(data, Split::train, {.batch_size = 4, .shuffle = true}, Key(1));
  CHECK(batches.condition_size() == 2);
  CHECK(batches.conditions().empty());
  std::vector<Real> x(4 * kWidth);
  while (const Index n = batches.next(x)) {
    REQUIRE(std::ssize(batches.conditions()) == 2 * n);
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      CHECK(batches.conditions()[2 * i] == static_cast<Real>(batches.rows()[i]));
      CHECK(batches.conditions()[2 * i + 1] == -static_cast<Real>(batches.rows()[i]));
    }
  }
  CHECK_THROWS_AS(data.train.set_conditions({1, 2, 3}, 1), ad::Error);
  std::vector<Real> bad = conditions_of(10);
  bad[13] = std::numeric_limits<Real>::infinity();
  CHECK(data_error([&] { data.train.set_conditions(bad, 2); }) == "example 6, condition 1 (both counted from 0) is infinite");
}
