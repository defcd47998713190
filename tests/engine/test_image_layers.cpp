// Layers for images: names, shapes and initial values of their weights, what masks hide, and layers against the ops they are made
// of.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/gating.hpp"
#include "autodiff/image_layers.hpp"
#include "autodiff/normalization.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/resampling.hpp"
#include "autodiff/shape_ops.hpp"
#include "autodiff/weight_norm.hpp"

namespace {

using namespace ad;

Var noise(Tape& tape, const Shape& shape, std::uint64_t key = 9) {
  std::vector<Real> values(static_cast<std::size_t>(shape.size()));
  fill_normal(Key(key), values);
  return tape.variable(shape, values);
}

/// "weight [4, 3, 3, 3], bias [4]": every tensor of a store.
std::string contents(const ParameterStore& store) {
  std::string text;
  for (const Parameter& p : store.all()) text += (text.empty() ? "" : ", ") + cat(p.path(), " ", p.shape());
  return text;
}

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

double worst_difference(Var a, Var b) {
  REQUIRE(a.shape() == b.shape());
  double worst = 0;
  for (Index i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(double(a.data()[i]) - double(b.data()[i])));
  return worst;
}

/// For a pixel of the result, the pixels of x that it depends on: '1' where a gradient arrives.
std::string seen_from(const Layer& layer, Index height, Index width, Index row, Index column) {
  Tape tape;
  const Var x = noise(tape, {1, height, width, 2}), y = layer(Context{tape, true, Key(1)}, x);
  REQUIRE(y.shape()[1] == height);
  REQUIRE(y.shape()[2] == width);
  tape.backward(sum(slice(slice(y, 1, row, row + 1), 2, column, column + 1)));
  std::string text;
  for (Index i = 0; i < height; ++i) {
    text += i == 0 ? "" : "/";
    for (Index j = 0; j < width; ++j) text += x.gradient()[static_cast<std::size_t>((i * width + j) * 2)] != 0 ? '1' : '0';
  }
  return text;
}

}  // namespace

TEST_CASE("convolutions have PyTorch's names, shapes and range of initial values") {
  ParameterStore store(Key(1));
  const Parameters p(store);
  Conv2d(p / "a", 6, 8, Kernel(3, 5), {.groups = 2});
  ConvTranspose2d(p / "b", 6, 8, 4, {.groups = 2});
  Conv2d(p / "c", 3, 8, 4, {.bias = false});
  CHECK(contents(store) == "a/weight [8, 3, 3, 5], a/bias [8], b/weight [6, 4, 4, 4], b/bias [8], c/weight [8, 3, 4, 4]");
  for (const auto& expected :
       {std::pair<const char*, double>{"a/weight", 45}, {"a/bias", 45}, {"b/weight", 64}, {"b/bias", 64}, {"c/weight", 48}}) {
    const char* const path = expected.first;
    const double fan_in = expected.second;
    INFO(path);
    double largest = 0;
    for (Real v : store.find(path)->value()) largest = std::max(largest, std::abs(double(v)));
    CHECK(largest <= 1 / std::sqrt(fan_in));
    CHECK(largest > 0.7 / std::sqrt(fan_in));  // the largest of eight uniform numbers is below with probability 0.06
  }
}

TEST_CASE("a masked convolution sees what its mask says") {
  ParameterStore store(Key(2));
  const Parameters p(store);
  CHECK(seen_from(MaskedConv2d(p / "a", 2, 3, 3, CausalMask::a), 4, 5, 2, 2) == "00000/01110/01000/00000");
  CHECK(seen_from(MaskedConv2d(p / "b", 2, 3, 3, CausalMask::b), 4, 5, 2, 2) == "00000/01110/01100/00000");
  CHECK(seen_from(MaskedConv2d(p / "c", 2, 3, 3, CausalMask::rows_above), 4, 5, 2, 2) == "00000/01110/00000/00000");
  CHECK(seen_from(MaskedConv2d(p / "d", 2, 3, 3, CausalMask::rows), 4, 5, 2, 2) == "00000/01110/01110/00000");
  CHECK(seen_from(MaskedConv2d(p / "e", 2, 3, Kernel(1, 5), CausalMask::a), 4, 5, 2, 2) == "00000/00000/11000/00000");
  CHECK(seen_from(MaskedConv2d(p / "f", 2, 3, Kernel(1, 3), CausalMask::b), 4, 5, 2, 2) == "00000/00000/01100/00000");
  CHECK(seen_from(MaskedConv2d(p / "g", 2, 3, Kernel(5, 3), CausalMask::a), 4, 5, 3, 4) == "00000/00011/00011/00010");
  CHECK(store.find("a/weight")->shape() == Shape{3, 2, 2, 3});
  CHECK(store.find("f/weight")->shape() == Shape{3, 2, 1, 2});
  CHECK(message_of([&] { MaskedConv2d(p / "h", 2, 3, 4, CausalMask::a); }).find("h: the kernel must be odd") !=
        std::string::npos);
}

