#pragma once
#include "models/autoencoder.hpp"
#include "models/parts/discriminator.hpp"

namespace vaezoo {

struct WaeGanConfig : PenalizedConfig {
  double weight = 10;
  DiscriminatorConfig discriminator{{512, 512, 512, 512}};

  void fields(Fields& f) override;
};

/// The autoencoder whose codes are held to N(0, I) by an adversary.
class WaeGan final : public Autoencoder {
 public:
  WaeGan(const WaeGanConfig& config, const DataSpec& data, ad::Parameters p);

  Objective objective(const Context& c, const Minibatch& batch) const override;
  std::string describe() const override;

 private:
  Real weight_;
  Discriminator discriminator_;
  ad::Groups of_discriminator_;
};

}  // namespace vaezoo
