#pragma once
#include <memory>
#include <vector>

#include "models/parts/latent_model.hpp"
#include "models/penalties/penalty.hpp"

namespace vaezoo {

struct PenalizedConfig : AutoencoderConfig {
  PenaltyConfig penalty;
  double decoder_l2 = 0;

  virtual ~PenalizedConfig() = default;
  virtual void fields(Fields& f);
};

/// An autoencoder with one penalty, whose settings stand among the model's.
struct PresetPenaltyConfig : PenalizedConfig {
  explicit PresetPenaltyConfig(const char* name) { penalty.choose(name); }
  void fields(Fields& f) override;
};

class Autoencoder : public Model {
 public:
  Autoencoder(const PenalizedConfig& config, const DataSpec& data, ad::Parameters p);

  Objective objective(const Context& c, const Minibatch& batch) const override;
  ElboTerms elbo(const Context& c, const Minibatch& batch, Code code) const override;
  Var log_weights(const Context& c, const Minibatch& batch, Index samples) const override;
  Var encode(const Context& c, const Minibatch& batch) const final { return encoder_(c, batch.x); }
  Var decode(const Context& c, Var z, const Minibatch&) const override { return decoder_.mean(c, z); }
  Var sample_x(const Context& c, Var z, const Minibatch&) const override { return decoder_.sample(c, z); }
  /// N(0, I), which a penalty may hold the codes to; without one it shows what the decoder makes of codes that it was never asked to cover.
  Var sample_prior(const Context& c, Index count, const Minibatch& given) const override;
  bool takes_mask() const override { return true; }
  Index latent_dim() const override { return latent_dim_; }
  bool has_density() const override { return false; }
  bool discrete() const override { return decoder_.likelihood().discrete(); }
  bool binary() const override { return decoder_.likelihood().binary(); }
  std::string describe() const override;

 protected:
  const Decoder& decoder() const { return decoder_; }

 private:
  Index latent_dim_;
  Real decoder_l2_;
  std::unique_ptr<CodePenalty> penalty_;
  Encoder encoder_;
  Decoder decoder_;
  std::vector<ad::Parameter*> decoder_weights_;
};

}  // namespace vaezoo