TEST_CASE("weight norm starts as the plain layer and its lengths are weight_g") {
  ParameterStore plain_store(Key(3)), store(Key(3));
  const Conv2d plain(Parameters(plain_store), 3, 4, 3, {.padding = 1}),
      normed(Parameters(store), 3, 4, 3, {.padding = 1, .weight_norm = true});
  CHECK(contents(store) == "weight_v [4, 3, 3, 3], weight_g [4, 1, 1, 1], bias [4]");
  for (const char* name : {"weight", "bias"})
    std::ranges::copy(plain_store.find(name)->value(), store.find(name[0] == 'w' ? "weight_v" : "bias")->value().begin());
  Tape tape;
  const Context context{tape, true, Key(1)};
  Parameter& g = *store.find("weight_g");
  const Parameter& v = *store.find("weight_v");
  init::row_lengths (*store.find("weight_v"))(Key(1), g.shape(), g.value());
  const Var x = noise(tape, {2, 5, 5, 3});
  CHECK(worst_difference(plain(context, x), normed(context, x)) < 1e-5);
  for (Real& length : g.value()) length = 2;
  const Var w = weight_norm(tape.parameter(*store.find("weight_v")), tape.parameter(g));
  for (Index o = 0; o < 4; ++o) {
    double squares = 0;
    for (Index i = 0; i < v.size() / 4; ++i) squares += std::pow(double(w.data()[o * v.size() / 4 + i]), 2);
    CHECK(std::sqrt(squares) == doctest::Approx(2).epsilon(1e-5));
  }
  ParameterStore dense(Key(4));
  const WeightNormLinear linear_layer(Parameters(dense), 3, 2);
  CHECK(contents(dense) == "weight_v [2, 3], weight_g [2, 1], bias [2]");
}

TEST_CASE("gated layers multiply one half of their outputs by the sigmoid of the other") {
  ParameterStore store(Key(5));
  const Parameters p(store);
  const GatedConv2d conv(p / "conv", 3, 4, 3, {.stride = 2, .padding = 1});
  const GatedConvTranspose2d up(p / "up", 3, 4, 4, {.stride = 2, .padding = 1, .activation = Activation::tanh});
  const GatedLinear dense(p / "dense", 3, 4);
  CHECK(contents(store) ==
        "conv/weight [8, 3, 3, 3], conv/bias [8], up/weight [3, 8, 4, 4], up/bias [8], dense/weight [8, 3], dense/bias [8]");
  Tape tape;
  const Context context{tape, true, Key(1)};
  const Var x = noise(tape, {2, 6, 6, 3});
  const auto parameter = [&](const char* path) { return tape.parameter(*store.find(path)); };
  const auto gate = [](Var both, bool with_tanh) {
    const Var h = chunk(both, 2, 0);
    return (with_tanh ? tanh(h) : h) * sigmoid(chunk(both, 2, 1));
  };
  const Var by_conv = conv2d(x, parameter("conv/weight"), parameter("conv/bias"), {.stride = 2, .padding = 1});
  const Var by_up = conv_transpose2d(x, parameter("up/weight"), parameter("up/bias"), {.stride = 2, .padding = 1});
  const Var by_dense = linear(x, parameter("dense/weight"), parameter("dense/bias"));
  CHECK(worst_difference(conv(context, x), gate(by_conv, false)) < 1e-5);
  CHECK(worst_difference(up(context, x), gate(by_up, true)) < 1e-5);
  CHECK(worst_difference(dense(context, x), gate(by_dense, false)) < 1e-5);
}

TEST_CASE("a residual block is what its formula says") {
  ParameterStore store(Key(6));
  const Parameters p(store);
  const ResidualBlock same(p / "same", 4, 4), strided(p / "down", 4, 6, {.stride = 2, .norm = Norm::batch, .squeeze_excite = 2});
  CHECK(contents(store).starts_with(
      "same/conv1/weight [4, 4, 3, 3], same/conv1/bias [4], same/conv2/weight [4, 4, 3, 3], same/conv2/bias [4], "
      "down/norm1/weight [4]"));
  CHECK(store.find("down/skip/weight")->shape() == Shape{6, 4, 1, 1});
  CHECK(store.find("down/squeeze_excite/fc1/weight")->shape() == Shape{3, 6});
  Tape tape;
  const Context context{tape, true, Key(1)};
  const Var x = noise(tape, {2, 6, 6, 4});
  const auto conv = [&](Var h, const std::string& path) {
    return conv2d(h, tape.parameter(*store.find(path + "/weight")), tape.parameter(*store.find(path + "/bias")), {.padding = 1});
  };
  CHECK(worst_difference(same(context, x), x + conv(relu(conv(relu(x), "same/conv1")), "same/conv2")) < 1e-5);
  CHECK(strided(context, x).shape() == Shape{2, 3, 3, 6});
  tape.backward(sum(square(strided(context, x))));
  CHECK(store.first_nonfinite_gradient() == "");
}

