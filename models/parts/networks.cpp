#include "models/parts/networks.hpp"

#include "models/parts/network_kinds.hpp"

namespace vaezoo {
namespace {

using namespace ad;

const Range kSide = between(1, 1023);  // of a kernel
const std::vector<std::string> kActivations{"relu",     "leaky_relu", "elu",     "gelu",    "silu",
                                            "softplus", "tanh",       "sigmoid", "identity"};

ConvSettings conv_settings(const NetworkConfig& config, Index film) {
  if (config.name == "gated_conv") return {config.gated_conv, true, 0, film};
  if (config.name == "resnet") return {config.resnet, false, config.resnet.blocks, film};
  return {config.conv, false, 0, film};
}

void refuse_film(Index film, const char* role) {
  if (film > 0)
    throw ConfigError(
        cat("model.", role,
            ": residual_stack has no place for a condition \"by\": \"film\"; choose resnet, or another way for the condition"));
}

void check_sequences(const NetworkConfig& config, const ImageShape& data, Index film, const char* role) {
  if (config.recurrent() && data.vocabulary == 0)
    throw ConfigError(cat("model.", role, ": ", config.name, " is for sequences of tokens, and the data are numbers; choose mlp, or conv for images"));
  if (!config.recurrent() && data.vocabulary > 0)
    throw ConfigError(cat("model.", role, ": ", config.name, " is for numbers, and the data are sequences of tokens; choose lstm or gru"));
  if (config.recurrent() && film > 0)
    throw ConfigError(cat("model.", role, ": ", config.name, " has no place for a condition \"by\": \"film\"; choose concat or embedding"));
}

}  // namespace

void MlpConfig::fields(Fields& f, bool gated) {
  f("hidden", hidden, "width of each hidden layer", between(1, 65536));
  if (gated) return;
  f.choice("activation", activation, kActivations, "after each hidden layer");
  f("batch_norm", batch_norm, "batch normalisation before each activation");
  f("dropout", dropout, "probability that a hidden unit is dropped in training", below_one());
}

void ConvConfig::fields(Fields& f, NetworkRole role, const std::string& kind) {
  const bool decoder = role == NetworkRole::decoder;
  f("channels", channels,
    decoder ? "channels that go into each layer, the smallest image first" : "channels that come out of each layer", between(1, 65536));
  f("kernels", kernels, "side of the kernels: one for all layers, or one each; padded by half", kSide);
  f("strides", strides,
    decoder ? "how much each layer enlarges: one for all, or one each" : "how much each layer shrinks: one for all, or one each",
    kSide);
  if (kind == "resnet")
    f("blocks", blocks, decoder ? "residual blocks before each layer" : "residual blocks after each layer", between(1, 1000));
  f("dense", dense,
    decoder ? "width of each fully connected layer before the convolutions"
            : "width of each fully connected layer after the convolutions",
    between(1, 65536));
  if (decoder)
    f("output_kernel", output_kernel,
      "kernel of one more convolution at full size, which makes the image; 0: the last layer makes it", between(0, 1023));
  if (kind != "gated_conv") {
    f.choice("activation", activation, kActivations, "after each layer");
    f.choice("norm", norm, {"none", "batch", "group"}, "normalisation before each activation of a convolution");
  }
  f.require("channels", !channels.empty(), "needs at least one layer");
  for (const auto& [key, list] : {std::pair("kernels", &kernels), std::pair("strides", &strides)})
    f.require(key, list->size() == 1 || list->size() == channels.size(),
              cat("has ", list->size(), " entries for ", channels.size(), " layers (channels); give one for all, or one each"));
}

void ResidualStackConfig::fields(Fields& f, NetworkRole role) {
  f("hidden", hidden, "channels at the smallest size", between(1, 65536));
  f("halvings", halvings, role == NetworkRole::decoder ? "how often the image is doubled" : "how often the image is halved",
    between(1, 30));
  f("layers", layers, "residual blocks", between(0, 1000));
  f("residual_hidden", residual_hidden, "channels inside of them", between(1, 65536));
  f("center", center, role == NetworkRole::decoder ? "where the output's bias starts" : "subtracted from the input");
}

void RecurrentConfig::fields(Fields& f, NetworkRole role) {
  f("embedding", embedding, "numbers that stand for a token", between(1, 65536));
  f("hidden", hidden, "of the cell", between(1, 65536));
  if (role == NetworkRole::decoder)
    f("word_dropout", word_dropout,
      "probability that training hides the token before; 1: the decoder never sees one, so that all that it knows is in z", between(0, 1));
}

NetworkConfig::NetworkConfig(NetworkRole role_, std::string name_) : role(role_), name(std::move(name_)) {
  gated_mlp.hidden = {300, 300};
  for (ConvConfig* c : {&conv, &gated_conv, &resnet}) {
    c->channels = {32, 64};
    if (role == NetworkRole::decoder) c->channels = {64, 32};
  }
}

void NetworkConfig::visit(Fields& f, const char* key, const char* doc) {
  f.one_of(
      key, name,
      {{"mlp", "fully connected layers", [this](Fields& g) { mlp.fields(g, false); }},
       {"gated_mlp", "fully connected layers h * sigmoid(g)", [this](Fields& g) { gated_mlp.fields(g, true); }},
       {"conv", "convolutions, and fully connected layers between them and the code",
        [this](Fields& g) { conv.fields(g, role, "conv"); }},
       {"gated_conv", "the same with layers h * sigmoid(g)", [this](Fields& g) { gated_conv.fields(g, role, "gated_conv"); }},
       {"resnet", "convolutions with residual blocks", [this](Fields& g) { resnet.fields(g, role, "resnet"); }},
       {"residual_stack", "the networks of Sonnet's VQ-VAE: strided convolutions and a stack of residual blocks",
        [this](Fields& g) { residual_stack.fields(g, role); }},
       {"lstm", "long short-term memory over sequences of tokens", [this](Fields& g) { lstm.fields(g, role); }},
       {"gru", "gated recurrent unit over sequences of tokens", [this](Fields& g) { gru.fields(g, role); }}},
      doc);
}

std::unique_ptr<Network> make_encoder_network(const NetworkConfig& config, const ImageShape& data, Parameters p, Index film) {
  check_sequences(config, data, film, "encoder");
  if (config.recurrent()) return recurrent_encoder(config.name, config.name == "lstm" ? config.lstm : config.gru, data, p);
  if (config.name == "mlp") return mlp_network(config.mlp, data.size(), 0, film, p);
  if (config.name == "gated_mlp") return gated_mlp_network(config.gated_mlp, data.size(), 0, film, p);
  if (config.name == "residual_stack") {
    refuse_film(film, "encoder");
    return residual_stack_encoder(config.residual_stack, data, p);
  }
  return conv_encoder(conv_settings(config, film), data, p);
}

std::unique_ptr<Network> make_decoder_network(const NetworkConfig& config, const ImageShape& input, const ImageShape& data,
                                              Index numbers, Parameters p, Index film) {
  check_sequences(config, data, film, "decoder");
  if (config.recurrent()) return recurrent_decoder(config.name, config.name == "lstm" ? config.lstm : config.gru, input.size(), data, p);
  if (config.name == "mlp") return mlp_network(config.mlp, input.size(), numbers * data.size(), film, p);
  if (config.name == "gated_mlp") return gated_mlp_network(config.gated_mlp, input.size(), numbers * data.size(), film, p);
  if (config.name == "residual_stack") {
    refuse_film(film, "decoder");
    return residual_stack_decoder(config.residual_stack, input, data, numbers, p);
  }
  return conv_decoder(conv_settings(config, film), input, data, numbers, p);
}

std::vector<ad::Index> layer_sizes(ad::Index in, const std::vector<std::int64_t>& hidden, ad::Index out) {
  std::vector<ad::Index> all{in};
  all.insert(all.end(), hidden.begin(), hidden.end());
  all.push_back(out);
  return all;
}

}  // namespace vaezoo
