#pragma once
// A split of a data set as minibatches on a tape.
#include <vector>

#include "datasets/batches.hpp"
#include "models/model.hpp"

namespace vaezoo {

///   Feed feed(data, Split::test, {.batch_size = 100}, key);
///   while (feed.next()) { tape.reset(); f(feed.batch(tape)); }
class Feed {
 public:
  Feed(const Dataset& data, Split split, const BatchOptions& options, Key key);

  Batches& batches() { return batches_; }
  const Batches& batches() const { return batches_; }

  /// Reads the next batch and returns its number of examples: 0 at the end of the epoch. Throws DataError.
  Index next();
  /// The batch that was read last, or its first `count` examples; valid until the next one is read.
  Minibatch batch(Tape& tape, Index count = -1) const;

 private:
  Batches batches_;
  std::vector<Real> x_;
  std::vector<int> labels_;
  Index count_ = 0;
};

}  // namespace vaezoo
