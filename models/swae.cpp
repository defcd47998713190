// The sliced Wasserstein autoencoder: the autoencoder with models/penalties/sliced_wasserstein.cpp.
//   Kolouri, Pope, Martin & Rohde, "Sliced Wasserstein Auto-Encoders", ICLR 2019
#include "models/autoencoder.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;

struct SwaeConfig final : PresetPenaltyConfig {
  SwaeConfig() : PresetPenaltyConfig("sliced_wasserstein") {}
};

}  // namespace

VAEZOO_MODEL(swae, Autoencoder, SwaeConfig, "Sliced Wasserstein autoencoder: codes held to N(0, I) along random directions",
             "Kolouri et al., ICLR 2019")
