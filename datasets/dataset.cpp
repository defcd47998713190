#include "datasets/dataset.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <mutex>
#include <numeric>
#include <utility>

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
template <class T>
void check_finite(const std::vector<T>& numbers, Index width, const char* kind) {
  const auto bad = std::find_if(numbers.begin(), numbers.end(), [](T x) { return !std::isfinite(x); });
  if (bad == numbers.end()) return;
  const Index i = bad - numbers.begin();
  const char* missing = "NaN, a missing value; fill it in, or leave the example out";
  const char* what = std::isnan(*bad) ? missing : "infinite";
  throw DataError(ad::cat("example ", i / width, ", ", kind, " ", i % width, " (both counted from 0) is ", what));
}

/// Mean, deviation and extremes of columns, and what narrowing changes.
struct Columns {
  std::vector<double> mean, variance, rounding;  // the last: mean square of what Real loses
  std::vector<char> constant;
};

/// Of `count` rows; read(i, row) writes row i, and observed(i, d) says which of its numbers count.
template <class Read, class Observed>
Columns column_statistics(Index count, Index width, Read read, Observed observed) {
  const std::size_t D = at(width);
  std::vector<double> x(D), first(D), n(D);
  Columns c{std::vector<double>(D), std::vector<double>(D), std::vector<double>(D), std::vector<char>(D, 1)};
  for (Index i = 0; i < count; ++i)
    for (std::size_t d = 0; d < D; ++d) n[d] += observed(i, d);
  std::vector<char> started(D, 0);
  for (Index i = 0; i < count; ++i) {
    read(i, std::span(x));
    for (std::size_t d = 0; d < D; ++d) {
      if (!observed(i, d)) continue;
      if (started[d] == 0) first[d] = x[d];
      started[d] = 1;
      c.mean[d] += x[d] / n[d];
      c.constant[d] = c.constant[d] != 0 && x[d] == first[d];
    }
  }
  for (Index i = 0; i < count; ++i) {  // a second pass: E x^2 - (E x)^2 would cancel for a large mean
    read(i, std::span(x));
    for (std::size_t d = 0; d < D; ++d) {
      if (!observed(i, d)) continue;
      const double centred = x[d] - c.mean[d], lost = x[d] - static_cast<double>(static_cast<Real>(x[d]));
      c.variance[d] += centred * centred / n[d];
      c.rounding[d] += lost * lost / n[d];
    }
  }
  for (std::size_t d = 0; d < D; ++d) {
    if (c.constant[d] != 0) c.mean[d] = first[d];
  }
  return c;
}

Columns column_statistics(const Examples& examples, Index width) {
  return column_statistics(examples.size(), width, [&](Index i, std::span<double> row) { examples.read_exact(i, row); },
                           [&](Index i, std::size_t d) { return examples.all_cells() || examples.cells(i)[d] == Cell::observed; });
}

std::vector<Index> lost_columns(const Columns& c) {
  constexpr double kMostLost = 1e-3;  // of the standard deviation
  std::vector<Index> lost;
  for (std::size_t d = 0; d < c.mean.size(); ++d) {
    if (c.constant[d] == 0 && c.rounding[d] > kMostLost * kMostLost * c.variance[d]) lost.push_back(static_cast<Index>(d));
  }
  return lost;
}

/// Draws of 0 or 1 from the rows of another source, made again, and alike, at each reading.
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

