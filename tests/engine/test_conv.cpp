// Convolutions and the other image ops against PyTorch, and the kernels behind a convolution against each other.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "autodiff/conv.hpp"
#include "autodiff/conv_kernels.hpp"
#include "autodiff/elementwise.hpp"
#include "autodiff/normalization.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/pooling.hpp"
#include "autodiff/random.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/resampling.hpp"

namespace {

using ad::Index;
using ad::Real;
using ad::Shape;
using ad::Tape;
using ad::Var;
using nlohmann::json;

#ifdef VAEZOO_DOUBLE
constexpr double kFileTolerance = 1e-6;  // the file holds seven digits
#else
constexpr double kFileTolerance = 2e-5;
#endif

Shape shape_of(const json& sizes) {
  const auto v = sizes.get<std::vector<Index>>();
  return Shape(std::span<const Index>(v));
}

Var wave(Tape& tape, const Shape& shape, double phase) {
  std::vector<Real> values(static_cast<std::size_t>(shape.size()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<Real>(std::sin(0.7 * double(i) + phase));
  return tape.variable(shape, values);
}

Var call(const json& c, std::span<const Var> x) {
  const std::string op = c["op"];
  const json& o = c["options"];
  const auto option = [&](const char* name, Index otherwise) { return o.value(name, otherwise); };
  if (op == "conv2d")
    return conv2d(x[0], x[1], x[2],
                  {.stride = option("stride", 1),
                   .padding = option("padding", 0),
                   .dilation = option("dilation", 1),
                   .groups = option("groups", 1)});
  if (op == "conv_transpose2d")
    return conv_transpose2d(x[0], x[1], x[2],
                            {.stride = option("stride", 1),
                             .padding = option("padding", 0),
                             .output_padding = option("output_padding", 0),
                             .dilation = option("dilation", 1),
                             .groups = option("groups", 1)});
  const ad::PoolOptions window{option("kernel_size", 2), option("stride", 0), option("padding", 0)};
  if (op == "avg_pool2d") return avg_pool2d(x[0], window);
  if (op == "max_pool2d") return max_pool2d(x[0], window);
  if (op == "upsample_nearest") return upsample_nearest(x[0], o["size"][0], o["size"][1]);
  if (op == "upsample_bilinear") return upsample_bilinear(x[0], o["size"][0], o["size"][1]);
  if (op == "pixel_shuffle") return pixel_shuffle(x[0], o["r"]);
  if (op == "pixel_unshuffle") return pixel_unshuffle(x[0], o["r"]);
  REQUIRE(op == "group_norm");
  return group_norm(x[0], x[1], x[2], o["groups"], Real(1e-5));
}

double worst_difference(std::span<const Real> got, const std::vector<double>& want) {
  REQUIRE(got.size() == want.size());
  double worst = 0;
  for (std::size_t i = 0; i < want.size(); ++i)
    worst = std::max(worst, std::abs(double(got[i]) - want[i]) / std::max(1.0, std::abs(want[i])));
  return worst;
}

}  // namespace

TEST_CASE("image ops and their gradients are PyTorch's") {
  const json file = json::parse(std::ifstream("tests/golden/convolutions.json"));
  CHECK(file["cases"].size() >= 20);
  for (const json& c : file["cases"]) {
    INFO(c["op"].get<std::string>() << " " << c["shapes"].dump() << " " << c["options"].dump());
    Tape tape;
    std::vector<Var> x;
    for (const json& s : c["shapes"]) x.push_back(wave(tape, shape_of(s), double(x.size())));
    const Var y = call(c, x);
    REQUIRE(y.shape() == shape_of(c["y_shape"]));
    CHECK(worst_difference(y.value(), c["y"]) <= kFileTolerance);
    std::vector<Real> weights(static_cast<std::size_t>(y.size()));
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<Real>(std::cos(0.3 * double(i)));
    tape.backward(sum(y * tape.constant(y.shape(), weights)));
    for (std::size_t k = 0; k < x.size(); ++k) CHECK(worst_difference(x[k].gradient(), c["gradients"][k]) <= kFileTolerance);
  }
}

namespace {

using ad::detail::ConvGeometry;
using ad::detail::ConvKernels;

/// A geometry with borders of `padding`.
ConvGeometry geometry(Index batch, Index height, Index width, Index in, Index out, Index kernel, Index stride, Index padding,
                      Index dilation = 1, Index groups = 1) {
  const auto size = [&](Index n) { return (n + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1; };
  return {batch, height, width, in, size(height), size(width), out, kernel, kernel, stride, padding, padding, dilation, groups};
}

/// What networks use, and sizes that are no multiples of anything: several tiles and blocks, large weights, single pixels.
std::vector<ConvGeometry> geometries() {
  return {geometry(128, 28, 28, 1, 32, 4, 2, 1),     geometry(9, 14, 14, 32, 64, 4, 2, 1),
          geometry(5, 64, 64, 3, 32, 3, 2, 1),       geometry(3, 33, 31, 5, 7, 3, 1, 1),
          geometry(7, 4, 4, 256, 512, 3, 2, 1),      geometry(2, 64, 64, 32, 3, 3, 1, 1),
          geometry(4, 8, 8, 128, 32, 3, 1, 1),       geometry(4, 8, 8, 32, 128, 1, 1, 0),
          geometry(1, 17, 19, 16, 16, 5, 1, 4, 2),   geometry(3, 9, 9, 24, 48, 3, 2, 1, 1, 4),
          geometry(3, 9, 9, 20, 20, 3, 2, 1, 1, 20), geometry(2, 20, 20, 17, 17, 3, 3, 0),
          geometry(1, 300, 100, 8, 8, 3, 1, 1),      geometry(6, 2, 2, 512, 256, 1, 1, 0),
          geometry(70, 1, 1, 12, 5, 1, 1, 0),        geometry(9, 13, 10, 2, 48, 5, 3, 4),
          geometry(3, 6, 7, 4, 16, 2, 3, 0)};
}

struct Data {
  std::vector<Real> x, y, weight, bias;

  explicit Data(const ConvGeometry& g) {
    const auto fill = [](Index count, std::uint64_t key) {
      std::vector<Real> v(static_cast<std::size_t>(count));
      fill_uniform(ad::Key(key), v, -1, 1);
      return v;
    };
    x = fill(g.pixels() * g.channels, 1);
    y = fill(g.out_pixels() * g.out_channels, 2);
    weight = fill(g.weights(), 3);
    bias = fill(std::max(g.channels, g.out_channels), 4);
  }
};

using Results = std::vector<std::vector<Real>>;

/// All three products, into fresh memory and onto what is there already, with and without bias and activation.
Results run(const ConvKernels& k, const ConvGeometry& g) {
  const Data d(g);
  Tape tape;
  Results all;
  for (bool add : {false, true}) {
    std::vector<Real> x = d.x, y = d.y, weight = d.weight;
    k.forward(tape, g, d.x.data(), d.weight.data(), {}, {y.data(), add});
    k.backward_data(tape, g, d.y.data(), d.weight.data(), {}, {x.data(), add});
    k.backward_weights(tape, g, d.x.data(), d.y.data(), {weight.data(), add});
    all.insert(all.end(), {x, y, weight});
  }
  for (ad::Activation f : {ad::Activation::relu, ad::Activation::leaky_relu, ad::Activation::tanh}) {
    std::vector<Real> x = d.x, y = d.y;
    k.forward(tape, g, d.x.data(), d.weight.data(), {d.bias.data(), f}, {y.data(), false});
    k.backward_data(tape, g, d.y.data(), d.weight.data(), {d.bias.data(), f}, {x.data(), false});
    all.insert(all.end(), {x, y});
  }
  return all;
}

/// The largest difference against the largest number of the same result.
double largest_difference(const Results& a, const Results& b) {
  double worst = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    double difference = 0, scale = 1;
    for (std::size_t i = 0; i < a[k].size(); ++i) {
      difference = std::max(difference, std::abs(double(a[k][i]) - double(b[k][i])));
      scale = std::max(scale, std::abs(double(a[k][i])));
    }
    worst = std::max(worst, difference / scale);
  }
  return worst;
}

std::string title(const ConvGeometry& g) {
  return ad::cat("x ", Shape{g.batch, g.height, g.width, g.channels}, " y ",
                 Shape{g.batch, g.out_height, g.out_width, g.out_channels}, " kernel ", g.kernel_height, " stride ", g.stride,
                 " dilation ", g.dilation, " groups ", g.groups);
}

}  // namespace

// Sums of n = 4,608 products of order one, each order of summation with an error of some 6e-8 sqrt(n) times their size, sqrt(n) /
// 3, which the tanh sees in full where the sum is near 0.
constexpr double kRoundingTolerance = 1e-4;

TEST_CASE("all kernels of a convolution compute the same as im2col") {
  for (const ConvGeometry& g : geometries()) {
    INFO(title(g));
    const Results expected = run(ad::detail::kIm2colKernels, g);
    CHECK(largest_difference(expected, run(ad::detail::conv_kernels(g), g)) < kRoundingTolerance);
    if (const ConvKernels* onednn = ad::detail::onednn_kernels())
      CHECK(largest_difference(expected, run(*onednn, g)) < kRoundingTolerance);
    if (g.groups == g.channels && g.groups == g.out_channels)
      CHECK(largest_difference(expected, run(ad::detail::kDepthwiseKernels, g)) < kRoundingTolerance);
    if (ad::detail::narrow(g))
      CHECK(largest_difference(expected, run(ad::detail::kNarrowKernels, g)) < kRoundingTolerance);
    if (ad::detail::better_flipped(g))
      CHECK(largest_difference(expected, run(ad::detail::kFlippedKernels, g)) < kRoundingTolerance);
  }
}

TEST_CASE("a convolution has the same bits at any number of threads") {
  const int before = ad::threads();
  std::vector<ConvKernels> kernels{ad::detail::kIm2colKernels, ad::detail::kNarrowKernels};
  if (const ConvKernels* onednn = ad::detail::onednn_kernels()) kernels.push_back(*onednn);
  for (const ConvGeometry& g : geometries())
    for (const ConvKernels& k : kernels) {
      if (k.forward == ad::detail::kNarrowKernels.forward && !ad::detail::narrow(g)) continue;
      INFO(title(g));
      ad::set_threads(1);
      const Results one = run(k, g);
      for (int n : {2, 3}) {
        ad::set_threads(n);
        const Results many = run(k, g);
        for (std::size_t i = 0; i < one.size(); ++i)
          CHECK(std::memcmp(one[i].data(), many[i].data(), one[i].size() * sizeof(Real)) == 0);
      }
    }
  ad::set_threads(before);
}

TEST_CASE("repeated steps with convolutions take no more memory") {
  Tape tape;
  std::size_t after_first = 0;
  const std::vector<Real> x(8 * 12 * 12 * 3, Real(0.5)), w1(16 * 3 * 9, Real(0.1)), w2(16 * 3 * 16, Real(0.1));
  for (int step = 0; step < 4; ++step) {
    tape.reset();
    const Var h = conv2d(tape.variable({8, 12, 12, 3}, x), tape.variable({16, 3, 3, 3}, w1), {}, {.stride = 2, .padding = 1},
                         ad::Activation::relu);
    const Var y = conv_transpose2d(h, tape.variable({16, 3, 4, 4}, w2), {}, {.stride = 2, .padding = 1});
    tape.backward(sum(square(y)));
    if (step == 0) after_first = tape.arena().system_allocations();
  }
  CHECK(tape.arena().system_allocations() == after_first);
}
