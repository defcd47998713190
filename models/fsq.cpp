// Finite scalar quantisation in the place of a learned codebook: no commitment, no dead codes, nothing to learn.
//   Mentzer, Minnen, Agustsson & Tschannen, "Finite Scalar Quantization: VQ-VAE Made Simple", ICLR 2024
//
// One thing is ours: the encoder's numbers are standardised over the batch before they are bounded. While a decoder learns the
// mean of the data, all codes are pushed the same way, and without it they saturate on one side and stay there (on MNIST within
// 75 steps).
#include <numeric>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/code_model.hpp"
#include "models/parts/finite_scalar.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct FsqConfig : CodeModelConfig {
  std::vector<std::int64_t> levels{8, 5, 5, 5};
  bool standardize = true;

  void fields(Fields& f) {
    CodeModelConfig::fields(f);
    f("levels", levels, "levels of each number of a code's vector; their product is the number of codes", between(2, 65536));
    f("standardize", standardize, "encoder's numbers at mean 0 and variance 1 over the batch (in evaluation: over training)");
    const double codes = std::accumulate(levels.begin(), levels.end(), 1.0, std::multiplies<>());
    f.require("levels", !levels.empty() && codes <= 1 << 20,
              cat("needs at least one number, and at most ", 1 << 20, " codes in all; these make ", codes));
  }
};

class Fsq final : public CodeModel {
 public:
  Fsq(const FsqConfig& config, const DataSpec& spec, Parameters p)
      : CodeModel(config, spec, p),
        encoder_(make_encoder_network(config.encoder, data(), p / "encoder")),
        quantiser_(config.levels),
        head_(encoder_->outputs(), config.positions, "positions", quantiser_.width(), p / "encoder" / "head"),
        usage_(quantiser_.codes(), p / "usage"),
        decoder_(make_decoder_network(config.decoder, head_.decoder_input(), data(), likelihood().outputs() / data().size(),
                                      p / "decoder")) {
    if (config.standardize) standardize_.emplace(p / "standardize", quantiser_.width(), BatchNorm::Options{.affine = false});
    set_prior(config.prior, {{head_.code().height, head_.code().width, quantiser_.codes()}}, p);
  }

  Objective objective(const Context& c, const Minibatch& batch) const override {
    const Chosen q = choose(c, batch.x);
    const Var h = decoder_outputs(c, q.z);
    const Var distortion = -mean(likelihood().log_prob(c, h, batch.x));  // -log p(x | z_q)
    const Var rate = -mean(prior().log_prob(c, q.codes, batch.labels));  // -log p(codes)
    if (c.training) usage_.update(c.tape, q.codes.maps[0]);
    Objective o{distortion + rate, {terms::reconstruction(-distortion), terms::kl(rate)}};
    const double used = perplexity(q.codes.maps[0], quantiser_.codes(), c.tape);
    o.add(terms::perplexity(c.tape.constant(Shape{}, static_cast<Real>(used))));
    o.add(terms::usage(usage_.share(c.tape)));
    report_error(o, h, batch.x);
    return o;
  }

  Index latent_dim() const override { return head_.code().size(); }
  std::string describe() const override {
    return CodeModel::describe_with(cat("finite scalars of ", quantiser_.codes(), " codes"));
  }

 protected:
  Chosen choose(const Context& c, Var x) const override {
    const Var z = head_(c, (*encoder_)(c, x)), numbers = reshape(z, {-1, quantiser_.width()});
    const Var on_grid = quantiser_(standardize_ ? (*standardize_)(c, numbers) : numbers);
    return {{{quantiser_.codes(on_grid)}}, reshape(on_grid, z.shape())};
  }
  Var embed(const Context& c, const Codes& codes) const override {
    return reshape(quantiser_.embed(c.tape, codes.maps[0]), {-1, latent_dim()});
  }
  Var decoder_outputs(const Context& c, Var z) const override { return (*decoder_)(c, z); }

 private:
  std::unique_ptr<Network> encoder_;
  FiniteScalar quantiser_;
  CodeHead head_;
  std::optional<BatchNorm> standardize_;
  CodeUsage usage_;
  std::unique_ptr<Network> decoder_;
};

}  // namespace

VAEZOO_MODEL(fsq, Fsq, FsqConfig, "Discrete codes: each number of a bounded vector rounded to a few levels",
             "Mentzer et al., ICLR 2024")
