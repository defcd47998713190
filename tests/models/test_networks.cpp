// Networks named in JSON: sizes from the data's shape, sentences for what does not fit.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "autodiff/elementwise.hpp"
#include "autodiff/gradcheck.hpp"
#include "autodiff/reduce.hpp"
#include "config/reader.hpp"
#include "models/parts/networks.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;
using nlohmann::json;

namespace {

NetworkConfig network(NetworkRole role, const std::string& settings) {
  NetworkConfig config(role);
  read_config(json{{"network", json::parse(settings)}}, "test", [&](Fields& f) { config.visit(f, "network", ""); });
  return config;
}

std::vector<Real> noise(Index size, std::uint64_t seed) {
  std::vector<Real> x(static_cast<std::size_t>(size));
  ad::fill_normal(Key(seed), x);
  return x;
}

/// Small settings of every kind; what encoders and decoders have alike.
const char* const kKinds[] = {
    R"({"name": "mlp", "hidden": [5], "activation": "tanh"})",
    R"({"name": "mlp", "hidden": [5], "activation": "tanh", "batch_norm": true})",
    R"({"name": "gated_mlp", "hidden": [5]})",
    R"({"name": "conv", "channels": [3, 4], "dense": [5], "activation": "tanh"})",
    R"({"name": "conv", "channels": [3, 4], "kernels": [3, 5], "strides": [1, 2], "dense": [], "activation": "tanh", "norm": "batch"})",
    R"({"name": "conv", "channels": [4], "kernels": [3], "dense": [5], "activation": "tanh", "norm": "group"})",
    R"({"name": "gated_conv", "channels": [3, 4], "kernels": [3], "dense": [5]})",
    R"({"name": "resnet", "channels": [3, 4], "blocks": 1, "dense": [5], "activation": "tanh"})",
};

}  // namespace

TEST_CASE("networks: every kind goes from any image to features and from a code to any image") {
  for (const ImageShape data : {ImageShape{8, 8, 1}, ImageShape{28, 20, 1}, ImageShape{7, 9, 3}, ImageShape{13, 6, 2}})
    for (const char* kind : kKinds) {
      CAPTURE(data.height);
      CAPTURE(data.width);
      CAPTURE(kind);
      ParameterStore store(Key(1));
      const ad::Parameters p(store);
      const auto encoder = make_encoder_network(network(NetworkRole::encoder, kind), data, p / "encoder");
      const auto decoder = make_decoder_network(network(NetworkRole::decoder, kind), {1, 1, 3}, data, 2, p / "decoder");
      Tape tape;
      const Context c{tape, true, Key(2)};
      const std::vector<Real> x = noise(4 * data.size(), 3), z = noise(12, 4);
      CHECK((*encoder)(c, tape.constant({4, data.size()}, x)).shape() == Shape{4, encoder->outputs().size()});
      CHECK((*decoder)(c, tape.constant({4, 3}, z)).shape() == Shape{4, 2 * data.size()});
    }
}

TEST_CASE("networks: an encoder without dense layers ends in a map, from which a decoder starts") {
  for (const ImageShape data : {ImageShape{28, 28, 1}, ImageShape{27, 18, 3}}) {
    ParameterStore store(Key(1));
    const ad::Parameters p(store);
    const char* kind = R"({"name": "conv", "channels": [4, 6], "dense": []})";
    const auto encoder = make_encoder_network(network(NetworkRole::encoder, kind), data, p / "encoder");
    const ImageShape map = encoder->outputs();
    CHECK(map.channels == 6);
    CHECK(map.height == (data.height == 28 ? 7 : 6));
    const auto decoder =
        make_decoder_network(network(NetworkRole::decoder, kind), {map.height, map.width, 5}, data, 1, p / "decoder");
    Tape tape;
    const std::vector<Real> z = noise(2 * map.height * map.width * 5, 4);
    CHECK((*decoder)({tape, true, Key(2)}, tape.constant({2, map.height * map.width * 5}, z)).shape() == Shape{2, data.size()});
    CHECK(message_of([&] { make_decoder_network(network(NetworkRole::decoder, kind), {5, 5, 5}, data, 1, p / "other"); })
              .find("model.decoder: its layers start from") == 0);
  }
}

