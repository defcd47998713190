// Where handlers run while products are computed. Handlers here stand on a stack of their own, and look at the one that was interrupted.
#include <doctest/doctest.h>
#include <pthread.h>
#include <ucontext.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>
#include <vector>

#include "autodiff/gemm.hpp"
#include "autodiff/random.hpp"

#if defined(__x86_64__)

namespace {

std::atomic<std::uintptr_t> lowest, highest;  // of the computing thread's stack
std::atomic<int> inside, outside;

void look(int, siginfo_t*, void* context) {
  const auto at = static_cast<std::uintptr_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RSP]);
  (at >= lowest && at < highest ? inside : outside) += 1;
}

void compute(const std::atomic<bool>& stop) {
  pthread_attr_t attributes;
  void* base = nullptr;
  std::size_t size = 0;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &base, &size);
  pthread_attr_destroy(&attributes);
  lowest = reinterpret_cast<std::uintptr_t>(base);
  highest = lowest + size;
  std::vector<char> stack(1 << 17);
  stack_t aside{};
  aside.ss_sp = stack.data();
  aside.ss_size = stack.size();
  sigaltstack(&aside, nullptr);

  constexpr ad::Index n = 128;
  std::vector<ad::Real> a(n * n), b(n * n), c(n * n);
  ad::fill_normal(ad::Key(1), a);
  ad::fill_normal(ad::Key(2), b);
  while (!stop) ad::gemm_serial(n, n, n, {a.data(), n}, {b.data(), n}, 0, c.data(), n);
  aside.ss_flags = SS_DISABLE;
  sigaltstack(&aside, nullptr);
}

}  // namespace

TEST_CASE("signals: a handler that comes while a product is computed finds the thread's own stack") {
  lowest = highest = 0;
  inside = outside = 0;
  struct sigaction action {}, before {};
  action.sa_sigaction = look;
  action.sa_flags = SA_ONSTACK | SA_RESTART | SA_SIGINFO;
  sigaction(SIGUSR1, &action, &before);
  std::atomic<bool> stop = false;
  std::thread thread([&] { compute(stop); });
  while (highest == 0) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  for (int seen = 0; seen < 500; seen = inside + outside) {
    pthread_kill(thread.native_handle(), SIGUSR1);
    std::this_thread::sleep_for(std::chrono::microseconds(137));
  }
  stop = true;
  thread.join();
  sigaction(SIGUSR1, &before, nullptr);
  CHECK(outside == 0);
  CHECK(inside >= 500);
}

#endif
