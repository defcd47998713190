#include "datasets/dataset.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <mutex>
#include <numeric>

#include "autodiff/check.hpp"
#include "autodiff/parallel.hpp"
#include "datasets/digest.hpp"

namespace vaezoo {
namespace {

constexpr Index kRowGrain = 16;  // rows per parallel task: a task of 16 MNIST images takes a few microseconds
// Shuffled rows come from main memory: fetching two rows ahead gathers 128 MNIST images in 24 us instead of 45.
constexpr Index kAhead = 2, kCacheLine = 64;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

Index rows_in(std::size_t values, Index item_size, std::size_t labels) {
  AD_CHECK(item_size > 0 && values % at(item_size) == 0, "Examples",
           ad::cat(static_cast<Index>(values), " values do not fill rows of ", item_size));
  const Index count = static_cast<Index>(values) / item_size;
  AD_CHECK(labels == 0 || labels == at(count), "Examples",
           ad::cat(static_cast<Index>(labels), " labels for ", count, " examples"));
  return count;
}

/// Throws DataError when a number of rows of `width` is not finite; `kind` is what a row's numbers are: "value".
void check_finite(std::span<const Real> numbers, Index width, const char* kind) {
  const auto bad = std::find_if(numbers.begin(), numbers.end(), [](Real x) { return !std::isfinite(x); });
  if (bad == numbers.end()) return;
  const Index i = bad - numbers.begin();
  throw DataError(ad::cat("example ", i / width, ", ", kind, " ", i % width, " is ", std::isnan(*bad) ? "NaN" : "infinite",
                          " (both counted from 0)"));
}

/// Draws of 0 or 1 from the rows of another source, made anew, and alike, at each reading.
class BinarizedSource final : public ExampleSource {
 public:
  BinarizedSource(std::shared_ptr<const ExampleSource> grey, std::vector<Index> rows, int top, Key key)
      : grey_(std::move(grey)), rows_(std::move(rows)), top_(static_cast<Real>(top)), key_(key) {}

  Index size() const override { return std::ssize(rows_); }
  void read(Index row, std::span<std::uint8_t> out) const override {
    grey_->read(rows_[at(row)], out);
    thread_local std::vector<Real> p;
    p.resize(out.size());
    std::transform(out.begin(), out.end(), p.begin(), [this](std::uint8_t byte) { return static_cast<Real>(byte) / top_; });
    ad::fill_bernoulli(key_.fold(static_cast<std::uint64_t>(row)), p, p);
    std::transform(p.begin(), p.end(), out.begin(), [](Real x) { return static_cast<std::uint8_t>(x); });
  }

 private:
  std::shared_ptr<const ExampleSource> grey_;
  std::vector<Index> rows_;
  Real top_;
  Key key_;
};

std::vector<Index> counted(Index count) {
  std::vector<Index> rows(at(count));
  std::iota(rows.begin(), rows.end(), Index{0});
  return rows;
}

}  // namespace

std::string_view to_text(Split split) {
  return split == Split::train ? "train" : split == Split::validation ? "validation" : "test";
}

Examples::Examples(std::vector<std::uint8_t> bytes, Index item_size, int top, std::vector<int> labels)
    : bytes_(std::move(bytes)), labels_(std::move(labels)), item_size_(item_size), top_(top) {
  count_ = rows_in(bytes_.size(), item_size, labels_.size());
  AD_CHECK(top >= 1 && top <= 255, "Examples", ad::cat("top is ", top, ", which no byte can reach"));
}

Examples::Examples(std::vector<Real> numbers, Index item_size, std::vector<int> labels)
    : numbers_(std::move(numbers)), labels_(std::move(labels)), item_size_(item_size) {
  count_ = rows_in(numbers_.size(), item_size, labels_.size());
  check_finite(numbers_, item_size, "value");
}

Examples::Examples(std::shared_ptr<const ExampleSource> source, Index item_size, int top, std::vector<int> labels)
    : source_(std::move(source)), labels_(std::move(labels)), item_size_(item_size), top_(top) {
  count_ = rows_in(at(source_->size() * item_size), item_size, labels_.size());
  AD_CHECK(top >= 1 && top <= 255, "Examples", ad::cat("top is ", top, ", which no byte can reach"));
  source_rows_ = counted(count_);
}

void Examples::set_conditions(std::vector<Real> values, Index width) {
  AD_CHECK(width >= 1 && std::ssize(values) == count_ * width, "set_conditions",
           ad::cat(std::ssize(values), " numbers for ", count_, " examples of ", width));
  check_finite(values, width, "condition");
  conditions_ = std::move(values);
  condition_size_ = width;
}

std::span<const Real> Examples::conditions(Index row) const {
  return std::span(conditions_).subspan(at(row * condition_size_), at(condition_size_));
}

std::size_t Examples::memory() const {
  const auto bytes = [](const auto& values) { return values.size() * sizeof(values[0]); };
  return bytes(bytes_) + bytes(numbers_) + bytes(source_rows_) + bytes(labels_) + bytes(conditions_) + bytes(origin_);
}

void Examples::read(Index row, std::span<Real> out) const {
  const Index begin = row * item_size_;
  if (!is_bytes()) {
    std::copy_n(numbers_.data() + begin, item_size_, out.data());
    return;
  }
  const std::uint8_t* from = bytes_.data() + begin;
  if (is_lazy()) {
    thread_local std::vector<std::uint8_t> made;
    made.resize(at(item_size_));
    source_->read(source_rows_[at(row)], made);
    from = made.data();
  }
  const Real top = static_cast<Real>(top_);
  for (Index i = 0; i < item_size_; ++i) out[at(i)] = static_cast<Real>(from[i]) / top;
}

void Examples::check_rows(std::span<const Index> rows, std::span<const Real> out) const {
  AD_CHECK(std::ssize(out) == std::ssize(rows) * item_size_, "gather",
           ad::cat("room for ", std::ssize(out), " numbers, but ", std::ssize(rows), " examples of ", item_size_, " come"));
  for (Index row : rows) AD_CHECK(row >= 0 && row < count_, "gather", ad::cat("example ", row, " of ", count_));
}

void Examples::gather(std::span<const Index> rows, std::span<Real> out) const {
  check_rows(rows, out);
  if (is_lazy()) return gather_lazy(rows, out);
  ad::parallel_blocks(std::ssize(rows), kRowGrain, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      if (i + kAhead < end) touch(rows[at(i + kAhead)]);
      read(rows[at(i)], out.subspan(at(i * item_size_), at(item_size_)));
    }
  });
}