TEST_CASE("networks: several numbers for each value come in planes, whatever the network") {
  // With all weights 0 the output is the bias of the last convolution: channel c of number k at plane k.
  ParameterStore store(Key(1));
  const ImageShape data{4, 4, 2};
  const auto decoder = make_decoder_network(network(NetworkRole::decoder, R"({"name": "conv", "channels": [3], "dense": []})"),
                                            {1, 1, 2}, data, 2, ad::Parameters(store));
  for (ad::Parameter& parameter : store.all())
    for (Real& v : parameter.value()) v = 0;
  ad::Parameter* bias = store.find("conv/0/bias");
  REQUIRE(bias != nullptr);
  for (Index i = 0; i < 4; ++i)
    bias->value()[static_cast<std::size_t>(i)] = static_cast<Real>(i);  // number 0: 0, 1; number 1: 2, 3
  Tape tape;
  const std::vector<Real> z = noise(2, 4);
  const Var y = (*decoder)({tape, false, Key(2)}, tape.constant({1, 2}, z));
  for (Index i = 0; i < 2 * data.size(); ++i) CHECK(y.data()[i] == static_cast<Real>(i / data.size() * 2 + i % 2));
}

TEST_CASE("networks: what does not fit the data is told with the layer") {
  ParameterStore store(Key(1));
  const ad::Parameters p(store);
  const auto encoder = [&](const char* kind, ImageShape data) {
    return message_of([&] { make_encoder_network(network(NetworkRole::encoder, kind), data, p); });
  };
  CHECK(
      encoder(R"({"name": "conv", "channels": [4, 4, 4, 4]})", {8, 8, 1}) ==
      "model.encoder: layer 4 of 4 (kernel 4, stride 2) finds an image of 1 x 1, which is too small for it; data of 8 x 8 x 1 carry 3 such layers");
  CHECK(encoder(R"({"name": "conv"})", {1, 30, 1}) ==
        "model.encoder: convolutions need images, these data are vectors of 30 numbers; choose mlp or gated_mlp");
  CHECK(message_of([] { network(NetworkRole::encoder, R"({"name": "conv", "channels": [4, 4], "kernels": [3, 3, 3]})"); })
            .find("kernels: has 3 entries for 2 layers (channels); give one for all, or one each") != std::string::npos);
  CHECK(message_of([] {
          network(NetworkRole::encoder, R"({"name": "conv", "channels": []})");
        }).find("needs at least one layer") != std::string::npos);
  CHECK(message_of([] { network(NetworkRole::encoder, R"({"name": "resnett"})"); }).find("resnet") != std::string::npos);
  CHECK(message_of([&] {
          make_decoder_network(network(NetworkRole::decoder, R"({"name": "conv", "output_kernel": 4})"), {1, 1, 2}, {8, 8, 1}, 1,
                               p / "decoder");
        }) == "model.decoder.output_kernel: must be odd, so that the size stays; got 4");
}

#ifdef VAEZOO_DOUBLE
TEST_CASE("networks: the gradients of every kind are right, with and without a condition that modulates its layers") {
  const ImageShape data{5, 4, 2};
  constexpr Index batch = 3;
  const std::vector<Real> x = noise(batch * data.size(), 3), z = noise(batch * 3, 4), y = noise(batch * 2, 5);
  for (const char* kind : kKinds)
    for (const Index film : {0, 2}) {
      CAPTURE(kind);
      CAPTURE(film);
      ParameterStore store(Key(1));
      const ad::Parameters p(store);
      const auto encoder = make_encoder_network(network(NetworkRole::encoder, kind), data, p / "encoder", film);
      const auto decoder = make_decoder_network(network(NetworkRole::decoder, kind), {1, 1, 3}, data, 1, p / "decoder", film);
      if (film > 0)  // FiLM starts as the identity, where some gradients vanish
        ad::fill_normal(Key(9), store.values());
      const ad::GradcheckReport report = gradcheck_parameters(store, [&](Tape& tape) {
        Context c{tape, true, Key(2)};
        if (film > 0) c.condition = tape.constant({batch, 2}, y);
        return mean(square((*encoder)(c, tape.constant({batch, data.size()}, x)))) +
               mean(square((*decoder)(c, tape.constant({batch, 3}, z))));
      });
      CHECK_MESSAGE(report.passed, report.text());
    }
}
#endif
