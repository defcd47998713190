// Times whole training steps of the zoo's own model through the public API: forward, backward, Adam.
//   step --model mlp --batch 128 --threads 2 --seconds 4        prints "median X ms"
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <new>
#include <nlohmann/json.hpp>
#include <vector>

#include "autodiff/gemm.hpp"
#include "autodiff/optimizers.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/process.hpp"
#include "config/reader.hpp"
#include "models/registry.hpp"

namespace {

using namespace ad;
using vaezoo::DataSpec;

std::atomic<std::size_t> allocations{0};

/// One of the networks that are compared over frameworks: the zoo's VAE with these settings.
struct Network {
  const char *name, *what;
  DataSpec data;
  const char* settings;  // JSON
};
constexpr Network kNetworks[] = {{"mlp", "784-400-20 VAE", {.height = 28, .width = 28, .channels = 1}, "{}"},
                                 {"conv",
                                  "28 x 28: two convolutions of stride 2, dense 256, 16 latent dimensions, and back",
                                  {.height = 28, .width = 28, .channels = 1},
                                  R"({
      "latent_dim": 16,
      "encoder": {"name": "conv", "channels": [32, 64], "kernels": [4], "strides": [2], "dense": [256]},
      "decoder": {"name": "conv", "channels": [64, 32], "kernels": [4], "strides": [2], "dense": [256]}})"},
                                 {"pvae",
                                  "64 x 64 x 3: PyTorch-VAE's five convolutions with batch norm, 128 latent dimensions, and back",
                                  {.height = 64, .width = 64, .channels = 3},
                                  R"({
      "latent_dim": 128,
      "encoder": {"name": "conv", "channels": [32, 64, 128, 256, 512], "kernels": [3], "strides": [2], "dense": [], "norm": "batch", "activation": "leaky_relu"},
      "decoder": {"name": "conv", "channels": [512, 256, 128, 64, 32], "kernels": [3], "strides": [2], "dense": [], "norm": "batch",
                  "activation": "leaky_relu", "output_kernel": 3},
      "likelihood": {"name": "gaussian", "scale": "fixed", "mean": "tanh"}})"}};

struct Step {  // one model with its data, ready to be stepped
  ParameterStore store{Key(1)};
  std::unique_ptr<vaezoo::ModelConfig> config;
  std::unique_ptr<vaezoo::Model> model;
  std::unique_ptr<Adam> adam;
  Tape tape;
  std::vector<Real> x;
  Index batch, size;

  Step(const std::string& name, Index batch_) : batch(batch_) {
    const auto* network = std::ranges::find(kNetworks, name, [](const Network& n) { return std::string(n.name); });
    if (network == std::end(kNetworks)) throw Error(cat("--model may be mlp, conv or pvae, got ", name));
    config = vaezoo::find_model("vae").make_config();
    vaezoo::read_config(nlohmann::json::parse(network->settings), network->name, [&](vaezoo::Fields& f) { config->fields(f); });
    model = config->build(network->data, Parameters(store));
    adam = std::make_unique<Adam>(store);
    size = network->data.size();
    x.resize(static_cast<std::size_t>(batch * size));
    fill_uniform(Key(2), x);
  }

  Real operator()(std::uint64_t number) {
    tape.reset();
    store.zero_grad();
    const vaezoo::Context context{tape, true, Key(3).fold(number)};
    const auto objective = model->objective(context, {.x = tape.constant({batch, size}, x)});
    tape.backward(objective.loss);
    adam->step(Real(1e-3));
    tape.commit();
    return objective.loss.item();
  }
};

}  // namespace

// Counts what the steps take from the heap. Not inlined: the compiler would see a malloc whose memory `delete` frees.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(bytes)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

int main(int argc, char** argv) {
  set_up_process(argv);
  const auto start = std::chrono::steady_clock::now();
  const auto since = [](auto t) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - t).count(); };
  CLI::App app("Times training steps.");
  std::string model = "mlp";
  Index batch = 128;
  int thread_count = threads();
  double seconds = 4;
  std::string networks;
  for (const Network& n : kNetworks) networks += cat(networks.empty() ? "" : "; ", n.name, ": ", n.what);
  app.add_option("--model", model, networks);
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
    std::printf("vaezoo %s B=%td threads=%d %s: median %.3f ms p10 %.3f steps %zu loss %.1f\n", model.c_str(), batch,
                thread_count, gemm_backend().c_str(), times[times.size() / 2] * 1e3, times[times.size() / 10] * 1e3, times.size(),
                double(loss));
    std::printf("first step done after %.1f ms, peak memory %.1f MB, heap allocations per step %.2f\n", first * 1e3,
                double(usage.ru_maxrss) / 1024, per_step);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "step: %s\n", e.what());
    return 1;
  }
}