void Examples::gather_lazy(std::span<const Index> rows, std::span<Real> out) const {
  std::mutex guard;
  std::exception_ptr error;
  Index failed = std::ssize(rows);
  ad::parallel_for(std::ssize(rows), [&](Index i) {
    try {  // an exception must not leave a parallel region
      read(rows[at(i)], out.subspan(at(i * item_size_), at(item_size_)));
    } catch (...) {
      const std::lock_guard lock(guard);
      if (i < failed) error = std::current_exception();
      failed = std::min(failed, i);
    }
  });
  if (error) std::rethrow_exception(error);
}

/// Asks the CPU to fetch a row from main memory.
void Examples::touch(Index row) const {
  const Index width = item_size_ * static_cast<Index>(is_bytes() ? 1 : sizeof(Real));
  const void* data = is_bytes() ? static_cast<const void*>(bytes_.data()) : numbers_.data();
  const char* from = static_cast<const char*>(data) + row * width;
  for (Index i = 0; i < width; i += kCacheLine) __builtin_prefetch(from + i);
}

template <class Values>
void Examples::take_rows(Values& to, const Values& from, std::span<const Index> rows) const {
  if (from.empty()) return;
  const Index width = static_cast<Index>(from.size()) / count_;
  to.reserve(at(std::ssize(rows) * width));
  for (Index row : rows) to.insert(to.end(), from.begin() + row * width, from.begin() + (row + 1) * width);
}

Examples Examples::subset(std::span<const Index> rows) const {
  Examples part;
  part.item_size_ = item_size_;
  part.top_ = top_;
  part.count_ = std::ssize(rows);
  part.condition_size_ = condition_size_;
  part.source_ = source_;
  take_rows(part.bytes_, bytes_, rows);
  take_rows(part.numbers_, numbers_, rows);
  take_rows(part.source_rows_, source_rows_, rows);
  take_rows(part.labels_, labels_, rows);
  take_rows(part.conditions_, conditions_, rows);
  part.origin_.reserve(rows.size());
  for (const Index row : rows) part.origin_.push_back(source_row(row));
  return part;
}

Examples Examples::cut_last(Index count) {
  AD_CHECK(count >= 0 && count <= count_, "cut_last", ad::cat(count, " of ", count_, " examples"));
  std::vector<Index> rows(at(count));
  for (Index i = 0; i < count; ++i) rows[at(i)] = count_ - count + i;
  Examples part = subset(rows);
  keep_first(count_ - count);
  return part;
}

void Examples::keep_first(Index count) {
  if (count >= count_) return;
  count_ = count;
  const auto shorten = [](auto& values, Index size) {
    if (values.empty()) return;
    const bool worth_a_copy = at(size) < values.size() / 2;  // else the copy's peak costs more than it gives back
    values.resize(at(size));
    if (worth_a_copy) values.shrink_to_fit();
  };
  shorten(bytes_, count * item_size_);
  shorten(numbers_, count * item_size_);
  shorten(source_rows_, count);
  shorten(labels_, count);
  shorten(conditions_, count * condition_size_);
  shorten(origin_, count);
}