/// Runs `change` for each split, and says in its DataErrors which one it was.
template <class Change>
void for_splits(Dataset& data, Change change) {
  for (auto [which, part] : {std::pair(Split::train, &data.train), std::pair(Split::validation, &data.validation),
                             std::pair(Split::test, &data.test)}) {
    try {
      change(*part);
    } catch (const DataError& error) {
      throw DataError(ad::cat(data.provenance, ": in the ", to_text(which), " split, ", error.what()));
    }
  }
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

Examples Examples::exact(std::vector<double> numbers, Index item_size, std::vector<int> labels) {
  Examples examples;
  examples.exact_ = std::move(numbers);
  examples.labels_ = std::move(labels);
  examples.item_size_ = item_size;
  examples.count_ = rows_in(examples.exact_.size(), item_size, examples.labels_.size());
  check_finite(examples.exact_, item_size, "value");
  return examples;
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
  return bytes(bytes_) + bytes(numbers_) + bytes(exact_) + bytes(source_rows_) + bytes(labels_) + bytes(conditions_) +
         bytes(cells_) + bytes(origin_);
}

void Examples::read(Index row, std::span<Real> out) const {
  const Index begin = row * item_size_;
  if (is_exact()) {
    for (Index i = 0; i < item_size_; ++i) out[at(i)] = static_cast<Real>(exact_[at(begin + i)]);
    return;
  }
  if (!is_bytes()) {
    std::copy_n(numbers_.data() + begin, item_size_, out.data());
    return;
  }
  thread_local std::vector<std::uint8_t> made;
  if (is_lazy()) {
    made.resize(at(item_size_));
    source_->read(source_rows_[at(row)], made);
  }
  const std::uint8_t* from = is_lazy() ? made.data() : bytes_.data() + begin;
  const Real top = static_cast<Real>(top_);
  for (Index i = 0; i < item_size_; ++i) out[at(i)] = static_cast<Real>(from[i]) / top;
}

void Examples::read_exact(Index row, std::span<double> out) const {
  if (is_exact()) {
    std::copy_n(exact_.data() + row * item_size_, item_size_, out.data());
    return;
  }
  thread_local std::vector<Real> reals;
  reals.resize(at(item_size_));
  read(row, reals);
  std::copy(reals.begin(), reals.end(), out.begin());
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
  if (is_exact()) return;  // read before the batches, in order
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
  take_rows(part.exact_, exact_, rows);
  take_rows(part.source_rows_, source_rows_, rows);
  take_rows(part.labels_, labels_, rows);
  take_rows(part.hidden_, hidden_, rows);
  take_rows(part.cells_, cells_, rows);
  take_rows(part.conditions_, conditions_, rows);
  part.origin_.reserve(rows.size());
  for (const Index row : rows) part.origin_.push_back(source_row(row));
  return part;
}

void Examples::renumber(std::span<const int> becomes) {
  for (int& label : labels_)
    if (label >= 0) label = becomes[at(label)];
}

void Examples::keep_labels(std::span<const Index> rows) {
  std::vector<int> kept(labels_.size(), -1);
  for (const Index row : rows) kept[at(row)] = labels_[at(row)];
  labels_ = std::move(kept);
}

void Examples::hide_inputs(std::span<const Index> rows) {
  hidden_.assign(at(count_), 0);
  for (const Index row : rows) hidden_[at(row)] = 1;
}

Index Examples::hidden() const { return std::ranges::count(hidden_, 1); }

void Examples::set_cells(std::vector<Cell> cells) {
  AD_CHECK(std::ssize(cells) == count_ * item_size_, "set_cells", ad::cat(std::ssize(cells), " cells for ", count_, " examples of ", item_size_));
  if (std::ranges::count(cells, Cell::observed) < std::ssize(cells)) cells_ = std::move(cells);
}

void Examples::hide_cells(double keep, Key key) {
  std::vector<Cell> cells = all_cells() ? std::vector<Cell>(at(count_ * item_size_)) : cells_;
  std::vector<Real> u(at(item_size_));
  for (Index i = 0; i < count_; ++i) {
    ad::fill_uniform(key.fold(static_cast<std::uint64_t>(i)), u);
    for (Index d = 0; d < item_size_; ++d) {
      Cell& cell = cells[at(i * item_size_ + d)];
      if (cell == Cell::observed && double(u[at(d)]) >= keep) cell = Cell::hidden;
    }
  }
  set_cells(std::move(cells));
}

void Examples::hide_modalities(std::span<const Modality> modalities, double keep, Key key) {
  std::vector<Cell> cells = all_cells() ? std::vector<Cell>(at(count_ * item_size_)) : cells_;
  std::vector<Real> u(modalities.size() + 1);
  for (Index i = 0; i < count_; ++i) {
    ad::fill_uniform(key.fold(static_cast<std::uint64_t>(i)), u);
    const auto stays = static_cast<std::size_t>(double(u.back()) * double(modalities.size()));
    for (std::size_t m = 0; m < modalities.size(); ++m) {
      if (double(u[m]) < keep || m == stays) continue;
      for (Cell& cell : std::span(cells).subspan(at(i * item_size_ + modalities[m].begin), at(modalities[m].shape.size())))
        if (cell == Cell::observed) cell = Cell::hidden;
    }
  }
  set_cells(std::move(cells));
}

std::span<const Cell> Examples::cells(Index row) const {
  if (cells_.empty()) return {};
  return std::span(cells_).subspan(at(row * item_size_), at(item_size_));
}

Index Examples::missing_cells() const { return std::ssize(cells_) - std::ranges::count(cells_, Cell::observed); }

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
  shorten(exact_, count * item_size_);
  shorten(source_rows_, count);
  shorten(labels_, count);
  shorten(hidden_, count);
  shorten(cells_, count * item_size_);
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
  digest.add(std::span(exact_));
  digest.add(std::span(labels_));
  digest.add(std::span(hidden_));
  if (!all_cells()) digest.add(std::span(cells_));
  digest.add(std::span(conditions_));
  return digest.value();
}

bool Examples::in_unit_range() const {
  if (is_lazy()) return true;
  if (is_bytes()) return std::all_of(bytes_.begin(), bytes_.end(), [this](std::uint8_t b) { return b <= top_; });
  const auto within = [](auto x) { return x >= 0 && x <= 1; };
  return std::all_of(numbers_.begin(), numbers_.end(), within) && std::all_of(exact_.begin(), exact_.end(), within);
}

