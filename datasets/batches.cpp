#include "datasets/batches.hpp"

#include <algorithm>
#include <numeric>

#include "autodiff/check.hpp"
#include "autodiff/parallel.hpp"

namespace vaezoo {

Batches::Batches(const Dataset& data, Split split, BatchOptions options, Key key)
    : examples_(&data.split(split)),
      options_(options),
      dynamic_(data.binarize == Binarize::dynamic && split == Split::train),
      key_(key.fold(to_text(split))),
      order_(static_cast<std::size_t>(examples_->size())) {
  AD_CHECK(options.batch_size >= 1, "Batches", ad::cat("batch_size is ", options.batch_size, "; expected at least 1"));
  std::iota(order_.begin(), order_.end(), Index{0});
  const Index most = std::min(options.batch_size, examples());
  conditions_.resize(static_cast<std::size_t>(most * condition_size()));
  if (examples_->hidden() > 0) observed_.resize(static_cast<std::size_t>(most));
  if (!examples_->all_cells()) mask_.resize(static_cast<std::size_t>(most * item_size()));
  if (options.prefetch && examples_->is_lazy()) ahead_ = std::make_unique<Prefetcher>(*examples_);
  start(0);
}

Index Batches::per_epoch() const {
  const Index size = options_.batch_size;
  return options_.drop_last ? examples() / size : (examples() + size - 1) / size;
}

void Batches::start(Index epoch) {
  const auto number = static_cast<std::uint64_t>(epoch);
  if (options_.shuffle) order_ = ad::permutation(key_.fold("order").fold(number), examples());
  draws_ = key_.fold("binarize").fold(number);
  batch_ = 0;
  rows_ = {};
}

void Batches::seek(Index batch) {
  AD_CHECK(batch >= 0 && batch <= per_epoch(), "seek", ad::cat("batch ", batch, " of ", per_epoch()));
  batch_ = batch;
  rows_ = {};
}

std::span<const Index> Batches::rows_of(Index batch) const {
  if (batch >= per_epoch()) return {};
  const Index begin = batch * options_.batch_size;
  const Index count = std::min(options_.batch_size, examples() - begin);
  return std::span(order_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
}

/// Fills x with the examples rows_.
void Batches::gather(std::span<Real> x) {
  if (!ahead_) return examples_->gather(rows_, x);
  if (!ahead_->take(rows_, x)) examples_->gather(rows_, x);
  if (const auto following = rows_of(batch_); !following.empty()) ahead_->ask(following);
}

void Batches::binarize(std::span<Real> x) const {
  const auto width = static_cast<std::size_t>(item_size());
  ad::parallel_for(std::ssize(rows_), [&](Index i) {
    const auto p = x.subspan(static_cast<std::size_t>(i) * width, width);
    ad::fill_bernoulli(draws_.fold(static_cast<std::uint64_t>(rows_[static_cast<std::size_t>(i)])), p, p);
  });
}

void Batches::apply_mask(std::span<Real> x) {
  auto mask = mask_.begin();
  auto value = x.begin();
  for (const Index row : rows_)
    for (const Cell cell : examples_->cells(row)) {
      *mask = cell == Cell::observed ? Real(1) : Real(0);
      *value++ *= *mask++;
    }
}

Index Batches::next(std::span<Real> x, std::span<int> labels) {
  rows_ = rows_of(batch_);
  if (rows_.empty()) return 0;
  const Index count = std::ssize(rows_), width = item_size();
  AD_CHECK(std::ssize(x) >= count * width, "Batches",
           ad::cat("x has room for ", std::ssize(x), " numbers; a batch holds ", count * width));
  AD_CHECK(labels.empty() || std::ssize(labels) >= count, "Batches",
           ad::cat("room for ", std::ssize(labels), " labels; a batch holds ", count));
  ++batch_;
  x = x.first(static_cast<std::size_t>(count * width));
  gather(x);
  if (dynamic_) binarize(x);
  if (!mask_.empty()) apply_mask(x);
  const std::vector<int>& all = examples_->labels();
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const auto row = static_cast<std::size_t>(rows_[i]);
    if (!labels.empty()) labels[i] = all.empty() ? -1 : all[row];
    if (!observed_.empty()) {
      observed_[i] = examples_->observed(rows_[i]);
      if (observed_[i] == 0) std::ranges::fill(x.subspan(i * static_cast<std::size_t>(width), static_cast<std::size_t>(width)), Real(0));
    }
    std::ranges::copy(examples_->conditions(rows_[i]), conditions_.begin() + static_cast<Index>(i) * condition_size());
  }
  return count;
}

}  // namespace vaezoo
