// The kernels that a training step is made of, at the sizes of the 784-400-20 VAE.
//   kernels --benchmark_filter=linear
#include <benchmark/benchmark.h>

#include <vector>

#include "autodiff/elementwise.hpp"
#include "autodiff/gemm.hpp"
#include "autodiff/linalg.hpp"
#include "autodiff/optimizers.hpp"
#include "autodiff/random.hpp"
#include "autodiff/reduce.hpp"

namespace {

using namespace ad;

std::vector<Real> normals(Index count, std::uint64_t seed = 1) {
  std::vector<Real> x(static_cast<std::size_t>(count));
  fill_normal(Key(seed), x);
  return x;
}

void set_rates(benchmark::State& state, double flops, double bytes) {
  const auto rate = benchmark::Counter::kIsIterationInvariantRate;
  if (flops > 0) state.counters["FLOP/s"] = benchmark::Counter(flops, rate);
  if (bytes > 0) state.counters["B/s"] = benchmark::Counter(bytes, rate, benchmark::Counter::kIs1024);
}

/// C = A B of m x n x k; the arguments after them say which operand is transposed.
void gemm_kernel(benchmark::State& state) {
  const Index m = state.range(0), n = state.range(1), k = state.range(2);
  const bool ta = state.range(3) != 0, tb = state.range(4) != 0;
  const auto a = normals(m * k), b = normals(k * n);
  auto c = normals(m * n);
  for (auto _ : state) gemm(m, n, k, {a.data(), ta ? m : k, ta}, {b.data(), tb ? k : n, tb}, 0, c.data(), n);
  set_rates(state, 2.0 * double(m * n * k), 0);
}
BENCHMARK(gemm_kernel)->UseRealTime()->Args({128, 400, 784, 0, 1})->Args({128, 784, 400, 0, 1})->Args({784, 400, 128, 1, 0})
    ->Args({128, 400, 784, 0, 0})->Args({128, 400, 20, 0, 1})->Args({1024, 1024, 1024, 0, 0});

/// Forward and backward of one op on a tape.
template <class F>
void op(benchmark::State& state, Index rows, Index columns, F f) {
  const auto a = normals(rows * columns), b = normals(rows * columns, 2);
  Tape tape;
  for (auto _ : state) {
    tape.reset();
    const Var x = tape.variable({rows, columns}, a), y = tape.variable({rows, columns}, b);
    tape.backward(sum(f(x, y)));
  }
  set_rates(state, 0, double(rows * columns * Index(sizeof(Real))));
}
BENCHMARK_CAPTURE(op, add, 128, 784, [](Var x, Var y) { return x + y; })->UseRealTime();
BENCHMARK_CAPTURE(op, softplus, 128, 784, [](Var x, Var) { return softplus(x); })->UseRealTime();
BENCHMARK_CAPTURE(op, gelu, 128, 784, [](Var x, Var) { return gelu(x); })->UseRealTime();
BENCHMARK_CAPTURE(op, log_softmax, 128, 784, [](Var x, Var) { return log_softmax(x); })->UseRealTime();
BENCHMARK_CAPTURE(op, bernoulli_log_prob, 128, 784, [](Var x, Var y) {
  return map_sum("bernoulli_log_prob", [](auto a, auto v) { return a * v - softplus(a); }, x, y);
})->UseRealTime();

void linear_relu(benchmark::State& state) {
  const Index rows = state.range(0), in = state.range(1), out = state.range(2);
  const auto x = normals(rows * in), w = normals(out * in), b = normals(out);
  Tape tape;
  for (auto _ : state) {
    tape.reset();
    tape.backward(
        sum(linear(tape.variable({rows, in}, x), tape.variable({out, in}, w), tape.variable({out}, b), Activation::relu)));
  }
  set_rates(state, 6.0 * double(rows * in * out), 0);
}
BENCHMARK(linear_relu)->UseRealTime()->Args({32, 784, 400})->Args({128, 784, 400})->Args({512, 784, 400});

void adam(benchmark::State& state) {
  ParameterStore store{Key(1)};
  store.add("w", {state.range(0)}, init::normal(0, 1));
  Adam optimizer(store);
  for (auto _ : state) optimizer.step(Real(1e-3));
  set_rates(state, 0, 7.0 * double(state.range(0)) * double(sizeof(Real)));
}
BENCHMARK(adam)->UseRealTime()->Arg(1 << 16)->Arg(652'824);

void normal_numbers(benchmark::State& state) {
  std::vector<Real> x(static_cast<std::size_t>(state.range(0)));
  std::uint64_t step = 0;
  for (auto _ : state) fill_normal(Key(1).fold(step++), x);
  set_rates(state, 0, double(state.range(0)) * double(sizeof(Real)));
}
BENCHMARK(normal_numbers)->UseRealTime()->Arg(128 * 20)->Arg(128 * 784);

}  // namespace

BENCHMARK_MAIN();
