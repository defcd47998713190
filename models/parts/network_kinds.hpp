#pragma once
// The kinds of networks behind networks.hpp.
#include "models/parts/networks.hpp"

namespace vaezoo {

struct ConvSettings {
  const ConvConfig& config;
  bool gated;
  ad::Index blocks;  ///< residual blocks after each layer
  ad::Index film;    ///< width of the condition that modulates each layer; 0: none
};

// `outputs` > 0 adds a linear layer of that width ("output").
std::unique_ptr<Network> mlp_network(const MlpConfig& config, ad::Index inputs, ad::Index outputs, ad::Index film,
                                     ad::Parameters p);
std::unique_ptr<Network> gated_mlp_network(const MlpConfig& config, ad::Index inputs, ad::Index outputs, ad::Index film,
                                           ad::Parameters p);
std::unique_ptr<Network> conv_encoder(const ConvSettings& settings, const ImageShape& data, ad::Parameters p);
std::unique_ptr<Network> conv_decoder(const ConvSettings& settings, const ImageShape& input, const ImageShape& data,
                                      ad::Index numbers, ad::Parameters p);
std::unique_ptr<Network> residual_stack_encoder(const ResidualStackConfig& config, const ImageShape& data, ad::Parameters p);
std::unique_ptr<Network> residual_stack_decoder(const ResidualStackConfig& config, const ImageShape& input,
                                                const ImageShape& data, ad::Index numbers, ad::Parameters p);

std::unique_ptr<Network> recurrent_encoder(const std::string& kind, const RecurrentConfig& config, const ImageShape& data, ad::Parameters p);
std::unique_ptr<Network> recurrent_decoder(const std::string& kind, const RecurrentConfig& config, ad::Index inputs, const ImageShape& data,
                                           ad::Parameters p);

}  // namespace vaezoo
