// The JointVAE: a code of real numbers and classes, each held to a capacity.
//   Dupont, "Learning Disentangled Joint Continuous and Discrete Representations", NeurIPS 2018
#include "models/registry.hpp"
#include "models/vae.hpp"

namespace {

using namespace vaezoo;

struct JointVaeConfig final : VaeConfig {
  JointVaeConfig() {
    posterior.choose("joint");
    prior.choose("joint");
    objective.choose("joint_capacity");
  }
  void fields(Fields& f) override {
    AutoencoderConfig::fields(f);
    posterior.visit_settings(f);
    objective.visit_settings(f);
  }
};

}  // namespace

VAEZOO_MODEL(joint_vae, Vae, JointVaeConfig, "VAE whose code is real numbers and classes, each held to a capacity",
             "Dupont, NeurIPS 2018, eq. (7)")
