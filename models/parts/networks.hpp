#pragma once
// Networks that encoders and decoders are made of, chosen and sized in JSON. What they join is an image, a map of features or a
// plain vector; all are flat rows [B, size] outside, NHWC inside.
#include <memory>
#include <string>
#include <vector>

#include "autodiff/layers.hpp"
#include "config/fields.hpp"

namespace vaezoo {

/// The shape of one example: an image or a map of features, NHWC. A vector of n features is {1, 1, n}.
struct ImageShape {
  ad::Index height = 1, width = 1, channels = 1;
  ad::Index vocabulary = 0;  ///< of sequences of `width` tokens, see tokens.hpp; 0: the numbers are numbers
  ad::Index size() const { return height * width * channels; }
  bool spatial() const { return height * width > 1; }
  friend bool operator==(const ImageShape&, const ImageShape&) = default;
};

enum class NetworkRole { encoder, decoder };

struct MlpConfig {
  std::vector<std::int64_t> hidden{400};
  std::string activation = "relu";
  bool batch_norm = false;
  double dropout = 0;

  void fields(Fields& f, bool gated);
};

/// Convolutions that shrink an image, then dense layers; or, in a decoder, layers and then transposed convolutions that make it.
/// Listed in the order in which they are applied.
struct ConvConfig {
  std::vector<std::int64_t> channels;           // encoder: of each layer's output; decoder: of each layer's input
  std::vector<std::int64_t> kernels{4}, strides{2};  // one for all layers, or one each
  std::vector<std::int64_t> dense{256};         // fully connected layers between the convolutions and the code
  std::int64_t blocks = 2;                      // resnet: residual blocks after each layer
  std::int64_t output_kernel = 0;               // decoder: of one more convolution, which keeps the size; 0: none
  std::string activation = "relu", norm = "none";

  void fields(Fields& f, NetworkRole role, const std::string& kind);
};

/// The networks of Sonnet's VQ-VAE: strided convolutions and a stack of residual blocks, and the same way back.
struct ResidualStackConfig {
  std::int64_t hidden = 128, halvings = 2, layers = 2, residual_hidden = 32;
  double center = 0.5;

  void fields(Fields& f, NetworkRole role);
};

/// An LSTM or a GRU over a sequence of tokens.
struct RecurrentConfig {
  std::int64_t embedding = 64, hidden = 128;
  double word_dropout = 0;

  void fields(Fields& f, NetworkRole role);
};

/// "encoder": "mlp" or {"name": "conv", "channels": [32, 64], ...}.
struct NetworkConfig {
  explicit NetworkConfig(NetworkRole role, std::string name = "mlp");

  NetworkRole role;
  std::string name;  // mlp, gated_mlp, conv, gated_conv, resnet, residual_stack, lstm, gru
  MlpConfig mlp, gated_mlp;
  ConvConfig conv, gated_conv, resnet;
  ResidualStackConfig residual_stack;
  RecurrentConfig lstm, gru;

  bool recurrent() const { return name == "lstm" || name == "gru"; }
  bool convolutional() const { return name != "mlp" && name != "gated_mlp" && !recurrent(); }
  void visit(Fields& f, const char* key, const char* doc);
};

/// A map from [B, inputs] to [B, outputs().size()].
class Network {
 public:
  virtual ~Network() = default;
  virtual ad::Var operator()(const ad::Context& c, ad::Var x) const = 0;
  /// Spatial when the network ends in convolutions (an encoder without dense layers).
  virtual ImageShape outputs() const = 0;
};

/// A decoder of sequences, one token after the other: z [N, inputs].
class SequenceNetwork : public Network {
 public:
  /// Logits of each token of x given those before it: [N, T' V], place by place, for the T' places up to the end of the longest sequence. x [B, T] may
  /// have fewer rows than z, each for some neighbouring ones.
  virtual ad::Var given_tokens(const ad::Context& c, ad::Var z, ad::Var x) const = 0;
  enum class Tokens { likeliest, sampled };
  /// Sequences [N, T], each token given those that were chosen before it.
  virtual ad::Var generate(const ad::Context& c, ad::Var z, Tokens how) const = 0;
};

// With `film` > 0 every hidden layer is modulated by the context's condition [B, film] before its activation (FiLM, see film.hpp).

/// x [B, H W C] -> features; a head on top is the caller's. Throws ConfigError when the layers do not fit the data.
std::unique_ptr<Network> make_encoder_network(const NetworkConfig& config, const ImageShape& data, ad::Parameters p,
                                              ad::Index film = 0);

/// z [B, input.size()] -> `numbers` for each of the H W C values of an example, [B, numbers H W C]: all first numbers, then all second
/// ones ... A spatial input goes into the convolutions as it is. Throws ConfigError when the layers do not fit the data.
std::unique_ptr<Network> make_decoder_network(const NetworkConfig& config, const ImageShape& input, const ImageShape& data,
                                              ad::Index numbers, ad::Parameters p, ad::Index film = 0);

/// in, hidden ..., out: the sizes that an ad::Mlp takes.
std::vector<ad::Index> layer_sizes(ad::Index in, const std::vector<std::int64_t>& hidden, ad::Index out);

}  // namespace vaezoo
