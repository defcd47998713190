// A VAE whose prior is a mixture of normals, one for each cluster, and starts from a clustering of the codes.
//   Jiang, Zheng, Tan, Tang & Zhou, "Variational Deep Embedding: An Unsupervised and Generative Approach to Clustering", IJCAI 2017
// The KL is log q(z | x) - log p(z) of the draw, an unbiased estimate of the KL from the mixture itself; the paper's sum over clusters weighted by
// p(c | z) is a bound of it.
#include "models/registry.hpp"
#include "models/vae.hpp"

namespace {

struct VadeConfig final : vaezoo::VaeConfig {
  VadeConfig() {
    latent_dim = 10;
    prior.choose("clusters");
  }
};

}  // namespace

VAEZOO_MODEL(vade, vaezoo::Vae, VadeConfig, "VAE that clusters: its prior is a mixture that starts from a k-means of the codes",
             "Jiang et al., IJCAI 2017")
