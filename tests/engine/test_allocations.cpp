// A training step after the first allocates nothing from the system. Replaces the global operator new of this program.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "autodiff/elementwise.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/linalg.hpp"
#include "autodiff/optimizers.hpp"
#include "autodiff/random_ops.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace {
std::atomic<long> allocations{0};

// Not inlined, or g++ takes what it sees for a mismatch of new and free.
[[gnu::noinline]] void* counted(std::size_t bytes, std::size_t align) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* p = align == 0 ? std::malloc(bytes == 0 ? 1 : bytes) : std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
[[gnu::noinline]] void release(void* p) { std::free(p); }
}  // namespace

void* operator new(std::size_t bytes) { return counted(bytes, 0); }
void* operator new[](std::size_t bytes) { return counted(bytes, 0); }
void* operator new(std::size_t bytes, std::align_val_t align) { return counted(bytes, static_cast<std::size_t>(align)); }
void* operator new[](std::size_t bytes, std::align_val_t align) { return counted(bytes, static_cast<std::size_t>(align)); }
void operator delete(void* p) noexcept { release(p); }
void operator delete[](void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { release(p); }

TEST_CASE("a training step after the first allocates nothing") {
  using namespace ad;
  ParameterStore store(Key(3));
  const Parameters p(store);
  Parameter& w1 = p.add("0/weight", {64, 30}, init::kaiming_uniform());
  Parameter& b1 = p.add("0/bias", {64}, init::zeros());
  Parameter& w2 = p.add("1/weight", {8, 64}, init::kaiming_uniform());
  Parameter& b2 = p.add("1/bias", {8}, init::zeros());
  Adam adam(store);
  std::vector<Real> data(128 * 30);
  fill_normal(Key(1), data);
  const std::vector<Index> labels(128, 2);
  Tape tape;

  long counted_from = 0;
  std::size_t system_from = 0;
  for (std::uint64_t step = 0; step < 6; ++step) {
    if (step == 1) {
      counted_from = allocations;
      system_from = tape.arena().system_allocations();
    }
    tape.reset();
    store.zero_grad();
    const Var x = tape.constant({128, 30}, data);
    const Var h =
        dropout(linear(x, tape.parameter(w1), tape.parameter(b1), Activation::relu), Real(0.1), Key(2).fold(step), true);
    const Var y = linear(h, tape.parameter(w2), tape.parameter(b2));
    const Var mu = chunk(y, 2, 0), log_sigma = chunk(y, 2, 1);
    const Var z = map(
        "rsample", [](auto m, auto s, auto e) { return m + exp(s) * e; }, mu, log_sigma,
        normal(tape, mu.shape(), Key(4).fold(step)));
    const Var fit = gather(log_softmax(concat({z, mu})), 1, labels);
    const Var penalty = logsumexp(transpose(z), 1) + var(log_sigma, 0) * tape.constant({1}, Real(0.5));
    tape.backward(mean(penalty) - mean(fit));
    adam.step(Real(1e-3));
  }
  CHECK(allocations - counted_from == 0);
  CHECK(tape.arena().system_allocations() == system_from);
  CHECK(tape.first_nonfinite() == "");
}