TEST_CASE("the residual stack of the VQ-VAE ends in a relu and keeps the shape") {
  ParameterStore store(Key(7));
  const ResidualStack stack(Parameters(store), 4, 2, 2);
  CHECK(contents(store) ==
        "0/conv1/weight [2, 4, 3, 3], 0/conv1/bias [2], 0/conv2/weight [4, 2, 1, 1], 0/conv2/bias [4], "
        "1/conv1/weight [2, 4, 3, 3], 1/conv1/bias [2], 1/conv2/weight [4, 2, 1, 1], 1/conv2/bias [4]");
  Tape tape;
  const Var y = stack(Context{tape, true, Key(1)}, noise(tape, {2, 5, 5, 4}));
  CHECK(y.shape() == Shape{2, 5, 5, 4});
  CHECK(std::ranges::all_of(y.value(), [](Real v) { return v >= 0; }));
}

TEST_CASE("squeeze and excite scales each channel of each image by one number in (0, 1)") {
  ParameterStore store(Key(8));
  const SqueezeExcite layer(Parameters(store), 4, 2);
  Tape tape;
  const Var x = noise(tape, {2, 3, 3, 4}), y = layer(Context{tape, true, Key(1)}, x);
  for (Index b = 0; b < 2; ++b)
    for (Index c = 0; c < 4; ++c) {
      const auto ratio = [&](Index pixel) {
        return double(y.data()[(b * 9 + pixel) * 4 + c]) / double(x.data()[(b * 9 + pixel) * 4 + c]);
      };
      CHECK(ratio(0) > 0);
      CHECK(ratio(0) < 1);
      for (Index pixel = 1; pixel < 9; ++pixel) CHECK(ratio(pixel) == doctest::Approx(ratio(0)).epsilon(1e-4));
    }
}

TEST_CASE("group norm gives each group of each image mean 0 and variance 1") {
  ParameterStore store(Key(9));
  const GroupNorm layer(Parameters(store), 2, 6);
  Tape tape;
  const Var y = layer(Context{tape, true, Key(1)}, noise(tape, {3, 4, 4, 6}) * Real(3) + Real(5));
  for (Index b = 0; b < 3; ++b)
    for (Index group = 0; group < 2; ++group) {
      double total = 0, squares = 0;
      for (Index pixel = 0; pixel < 16; ++pixel)
        for (Index c = 0; c < 3; ++c) {
          const double v = double(y.data()[(b * 16 + pixel) * 6 + group * 3 + c]);
          total += v;
          squares += v * v;
        }
      CHECK(total / 48 == doctest::Approx(0).epsilon(1e-4));
      CHECK(squares / 48 == doctest::Approx(1).epsilon(1e-3));
    }
}

TEST_CASE("layers refuse sizes that make no sense and say where") {
  ParameterStore store(Key(10));
  const Parameters p(store);
  CHECK(message_of([&] { Conv2d(p / "enc" / "0", 0, 4, 3); }).find("enc/0: in must be positive") != std::string::npos);
  CHECK(message_of([&] { Conv2d(p / "enc" / "1", 3, 4, 3, {.groups = 2}); }).find("multiples of the groups") !=
        std::string::npos);
  CHECK(message_of([&] { GroupNorm(p / "norm", 4, 6); }).find("norm: the channels must be a multiple") != std::string::npos);
  CHECK(message_of([&] { Upsample(p / "up", 0); }).find("up: the factor must be positive") != std::string::npos);
}

TEST_CASE("the gradient that takes over another's memory is right on the second backward pass too") {
  Tape tape;
  const Var x = noise(tape, {8, 3}), h = x * Real(1);  // an inner node, whose gradient has no memory of its own
  const Var loss = sum(square(batch_norm(h, {}, {}, Real(0.1)).y) * x) + sum(h);
  std::vector<Real> first;
  for (int pass = 0; pass < 2; ++pass) {
    tape.backward(loss);
    const auto g = x.gradient();
    if (pass == 0) first.assign(g.begin(), g.end());
    CHECK(std::ranges::equal(g, first));
  }
}
