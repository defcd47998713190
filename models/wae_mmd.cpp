// The Wasserstein autoencoder with the MMD penalty: the autoencoder with models/penalties/mmd.cpp.
//   Tolstikhin, Bousquet, Gelly & Schoelkopf, "Wasserstein Auto-Encoders", ICLR 2018, algorithm 2
#include "models/autoencoder.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;

struct WaeMmdConfig final : PresetPenaltyConfig {
  WaeMmdConfig() : PresetPenaltyConfig("mmd") {}
};

}  // namespace

VAEZOO_MODEL(wae_mmd, Autoencoder, WaeMmdConfig, "Wasserstein autoencoder: codes held to N(0, I) by their maximum mean discrepancy",
             "Tolstikhin et al., ICLR 2018")
