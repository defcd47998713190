// Times whole training steps of the zoo's own model through the public API: forward, backward, Adam.
//   step --model mlp --batch 128 --threads 2 --seconds 4        prints "median X ms"
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

#include "autodiff/gemm.hpp"
#include "autodiff/optimizers.hpp"
#include "autodiff/parallel.hpp"
#include "models/registry.hpp"

namespace {

using namespace ad;
using vaezoo::DataSpec;

std::atomic<std::size_t> allocations{0};

struct Step {  // one model with its data, ready to be stepped
  ParameterStore store{Key(1)};
  std::unique_ptr<vaezoo::Model> model;
  std::unique_ptr<Adam> adam;
  Tape tape;
  std::vector<Real> x;
  Index batch, size;

  Step(const std::string& name, Index batch_) : batch(batch_) {
    if (name != "mlp") throw Error(cat("--model may be mlp, got ", name));
    const DataSpec data{.height = 28, .width = 28, .channels = 1};  // the 784-400-20 VAE: the default of "vae"
    model = vaezoo::find_model("vae").make_config()->build(data, Parameters(store));
    adam = std::make_unique<Adam>(store);
    size = data.size();
    x.resize(static_cast<std::size_t>(batch * size));
    fill_uniform(Key(2), x);
  }

  Real operator()(std::uint64_t number) {
    tape.reset();
    store.zero_grad();
    const vaezoo::Context context{tape, true, Key(3).fold(number)};
    const auto objective = model->objective(context, {}, {tape.constant({batch, size}, x), {}});
    tape.backward(objective.loss);
    adam->step(Real(1e-3));
    return objective.loss.item();
  }
};

}  // namespace

// Counts what the steps take from the heap.
void* operator new(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(bytes)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

int main(int argc, char** argv) {
  const auto start = std::chrono::steady_clock::now();
  const auto since = [](auto t) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - t).count(); };
  CLI::App app("Times training steps.");
  std::string model = "mlp";
  Index batch = 128;
  int thread_count = threads();
  double seconds = 4;
  app.add_option("--model", model, "mlp: the 784-400-20 VAE");
  app.add_option("--batch", batch)->check(CLI::PositiveNumber);
  app.add_option("--threads", thread_count)->check(CLI::PositiveNumber);
  app.add_option("--seconds", seconds)->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  set_threads(thread_count);
  try {
    Step step(model, batch);
    step(0);
    const double first = since(start);
    for (std::uint64_t i = 1; i < 10; ++i) step(i);
    std::vector<double> times;
    times.reserve(1 << 20);
    const std::size_t before = allocations;
    Real loss = 0;
    std::uint64_t number = 10;
    for (const auto t0 = std::chrono::steady_clock::now(); since(t0) < seconds && times.size() < times.capacity();) {
      const auto t = std::chrono::steady_clock::now();
      loss = step(number++);
      times.push_back(since(t));
    }
    const double per_step = double(allocations - before) / double(times.size());
    std::sort(times.begin(), times.end());
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::printf("vaezoo %s B=%td threads=%d %s: median %.3f ms p10 %.3f steps %zu loss %.1f\n", model.c_str(), batch, thread_count,
                gemm_backend().c_str(), times[times.size() / 2] * 1e3, times[times.size() / 10] * 1e3, times.size(), double(loss));
    std::printf("first step done after %.1f ms, peak memory %.1f MB, heap allocations per step %.2f\n", first * 1e3, double(usage.ru_maxrss) / 1024, per_step);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "step: %s\n", e.what());
    return 1;
  }
}
