// The mixture-of-products-of-experts VAE.
//   Sutter, Daunhawer & Vogt, "Generalized Multimodal ELBO", ICLR 2021
#include "models/parts/multimodal_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;

struct MopoeConfig final : MultimodalConfig {
  void fields(Fields& f) override {
    AutoencoderConfig::fields(f);
    fields_of_bound(f);
  }
};

}  // namespace

VAEZOO_MODEL(mopoe_vae, MultimodalModel, MopoeConfig,
             "Several modalities in one code: q(z | x) is the mixture over subsets of the products of their experts",
             "Sutter et al., ICLR 2021, eq. (7)")
