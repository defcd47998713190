// q(z | x) = N(mean, diag variance), both from the encoder.
//   Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014, eq. (9)
#include "models/distributions/normal.hpp"
#include "models/posteriors/posterior.hpp"

namespace {

using namespace vaezoo;

class NormalPosterior final : public Posterior {
 public:
  explicit NormalPosterior(const PosteriorArgs& args) : latent_dim_(args.latent_dim), bounds_(args.bounds) {}
  Index inputs() const override { return 2 * latent_dim_; }
  const Distribution& operator()(const ad::Context& c, Var h) const override { return on_tape(c.tape, bounds_(normal_of(h))); }
  const std::type_info& distribution() const override { return typeid(DiagonalNormal); }
  bool has_log_variances() const override { return true; }
  std::string describe() const override { return "diagonal normal posterior"; }

 private:
  Index latent_dim_;
  LogVarianceBounds bounds_;
};

struct NormalSettings {
  void fields(Fields&) {}
  std::unique_ptr<Posterior> build(const PosteriorArgs& args) const { return std::make_unique<NormalPosterior>(args); }
};

}  // namespace

VAEZOO_PART(Posterior, normal, NormalSettings, "N(mean(x), diag variance(x))")
