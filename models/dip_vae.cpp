// The VAE trained on the objective dip, which is in models/objectives/dip.cpp.
//   Kumar, Sattigeri & Balakrishnan, "Variational Inference of Disentangled Latent Concepts from Unlabeled Observations", ICLR 2018
#include "models/registry.hpp"
#include "models/vae.hpp"

namespace {

using namespace vaezoo;

struct DipVaeConfig final : VaeWithObjectiveConfig {
  DipVaeConfig() : VaeWithObjectiveConfig("dip") {}
};

}  // namespace

VAEZOO_MODEL(dip_vae, Vae, DipVaeConfig, "VAE with the covariance of its codes held to the identity, forms I and II",
             "Kumar et al., ICLR 2018, eq. (6), (7)")
