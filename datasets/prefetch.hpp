#pragma once
// Reading ahead: background threads make the next batch of lazy examples while the model works on this one.
#include <condition_variable>
#include <exception>
#include <mutex>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

#include "datasets/dataset.hpp"

namespace vaezoo {

/// Holds at most one batch. Its numbers are those that examples.gather gives, and what that throws is thrown by take.
///
/// The readers are plain threads, as many as kernels use, and not a parallel region in one background thread: a second OpenMP
/// pool in the process makes libgomp's threads sleep instead of spin between regions, which cost each region of the model 6 us.
class Prefetcher {
 public:
  /// `examples` must outlive this object.
  explicit Prefetcher(const Examples& examples);

  /// Starts to read these rows in the background, in place of what was asked for before.
  void ask(std::span<const Index> rows);
  /// Waits until the batch asked for last is there and writes it into out [rows, D]. Returns false, at once, when these are
  /// other rows.
  bool take(std::span<const Index> rows, std::span<Real> out);

 private:
  void work(std::stop_token stop);

  const Examples& examples_;
  // Guards all that follows; but while rows are unread, readers look at rows_ and write their own parts of batch_ without it.
  std::mutex guard_;
  std::condition_variable_any asked_, read_;
  std::vector<Index> rows_;
  std::vector<Real> batch_;
  Index next_ = 0;    // the next row that a reader takes
  Index unread_ = 0;  // rows that are not read yet, those under way included
  Index failed_ = 0;  // which row error_ is about
  std::exception_ptr error_;
  std::vector<std::jthread> readers_;  // last, so that they start after and end before all that they use
};

}  // namespace vaezoo