std::uint64_t Examples::digest() const {
  Digest digest;
  for (const Index n : {count_, item_size_, condition_size_, static_cast<Index>(top_)}) digest.add(static_cast<std::uint64_t>(n));
  if (is_lazy()) digest.add(source_->digest());
  digest.add(std::span(source_rows_));
  digest.add(std::span(bytes_));
  digest.add(std::span(numbers_));
  digest.add(std::span(labels_));
  digest.add(std::span(conditions_));
  return digest.value();
}

bool Examples::in_unit_range() const {
  if (is_lazy()) return true;
  if (is_bytes()) return std::all_of(bytes_.begin(), bytes_.end(), [this](std::uint8_t b) { return b <= top_; });
  return std::all_of(numbers_.begin(), numbers_.end(), [](Real x) { return x >= 0 && x <= 1; });
}

void Examples::binarize(Key key) {
  if (is_lazy()) {
    source_ = std::make_shared<BinarizedSource>(std::move(source_), std::move(source_rows_), top_, key);
    source_rows_ = counted(count_);
    top_ = 1;
    return;
  }
  std::vector<std::uint8_t> drawn(at(count_ * item_size_));
  ad::parallel_blocks(count_, kRowGrain, [&](Index begin, Index end) {
    std::vector<Real> p(at(item_size_));
    for (Index i = begin; i < end; ++i) {
      read(i, p);
      ad::fill_bernoulli(key.fold(static_cast<std::uint64_t>(i)), p, p);
      std::transform(p.begin(), p.end(), drawn.begin() + i * item_size_, [](Real x) { return static_cast<std::uint8_t>(x); });
    }
  });
  bytes_ = std::move(drawn);
  numbers_ = {};
  top_ = 1;
}

void Examples::standardize(std::span<const Real> mean, std::span<const Real> stddev) {
  std::vector<Real> numbers(at(count_ * item_size_));
  for (Index i = 0; i < count_; ++i) {
    const std::span row = std::span(numbers).subspan(at(i * item_size_), at(item_size_));
    read(i, row);
    for (std::size_t d = 0; d < row.size(); ++d) row[d] = (row[d] - mean[d]) / stddev[d];
  }
  numbers_ = std::move(numbers);
  bytes_ = {};
  source_ = nullptr;
  source_rows_ = {};
  top_ = 0;
}

const Examples& Dataset::split(Split which) const {
  return which == Split::train ? train : which == Split::validation ? validation : test;
}

void binarize(Dataset& data, Binarize how, Key key) {
  data.binarize = how;
  if (how == Binarize::none) return;
  if (!data.unit_range) throw DataError(data.name + ": only numbers in [0, 1] can be binarised, and this data set has others");
  if (how == Binarize::fixed) data.train.binarize(key.fold("train"));
  data.validation.binarize(key.fold("validation"));
  data.test.binarize(key.fold("test"));
  data.levels = 2;
}

void standardize(Dataset& data) {
  const std::size_t width = at(data.shape.size());
  const double n = static_cast<double>(data.train.size());
  std::vector<Real> x(width);
  std::vector<double> mean(width), variance(width);
  for (Index i = 0; i < data.train.size(); ++i) {
    data.train.read(i, x);
    for (std::size_t d = 0; d < width; ++d) mean[d] += static_cast<double>(x[d]) / n;
  }
  for (Index i = 0; i < data.train.size(); ++i) {  // a second pass: E x^2 - (E x)^2 would cancel for a large mean
    data.train.read(i, x);
    for (std::size_t d = 0; d < width; ++d) {
      const double centred = static_cast<double>(x[d]) - mean[d];
      variance[d] += centred * centred / n;
    }
  }
  data.mean.resize(width);
  data.stddev.resize(width);
  for (std::size_t d = 0; d < width; ++d) {
    data.mean[d] = static_cast<Real>(mean[d]);
    data.stddev[d] = variance[d] > 0 ? static_cast<Real>(std::sqrt(variance[d])) : Real(1);
  }
  for (Examples* part : {&data.train, &data.validation, &data.test}) part->standardize(data.mean, data.stddev);
  data.unit_range = false;
  data.levels = 0;
}

void standardize(Dataset& data, std::vector<double> mean, std::vector<double> stddev) {
  const auto width = at(data.shape.size());
  AD_CHECK(mean.size() == width && stddev.size() == width, "standardize",
           ad::cat(mean.size(), " means and ", stddev.size(), " deviations for ", width, " columns"));
  data.mean.resize(width);
  data.stddev.resize(width);
  std::ranges::transform(mean, data.mean.begin(), [](double x) { return static_cast<Real>(x); });
  std::ranges::transform(stddev, data.stddev.begin(), [](double x) { return static_cast<Real>(x); });
  for (Examples* part : {&data.train, &data.validation, &data.test}) part->standardize(data.mean, data.stddev);
  data.unit_range = false;
  data.levels = 0;
}

}  // namespace vaezoo
