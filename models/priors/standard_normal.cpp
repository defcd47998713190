// N(0, I).
#include "models/priors/prior.hpp"

namespace {

using namespace vaezoo;

class StandardNormalPrior final : public Prior {
 public:
  explicit StandardNormalPrior(Index latent_dim) : latent_dim_(latent_dim) {}
  const Distribution& operator()(const Context& c, Index rows) const override {
    return on_tape(c.tape, StandardNormal(c.tape, rows, latent_dim_));
  }
  const std::type_info& distribution() const override { return typeid(StandardNormal); }
  std::string describe() const override { return "standard normal prior"; }

 private:
  Index latent_dim_;
};

struct StandardNormalSettings {
  void fields(Fields&) {}
  std::unique_ptr<Prior> build(const PriorArgs& args) const { return std::make_unique<StandardNormalPrior>(args.latent_dim); }
};

}  // namespace

VAEZOO_PART(Prior, standard_normal, StandardNormalSettings, "N(0, I); the KL in closed form")
