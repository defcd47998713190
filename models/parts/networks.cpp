#include "models/parts/networks.hpp"

namespace vaezoo {
namespace {

using namespace ad;

class MlpNetwork final : public Network {
 public:
  MlpNetwork(const NetworkConfig& config, Index inputs, Parameters p) : layers_(p), outputs_(inputs) {
    const Activation activation = activation_from_name(config.activation);
    for (const std::int64_t width : config.hidden) {
      if (config.batch_norm)
        layers_.add<Linear>(outputs_, width).add<BatchNorm>(width).add<Activate>(activation);
      else
        layers_.add<Linear>(outputs_, width, activation);
      if (config.dropout > 0) layers_.add<Dropout>(static_cast<Real>(config.dropout));
      outputs_ = width;
    }
  }
  Var operator()(const Context& c, Var x) const override { return layers_(c, x); }
  Index outputs() const override { return outputs_; }

 private:
  Sequential layers_;
  Index outputs_;
};

}  // namespace

void NetworkConfig::visit(Fields& f, const char* key, const char* doc) {
  f.one_of(key, name,
           {{"mlp", "fully connected layers", [this](Fields& g) {
               g("hidden", hidden, "width of each hidden layer", at_least(1));
               g.choice("activation", activation, {"relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh", "sigmoid", "identity"},
                        "after each hidden layer");
               g("batch_norm", batch_norm, "batch normalisation before each activation");
               g("dropout", dropout, "probability that a hidden unit is dropped in training", below_one());
             }}},
           doc);
}

std::unique_ptr<Network> make_network(const NetworkConfig& config, Index inputs, Parameters p) {
  return std::make_unique<MlpNetwork>(config, inputs, p);
}

}  // namespace vaezoo
