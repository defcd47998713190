// The vector-quantised VAE: a code for each place of a map of features is the nearest of K learned vectors.
//   van den Oord, Vinyals & Kavukcuoglu, "Neural Discrete Representation Learning", NeurIPS 2017, eq. (3)
//
// The loss is -log p(x | z_q) - log p(codes) + beta |z_e - sg(e)|^2 [+ |sg(z_e) - e|^2], each summed over an example's pixels or
// vectors, in nats. Implementations that take means instead, such as Sonnet's, mean((x - x')^2) / v + b mean((z_e - e)^2) with
// the variance v of the data, are D times smaller for x of D numbers: the same is a Gaussian with sigma^2 = v / 2 and beta = b D
// / Z for codes of Z numbers.
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/code_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct VqVaeConfig : CodeModelConfig {
  std::int64_t embedding_dim = 64;
  CodebookConfig codebook;

  void fields(Fields& f) {
    CodeModelConfig::fields(f);
    f("embedding_dim", embedding_dim, "numbers of each code's vector", between(1, 65536));
    f("codebook", codebook, "the codes and how they are learned");
  }
};

class VqVae final : public CodeModel {
 public:
  VqVae(const VqVaeConfig& config, const DataSpec& spec, Parameters p)
      : CodeModel(config, spec, p),
        config_(config.codebook),
        encoder_(make_encoder_network(config.encoder, data(), p / "encoder")),
        head_(encoder_->outputs(), config.positions, "positions", config.embedding_dim, p / "encoder" / "head"),
        codebook_(config.codebook, config.embedding_dim, p / "codebook"),
        decoder_(make_decoder_network(config.decoder, head_.decoder_input(), data(), likelihood().outputs() / data().size(),
                                      p / "decoder")) {
    set_prior(config.prior, {{head_.code().height, head_.code().width, codebook_.codes()}}, p);
  }

  Objective objective(const Context& c, const Minibatch& batch) const override {
    const Quantized q = quantize(c, batch.x);
    const Var h = decoder_outputs(c, q.z);
    const Var distortion = -mean(likelihood().log_prob(c, h, batch.x));  // -log p(x | z_q)
    const Var rate = -mean(prior().log_prob(c, {{q.codes}}, batch.labels));  // -log p(codes)
    if (c.training) codebook_.update(c, q.input, q.codes);
    Objective o{distortion + rate + codebook_.penalty(q),
                {terms::reconstruction(-distortion), terms::kl(rate), terms::commitment(q.commitment)}};
    if (q.codebook) o.add(terms::codebook(q.codebook));
    o.add(terms::perplexity(q.perplexity));
    o.add(terms::usage(codebook_.usage(c.tape)));
    report_error(o, h, batch.x);
    return o;
  }

  Index latent_dim() const override { return head_.code().size(); }
  std::string describe() const override { return CodeModel::describe_with(config_.describe()); }

 protected:
  Chosen choose(const Context& c, Var x) const override {
    const Quantized q = quantize(c, x);
    return {{{q.codes}}, q.z};
  }
  Var embed(const Context& c, const Codes& codes) const override {
    return reshape(codebook_.embed(c, codes.maps[0]), {-1, latent_dim()});
  }
  Var decoder_outputs(const Context& c, Var z) const override { return (*decoder_)(c, z); }
  void initialize_codes(const Context& c, Var x) override { codebook_.initialize(c.key, head_(c, (*encoder_)(c, x))); }

 private:
  Quantized quantize(const Context& c, Var x) const { return codebook_(c, head_(c, (*encoder_)(c, x))); }

  CodebookConfig config_;
  std::unique_ptr<Network> encoder_;
  CodeHead head_;
  Codebook codebook_;
  std::unique_ptr<Network> decoder_;
};

}  // namespace

VAEZOO_MODEL(vq_vae, VqVae, VqVaeConfig, "Discrete codes, the nearest of K learned vectors at each place",
             "van den Oord et al., NeurIPS 2017")
