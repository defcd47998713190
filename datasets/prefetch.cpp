#include "datasets/prefetch.hpp"

#include <algorithm>

namespace vaezoo {

Prefetcher::Prefetcher(const Examples& examples)
    : examples_(examples), thread_([this](std::stop_token stop) { work(stop); }) {}

Prefetcher::~Prefetcher() = default;

void Prefetcher::wait_until_idle(std::unique_lock<std::mutex>& lock) {
  changed_.wait(lock, [this] { return !busy_; });
}

void Prefetcher::ask(std::span<const Index> rows) {
  std::unique_lock lock(guard_);
  wait_until_idle(lock);
  rows_.assign(rows.begin(), rows.end());
  batch_.resize(rows.size() * static_cast<std::size_t>(examples_.item_size()));
  error_ = nullptr;
  busy_ = true;
  changed_.notify_all();
}

bool Prefetcher::take(std::span<const Index> rows, std::span<Real> out) {
  std::unique_lock lock(guard_);
  if (!std::equal(rows.begin(), rows.end(), rows_.begin(), rows_.end())) return false;
  wait_until_idle(lock);
  if (error_) std::rethrow_exception(error_);
  std::copy(batch_.begin(), batch_.end(), out.begin());
  return true;
}

void Prefetcher::work(std::stop_token stop) {
  std::unique_lock lock(guard_);
  while (changed_.wait(lock, stop, [this] { return busy_; })) {
    lock.unlock();
    try {
      examples_.gather(rows_, batch_);
    } catch (...) {
      error_ = std::current_exception();
    }
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace vaezoo
