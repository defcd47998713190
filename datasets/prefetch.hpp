#pragma once
// Reading ahead: one background thread gathers the next batch of lazy examples while the model works on this one.
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
class Prefetcher {
 public:
  /// `examples` must outlive this object.
  explicit Prefetcher(const Examples& examples);
  ~Prefetcher();

  /// Starts to gather these rows in the background, in place of what was asked for before.
  void ask(std::span<const Index> rows);
  /// Waits until the batch asked for last is there and writes it into out [rows, D]. Returns false, at once, when these are
  /// other rows.
  bool take(std::span<const Index> rows, std::span<Real> out);

 private:
  void work(std::stop_token stop);
  void wait_until_idle(std::unique_lock<std::mutex>& lock);

  const Examples& examples_;
  std::mutex guard_;
  std::condition_variable_any changed_;
  bool busy_ = false;  // the thread owns rows_, batch_ and error_ while this is true
  std::vector<Index> rows_;
  std::vector<Real> batch_;
  std::exception_ptr error_;
  std::jthread thread_;  // last, so that it starts after and ends before all that it uses
};

}  // namespace vaezoo
