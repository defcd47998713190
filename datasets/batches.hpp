#pragma once
// Feeding a split to a model, batch by batch.
#include <memory>
#include <span>
#include <vector>

#include "datasets/dataset.hpp"
#include "datasets/prefetch.hpp"

namespace vaezoo {

struct BatchOptions {
  Index batch_size = 100;
  bool shuffle = false;    ///< a new order each epoch; else the order of the file
  bool drop_last = false;  ///< leave out the last batch of an epoch when it is short
  bool prefetch = true;    ///< of lazy examples, gather the next batch in the background; the numbers are the same
};

/// Iterates over one split of a data set, which must outlive it:
///
///   Batches batches(data, Split::train, {.batch_size = 128, .shuffle = true}, Key(seed));
///   for (Index epoch = 0; epoch < epochs; ++epoch) {
///     batches.start(epoch);
///     while (Index n = batches.next(x, labels)) ...   // x [n, D] is filled
///   }
///
/// The order depends only on key and epoch, and a dynamic binarisation on key, epoch and the example, so neither
/// depends on batch size, threads or what ran before; resuming needs `start(epoch); seek(batch)`. Of examples in memory,
/// only `start` of a shuffled split allocates.
class Batches {
 public:
  /// Throws ad::Error when batch_size is below 1.
  Batches(const Dataset& data, Split split, BatchOptions options, Key key);

  Index examples() const { return examples_->size(); }
  Index item_size() const { return examples_->item_size(); }
  Index batch_size() const { return options_.batch_size; }
  Index per_epoch() const;  ///< number of batches in an epoch; 0 when the split is empty

  void start(Index epoch);  ///< goes to the first batch of the epoch; a new object stands at epoch 0
  void seek(Index batch);   ///< goes to a batch of the current epoch, 0 <= batch <= per_epoch()

  /// Fills x (at least [batch_size, D]; zeros where it was not observed) and, when given, labels (at least [batch_size]; -1 when the data have none) with
  /// the next batch and returns its number of examples: 0 at the end of the epoch. Throws DataError when a lazy source does.
  Index next(std::span<Real> x, std::span<int> labels = {});
  /// Which examples the last batch held, counted within the split.
  std::span<const Index> rows() const { return rows_; }
  /// The conditions of the last batch, [n, condition_size()]; empty when the data have none.
  std::span<const Real> conditions() const { return std::span(conditions_).first(rows_.size() * width_of_condition()); }
  Index condition_size() const { return examples_->condition_size(); }
  /// [n, D] of the last batch: 1 where a number was observed, 0 where not and x is 0; empty when the split has all of them.
  std::span<const Real> mask() const { return std::span(mask_).first(mask_.empty() ? 0 : rows_.size() * static_cast<std::size_t>(item_size())); }
  /// [n] of the last batch: 1 where x was observed, 0 where not; empty when the split has all of it.
  std::span<const std::uint8_t> observed() const { return std::span(observed_).first(observed_.empty() ? 0 : rows_.size()); }

 private:
  std::size_t width_of_condition() const { return static_cast<std::size_t>(condition_size()); }
  std::span<const Index> rows_of(Index batch) const;  // none after the last batch
  void gather(std::span<Real> x);
  void binarize(std::span<Real> x) const;
  void apply_mask(std::span<Real> x);

  const Examples* examples_;
  BatchOptions options_;
  bool dynamic_;
  Key key_;
  Key draws_;  // of this epoch's binarisation
  Index batch_ = 0;
  std::vector<Index> order_;
  std::span<const Index> rows_;
  std::vector<Real> conditions_;
  std::vector<std::uint8_t> observed_;
  std::vector<Real> mask_;
  std::unique_ptr<Prefetcher> ahead_;
};

}  // namespace vaezoo
