// The deterministic autoencoder: no prior, no density; the baseline that VAEs are compared with.
//   Hinton & Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 2006
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "models/parts/latent_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

class Autoencoder final : public Model {
 public:
  Autoencoder(const AutoencoderConfig& config, const DataSpec& data, Parameters p)
      : latent_dim_(config.latent_dim),
        encoder_(config.encoder, data, config.latent_dim, p / "encoder"),
        decoder_(config.decoder, config.likelihood, config.latent_dim, data, p / "decoder") {}

  Objective objective(const Context& c, const Minibatch& batch) const override {
    const Var distortion = -mean(decoder_.log_prob(c, encoder_(c, batch.x), batch.x));  // -log p(x | z = f(x))
    return {distortion, {terms::reconstruction(-distortion)}};
  }

  ElboTerms elbo(const Context& c, const Minibatch& batch, Code) const override {
    const Var z = encoder_(c, batch.x);
    return {decoder_.log_prob(c, z, batch.x), c.tape.constant({batch.x.shape()[0]}, 0), c.tape.constant(z.shape(), 0)};
  }
  Var log_weights(const Context&, const Minibatch&, Index) const override {
    throw Error("[autoencoder] has no density: importance sampling needs a prior and a posterior");
  }
  Var encode(const Context& c, const Minibatch& batch) const override { return encoder_(c, batch.x); }
  Var decode(const Context& c, Var z, const Minibatch&) const override { return decoder_.mean(c, z); }
  Var sample_x(const Context& c, Var z, const Minibatch&) const override { return decoder_.sample(c, z); }
  /// There is no prior; N(0, I) shows what a decoder makes of codes that it was never asked to cover.
  Var sample_prior(const Context& c, Index count, const Minibatch&) const override {
    return StandardNormal(c.tape, count, latent_dim_).rsample(c.key.fold("z")).value;
  }
  Index latent_dim() const override { return latent_dim_; }
  bool has_density() const override { return false; }
  bool discrete() const override { return decoder_.likelihood().discrete(); }
  bool binary() const override { return decoder_.likelihood().binary(); }
  std::string describe() const override { return cat("-log p(x|z), z = f(x); ", decoder_.likelihood().describe()); }

 private:
  Index latent_dim_;
  Encoder encoder_;
  Decoder decoder_;
};

}  // namespace

VAEZOO_MODEL(autoencoder, Autoencoder, AutoencoderConfig, "Deterministic autoencoder, no prior and no density",
             "Hinton & Salakhutdinov, Science 2006")
