#include "datasets/prefetch.hpp"

#include <algorithm>

#include "autodiff/parallel.hpp"

namespace vaezoo {

Prefetcher::Prefetcher(const Examples& examples) : examples_(examples) {
  for (int i = 0; i < ad::threads(); ++i) readers_.emplace_back([this](std::stop_token stop) { work(stop); });
}

void Prefetcher::ask(std::span<const Index> rows) {
  std::unique_lock lock(guard_);
  read_.wait(lock, [this] { return unread_ == 0; });
  rows_.assign(rows.begin(), rows.end());
  batch_.resize(rows.size() * static_cast<std::size_t>(examples_.item_size()));
  next_ = 0;
  unread_ = failed_ = std::ssize(rows);
  error_ = nullptr;
  asked_.notify_all();
}

bool Prefetcher::take(std::span<const Index> rows, std::span<Real> out) {
  std::unique_lock lock(guard_);
  if (!std::ranges::equal(rows, rows_)) return false;
  read_.wait(lock, [this] { return unread_ == 0; });
  if (error_) std::rethrow_exception(error_);
  std::ranges::copy(batch_, out.begin());
  return true;
}

void Prefetcher::work(std::stop_token stop) {
  std::unique_lock lock(guard_);
  while (asked_.wait(lock, stop, [this] { return next_ < std::ssize(rows_); }) && !stop.stop_requested()) {
    const Index i = next_++;
    lock.unlock();
    std::exception_ptr error;
    try {
      const auto width = static_cast<std::size_t>(examples_.item_size());
      examples_.read(rows_[static_cast<std::size_t>(i)], std::span(batch_).subspan(static_cast<std::size_t>(i) * width, width));
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error && i < failed_) {  // as gather, of several errors the one of the first row
      failed_ = i;
      error_ = error;
    }
    if (--unread_ == 0) read_.notify_all();
  }
}

}  // namespace vaezoo
