// The mixture-of-experts multimodal VAE.
//   Shi, Siddharth, Paige & Torr, "Variational Mixture-of-Experts Autoencoders for Multi-Modal Deep Generative Models", NeurIPS
//   2019
#include "models/parts/multimodal_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;

struct MmvaeConfig final : MultimodalConfig {
  MmvaeConfig() {
    experts = "mixture";
    importance_samples = 10;
  }
  void fields(Fields& f) override {
    AutoencoderConfig::fields(f);
    fields_of_bound(f);
  }
};

}  // namespace

VAEZOO_MODEL(mmvae, MultimodalModel, MmvaeConfig, "Several modalities in one code: q(z | x) is the mixture of an expert for each",
             "Shi et al., NeurIPS 2019, eq. (5)")
