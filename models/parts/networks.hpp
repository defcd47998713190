#pragma once
// Networks that encoders and decoders are made of, chosen and sized in JSON.
#include <memory>
#include <string>
#include <vector>

#include "autodiff/layers.hpp"
#include "config/fields.hpp"

namespace vaezoo {

/// "encoder": "mlp" or {"name": "mlp", "hidden": [400], "activation": "relu", ...}.
struct NetworkConfig {
  std::string name = "mlp";
  std::vector<std::int64_t> hidden{400};
  std::string activation = "relu";
  bool batch_norm = false;
  double dropout = 0;

  void visit(Fields& f, const char* key, const char* doc);
};

/// A map from [B, inputs] to [B, outputs()].
class Network {
 public:
  virtual ~Network() = default;
  virtual ad::Var operator()(const ad::Context& c, ad::Var x) const = 0;
  virtual ad::Index outputs() const = 0;
};

/// The hidden layers, each with its activation; a head on top is the caller's.
std::unique_ptr<Network> make_network(const NetworkConfig& config, ad::Index inputs, ad::Parameters p);

}  // namespace vaezoo