bool Examples::are_counts() const {
  const auto is_count = [](auto x) { return x >= 0 && x == std::floor(x); };
  return !is_bytes() && std::ranges::all_of(numbers_, is_count) && std::ranges::all_of(exact_, is_count);
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
  exact_ = {};
  top_ = 1;
}

void Examples::standardize(std::span<const double> mean, std::span<const double> stddev) {
  std::vector<Real> numbers(at(count_ * item_size_));
  std::vector<double> row(at(item_size_));
  for (Index i = 0; i < count_; ++i) {
    read_exact(i, row);
    for (std::size_t d = 0; d < row.size(); ++d) {
      if (!all_cells() && cells(i)[d] == Cell::missing) continue;
      const Real x = static_cast<Real>((row[d] - mean[d]) / stddev[d]);
      if (!std::isfinite(x)) {
        throw DataError(ad::cat("example ", source_row(i), ", value ", d, " (both counted from 0) is ", row[d],
                                ", too far from the mean ", mean[d], " to be standardised by ", stddev[d]));
      }
      numbers[at(i * item_size_) + d] = x;
    }
  }
  numbers_ = std::move(numbers);
  bytes_ = {};
  exact_ = {};
  source_ = nullptr;
  source_rows_ = {};
  top_ = 0;
}

void Examples::narrow() {
  if (!is_exact()) return;
  numbers_.resize(exact_.size());
  std::transform(exact_.begin(), exact_.end(), numbers_.begin(), [](double x) { return static_cast<Real>(x); });
  const auto bad = std::find_if(numbers_.begin(), numbers_.end(), [](Real x) { return !std::isfinite(x); });
  if (bad != numbers_.end()) {
    const Index i = bad - numbers_.begin();
    throw DataError(ad::cat("example ", source_row(i / item_size_), ", value ", i % item_size_, " (both counted from 0) is ",
                            exact_[at(i)],
                            ", too large for a number of 32 bits; set \"standardize\" to true or give \"divide_by\""));
  }
  exact_ = {};
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
  const Columns c = column_statistics(data.train, data.shape.size());
  std::vector<double> stddev(c.mean.size(), 1);
  for (std::size_t d = 0; d < stddev.size(); ++d) {
    if (!std::isfinite(c.variance[d])) {
      throw DataError(ad::cat(data.provenance, ": ", column_name(data, static_cast<Index>(d)),
                              " holds numbers too large to be standardised"));
    }
    if (c.constant[d] == 0 && c.variance[d] > 0) stddev[d] = std::sqrt(c.variance[d]);
  }
  standardize(data, c.mean, std::move(stddev));
}

void standardize(Dataset& data, std::vector<double> mean, std::vector<double> stddev) {
  const auto width = static_cast<std::size_t>(data.shape.size());
  AD_CHECK(mean.size() == width && stddev.size() == width, "standardize",
           ad::cat(mean.size(), " means and ", stddev.size(), " deviations for ", width, " columns"));
  data.mean = std::move(mean);
  data.stddev = std::move(stddev);
  for_splits(data, [&](Examples& part) { part.standardize(data.mean, data.stddev); });
  data.unit_range = false;
  data.levels = 0;
}

std::vector<double> in_source_units(const Dataset& data, std::span<const Real> rows) {
  std::vector<double> out(rows.begin(), rows.end());
  const std::size_t width = data.mean.size();
  for (std::size_t i = 0; width > 0 && i < out.size(); ++i) out[i] = out[i] * data.stddev[i % width] + data.mean[i % width];
  return out;
}

void narrow(Dataset& data) {
  if (data.train.is_exact()) {
    const Columns c = column_statistics(data.train, data.shape.size());
    std::vector<std::string> names;
    for (Index d : lost_columns(c)) names.push_back(column_name(data, d));
    if (!names.empty()) data.warnings.push_back(rounding_warning(names) + "; set \"standardize\": true, or subtract a constant");
  }
  for_splits(data, [](Examples& part) { part.narrow(); });
}

std::vector<Index> columns_lost_to_rounding(std::span<const double> values, Index width) {
  return lost_columns(column_statistics(std::ssize(values) / width, width, [&](Index i, std::span<double> row) {
    std::copy_n(values.begin() + i * width, width, row.begin());
  }, [](Index, std::size_t) { return true; }));
}

std::string rounding_warning(const std::vector<std::string>& columns) {
  return ad::cat(listed(columns, 5), ": numbers of 32 bits cannot tell apart values that differ in the file");
}

std::string column_name(const Dataset& data, Index column) {
  if (data.column_names.empty()) return ad::cat("column ", column, " (from 0)");
  return "'" + excerpt(data.column_names[at(column)]) + "'";
}

}  // namespace vaezoo
