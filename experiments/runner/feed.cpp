#include "experiments/runner/feed.hpp"

#include <algorithm>

namespace vaezoo {

Feed::Feed(const Dataset& data, Split split, const BatchOptions& options, Key key)
    : batches_(data, split, options, key),
      x_(static_cast<std::size_t>(std::min(batches_.batch_size(), batches_.examples()) * batches_.item_size())),
      labels_(data.split(split).labels().empty() ? 0 : static_cast<std::size_t>(std::min(batches_.batch_size(), batches_.examples()))) {}

Index Feed::next() { return count_ = batches_.next(x_, labels_); }

Minibatch Feed::batch(Tape& tape, Index count) const {
  const Index n = count < 0 ? count_ : count, size = batches_.item_size(), width = batches_.condition_size();
  const auto first = [](auto span, Index k) { return span.first(static_cast<std::size_t>(k)); };
  return {.x = tape.constant({n, size}, first(std::span<const Real>(x_), n * size)),
          .mask = batches_.mask().empty() ? Var{} : tape.constant({n, size}, first(batches_.mask(), n * size)),
          .labels = first(std::span<const int>(labels_), labels_.empty() ? 0 : n),
          .conditions = width == 0 ? Var{} : tape.constant({n, width}, first(batches_.conditions(), n * width)),
          .observed = first(batches_.observed(), batches_.observed().empty() ? 0 : n)};
}

}  // namespace vaezoo
