// A VAE of several modalities, of which an example may lack some. See models/parts/multimodal_model.hpp; mmvae and mopoe_vae are
// this model with their papers' q(z | x), and experts "product" is the MVAE of any number of modalities.
#include "models/parts/multimodal_model.hpp"
#include "models/registry.hpp"

using vaezoo::MultimodalConfig;
using vaezoo::MultimodalModel;

VAEZOO_MODEL(multimodal_vae, MultimodalModel, MultimodalConfig,
             "Several modalities in one code, some of which may be missing: products and mixtures of experts",
             "Wu & Goodman, NeurIPS 2018; Shi et al., NeurIPS 2019; Sutter et al., ICLR 2021")
