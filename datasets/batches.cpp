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

Index Batches::next(std::span<Real> x, std::span<int> labels) {
  rows_ = {};
  if (batch_ == per_epoch()) return 0;
  const Index begin = batch_ * options_.batch_size;
  const Index count = std::min(options_.batch_size, examples() - begin);
  const Index width = item_size();
  AD_CHECK(std::ssize(x) >= count * width, "Batches",
           ad::cat("x has room for ", std::ssize(x), " numbers; a batch holds ", count * width));
  rows_ = std::span(order_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
  ++batch_;

  x = x.first(static_cast<std::size_t>(count * width));
  examples_->gather(rows_, x);
  if (dynamic_) {
    ad::parallel_for(count, [&](Index i) {
      const auto p = x.subspan(static_cast<std::size_t>(i * width), static_cast<std::size_t>(width));
      ad::fill_bernoulli(draws_.fold(static_cast<std::uint64_t>(rows_[static_cast<std::size_t>(i)])), p, p);
    });
  }
  if (!labels.empty()) {
    AD_CHECK(std::ssize(labels) >= count, "Batches", ad::cat("room for ", std::ssize(labels), " labels; a batch holds ", count));
    const std::vector<int>& all = examples_->labels();
    for (std::size_t i = 0; i < rows_.size(); ++i) labels[i] = all.empty() ? -1 : all[static_cast<std::size_t>(rows_[i])];
  }
  return count;
}

}  // namespace vaezoo
