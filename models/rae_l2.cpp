// The regularised autoencoder RAE-L2: squared codes and squared weights of the decoder cost.
//   Ghosh, Sajjadi, Vergari, Black & Schoelkopf, "From Variational to Deterministic Autoencoders", ICLR 2020, eq. (9) to (11)
#include "models/autoencoder.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;

struct RaeL2Config final : PresetPenaltyConfig {
  RaeL2Config() : PresetPenaltyConfig("l2") { decoder_l2 = 1e-3; }
  void fields(Fields& f) override {
    PresetPenaltyConfig::fields(f);
    f("decoder_l2", decoder_l2, "weight of half the square of the decoder's weights", at_least(0));
  }
};

}  // namespace

VAEZOO_MODEL(rae_l2, Autoencoder, RaeL2Config, "Regularised autoencoder RAE-L2: the squares of codes and of the decoder's weights cost",
             "Ghosh et al., ICLR 2020, eq. (9) to (11)")
