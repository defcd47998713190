// Residual quantisation: each vector is a sum of codes, every quantiser coding what the ones before it left.
//   Zeghidour et al., "SoundStream", IEEE/ACM TASLP 2021, algorithm 1
//   Lee et al., "Autoregressive Image Generation using Residual Quantization", CVPR 2022, eq. (3)-(7): one codebook for all
//   depths
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/code_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct ResidualVqConfig : CodeModelConfig {
  std::int64_t embedding_dim = 64, quantizers = 4;
  bool shared = false;
  CodebookConfig codebook{.codes = 128};

  void fields(Fields& f) {
    CodeModelConfig::fields(f);
    f("embedding_dim", embedding_dim, "numbers of each code's vector", between(1, 65536));
    f("quantizers", quantizers, "quantisers one after the other", between(1, Codes::kMost));
    f("shared", shared, "one codebook for all quantisers");
    f("codebook", codebook, "the codes of each quantiser and how they are learned");
    f.require("codebook", !codebook.normalize, "\"normalize\" does not go with residuals, whose lengths matter; leave it out");
    f.require("codebook", !shared || codebook.codes >= quantizers,
              "one codebook for all needs at least as many codes as there are quantisers");
  }
};

class ResidualVq final : public CodeModel {
 public:
  ResidualVq(const ResidualVqConfig& config, const DataSpec& spec, Parameters p)
      : CodeModel(config, spec, p),
        config_(config.codebook),
        depth_(static_cast<std::size_t>(config.quantizers)),
        shared_(config.shared),
        encoder_(make_encoder_network(config.encoder, data(), p / "encoder")),
        head_(encoder_->outputs(), config.positions, "positions", config.embedding_dim, p / "encoder" / "head"),
        decoder_(make_decoder_network(config.decoder, head_.decoder_input(), data(), likelihood().outputs() / data().size(),
                                      p / "decoder")) {
    for (std::size_t i = 0; i < (shared_ ? 1 : depth_); ++i)
      codebooks_.push_back(
          std::make_unique<Codebook>(config.codebook, config.embedding_dim, p / "codebook" / static_cast<Index>(i)));
    for (std::size_t i = 0; i < depth_; ++i)
      perplexity_terms_.push_back(terms::part_of(terms::perplexity({}), cat(i + 1), cat("quantiser ", i + 1)));
    set_prior(config.prior, std::vector<CodeGrid>(depth_, {head_.code().height, head_.code().width, config.codebook.codes}), p);
  }

  Objective objective(const Context& c, const Minibatch& batch) const override {
    const Residuals q = quantize(c, batch.x);
    const Var h = decoder_outputs(c, q.z);
    const Var distortion = -mean(likelihood().log_prob(c, h, batch.x));  // -log p(x | z_q)
    const Var rate = -mean(prior().log_prob(c, codes_of(q), batch.labels));  // -log p(codes)
    Var penalty = codebook(0).penalty(q.parts[0]), usage = codebook(0).usage(c.tape);
    for (std::size_t i = 1; i < depth_; ++i) penalty = penalty + codebook(i).penalty(q.parts[i]);
    for (std::size_t i = 1; i < codebooks_.size(); ++i) usage = usage + codebook(i).usage(c.tape);
    if (c.training) update(c, q);
    Objective o{distortion + rate + penalty, {terms::reconstruction(-distortion), terms::kl(rate), terms::penalty(penalty)}};
    for (std::size_t i = 0; i < depth_; ++i) o.add(perplexity_terms_[i](q.parts[i].perplexity));
    o.add(terms::usage(usage / static_cast<Real>(codebooks_.size())));
    report_error(o, h, batch.x);
    return o;
  }

  Index latent_dim() const override { return head_.code().size(); }
  std::string describe() const override {
    return CodeModel::describe_with(
        cat(depth_, " quantisers of ", shared_ ? "one codebook: " : "a codebook each: ", config_.describe()));
  }

 protected:
  Chosen choose(const Context& c, Var x) const override {
    const Residuals q = quantize(c, x);
    return {codes_of(q), q.z};
  }
  Var embed(const Context& c, const Codes& codes) const override {
    Var z = codebook(0).embed(c, codes.maps[0]);
    for (std::size_t i = 1; i < depth_; ++i) z = z + codebook(i).embed(c, codes.maps[i]);
    return reshape(z, {-1, latent_dim()});
  }
  Var decoder_outputs(const Context& c, Var z) const override { return (*decoder_)(c, z); }
  /// Each quantiser starts on what the ones before leave; of a shared codebook each starts its part.
  void initialize_codes(const Context& c, Var x) override {
    Var residual = head_(c, (*encoder_)(c, x));
    const Index parts = shared_ ? static_cast<Index>(depth_) : 1, codes = codebook(0).codes();
    for (std::size_t i = 0; i < depth_; ++i) {
      const Index part = shared_ ? static_cast<Index>(i) : 0, first = codes * part / parts;
      codebook(i).initialize(c.key.fold(i), residual, first, codes * (part + 1) / parts - first);
      residual = stop_gradient(residual - codebook(i)(c, residual).e);
    }
  }

 private:
  struct Residuals {
    std::array<Quantized, Codes::kMost> parts;
    Var z;  ///< their sum, with the gradient of what came in
  };

  const Codebook& codebook(std::size_t i) const { return *codebooks_[shared_ ? 0 : i]; }

  Residuals quantize(const Context& c, Var x) const {
    const Var z_e = head_(c, (*encoder_)(c, x));
    Residuals q;
    Var residual = z_e, sum;
    for (std::size_t i = 0; i < depth_; ++i) {
      q.parts[i] = codebook(i)(c, residual);                 // e_i, nearest to r_i
      const Var e = stop_gradient(q.parts[i].e);
      residual = residual - e;                               // r_i+1 = r_i - e_i
      sum = i == 0 ? e : sum + e;
    }
    q.z = straight_through(sum, z_e);
    return q;
  }

  Codes codes_of(const Residuals& q) const {
    Codes codes;
    for (std::size_t i = 0; i < depth_; ++i) codes.maps[i] = q.parts[i].codes;
    return codes;
  }

  /// A shared codebook learns from all depths at once.
  void update(const Context& c, const Residuals& q) const {
    if (!shared_) {
      for (std::size_t i = 0; i < depth_; ++i) codebook(i).update(c, q.parts[i].input, q.parts[i].codes);
      return;
    }
    const std::size_t each = q.parts[0].codes.size();
    const std::span<Index> codes(c.tape.scratch<Index>(static_cast<Index>(each * depth_)), each * depth_);
    std::array<Var, Codes::kMost> inputs;
    for (std::size_t i = 0; i < depth_; ++i) {
      std::copy(q.parts[i].codes.begin(), q.parts[i].codes.end(), codes.begin() + static_cast<Index>(i * each));
      inputs[i] = stop_gradient(q.parts[i].input);
    }
    codebook(0).update(c, concat(std::span<const Var>(inputs).first(depth_), 0), codes);
  }

  CodebookConfig config_;
  std::size_t depth_;
  bool shared_;
  std::unique_ptr<Network> encoder_;
  CodeHead head_;
  std::unique_ptr<Network> decoder_;
  std::vector<std::unique_ptr<Codebook>> codebooks_;
  std::vector<terms::Named> perplexity_terms_;
};

}  // namespace

VAEZOO_MODEL(residual_vq, ResidualVq, ResidualVqConfig,
             "Discrete codes in depth: quantisers one after the other, each coding what is left",
             "Zeghidour et al., TASLP 2021; Lee et al., CVPR 2022")
