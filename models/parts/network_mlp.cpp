// Fully connected networks.
#include "models/parts/film.hpp"
#include "models/parts/network_kinds.hpp"

#include "autodiff/image_layers.hpp"

namespace vaezoo {
namespace {

using namespace ad;

class MlpNetwork final : public Network {
 public:
  MlpNetwork(Index inputs, Parameters p) : layers_(p), width_(inputs) {}

  /// A layer L of `width` outputs.
  template <class L, class... Arguments>
  void add(Index width, Arguments&&... arguments) {
    layers_.add<L>(width_, width, std::forward<Arguments>(arguments)...);
    width_ = width;
  }
  Sequential& layers() { return layers_; }
  void set_output(Index width, const Parameters& p) {
    if (width == 0) return;
    output_ = std::make_unique<Linear>(p / "output", width_, width);
    width_ = width;
  }

  Var operator()(const Context& c, Var x) const override {
    const Var h = layers_(c, x);
    return output_ ? (*output_)(c, h) : h;
  }
  ImageShape outputs() const override { return {1, 1, width_}; }

 private:
  Sequential layers_;
  std::unique_ptr<Linear> output_;
  Index width_;
};

}  // namespace

std::unique_ptr<Network> mlp_network(const MlpConfig& config, Index inputs, Index outputs, Index film, Parameters p) {
  auto network = std::make_unique<MlpNetwork>(inputs, p);
  const Activation activation = activation_from_name(config.activation);
  for (const std::int64_t width : config.hidden) {
    if (config.batch_norm || film > 0) {
      network->add<Linear>(width);
      if (config.batch_norm) network->layers().add<BatchNorm>(width);
      if (film > 0) network->layers().add<Film>(film, width);
      network->layers().add<Activate>(activation);
    } else {
      network->add<Linear>(width, activation);
    }
    if (config.dropout > 0) network->layers().add<Dropout>(static_cast<Real>(config.dropout));
  }
  network->set_output(outputs, p);
  return network;
}

std::unique_ptr<Network> gated_mlp_network(const MlpConfig& config, Index inputs, Index outputs, Index film, Parameters p) {
  auto network = std::make_unique<MlpNetwork>(inputs, p);
  for (const std::int64_t width : config.hidden) {
    network->add<GatedLinear>(width);
    if (film > 0) network->layers().add<Film>(film, width);
  }
  network->set_output(outputs, p);
  return network;
}

}  // namespace vaezoo
