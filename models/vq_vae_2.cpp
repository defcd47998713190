// The two-level VQ-VAE: a small map of codes for the whole of an image and a large one for its details, given the small one.
//   Razavi, van den Oord & Vinyals, "Generating Diverse High-Fidelity Images with VQ-VAE-2", NeurIPS 2019, algorithm 1
#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/code_model.hpp"
#include "models/registry.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct VqVae2Config : CodeModelConfig {
  NetworkConfig top_encoder{NetworkRole::encoder}, top_decoder{NetworkRole::decoder};
  std::optional<std::int64_t> top_positions;
  std::int64_t embedding_dim = 64;
  CodebookConfig codebook;

  void fields(Fields& f) {
    CodeModelConfig::fields(f);
    top_encoder.visit(f, "top_encoder", "network from the encoder's features to those of the top codes");
    top_decoder.visit(f, "top_decoder",
                      "network from the top codes to features like the encoder's, which the bottom codes and the decoder read");
    f("top_positions", top_positions, "codes of the top level, for a top encoder that ends in a vector; null: 16",
      between(1, 65536));
    f("embedding_dim", embedding_dim, "numbers of each code's vector", between(1, 65536));
    f("codebook", codebook, "the codes of each level and how they are learned");
  }
};

ImageShape wider(const ImageShape& s, const ImageShape& by) {
  return s.spatial() ? ImageShape{s.height, s.width, s.channels + by.channels} : ImageShape{1, 1, s.size() + by.size()};
}

/// Two maps of equal size as one with the channels of both; two vectors one after the other.
Var concatenate(Var a, const ImageShape& shape_a, Var b, const ImageShape& shape_b) {
  if (!shape_a.spatial()) return concat({a, b});
  const Index batch = a.shape()[0], pixels = shape_a.height * shape_a.width;
  return reshape(concat({reshape(a, {batch, pixels, shape_a.channels}), reshape(b, {batch, pixels, shape_b.channels})}),
                 {batch, -1});
}

class VqVae2 final : public CodeModel {
 public:
  VqVae2(const VqVae2Config& config, const DataSpec& spec, Parameters p)
      : CodeModel(config, spec, p),
        config_(config.codebook),
        encoder_(make_encoder_network(config.encoder, data(), p / "encoder")),
        features_(encoder_->outputs()),
        top_encoder_(make_encoder_network(config.top_encoder, features_, p / "top_encoder")),
        top_head_(top_encoder_->outputs(), config.top_positions, "top_positions", config.embedding_dim,
                  p / "top_encoder" / "head"),
        top_codebook_(config.codebook, config.embedding_dim, p / "top_codebook"),
        top_decoder_(make_decoder_network(config.top_decoder, top_head_.decoder_input(), features_, 1, p / "top_decoder")),
        head_(wider(features_, features_), config.positions, "positions", config.embedding_dim, p / "encoder" / "head"),
        codebook_(config.codebook, config.embedding_dim, p / "codebook"),
        decoder_(make_decoder_network(config.decoder, wider(features_, head_.code()), data(),
                                      likelihood().outputs() / data().size(), p / "decoder")) {
    const ImageShape &top = top_head_.code(), &bottom = head_.code();
    set_prior(config.prior, {{top.height, top.width, top_codebook_.codes()}, {bottom.height, bottom.width, codebook_.codes()}},
              p);
  }

  Objective objective(const Context& c, const Minibatch& batch) const override {
    const Levels q = quantize(c, batch.x);
    const Var h = decode_levels(c, q.bottom.z, q.context);
    const Codes codes = codes_of(q);
    const Var distortion = -mean(likelihood().log_prob(c, h, batch.x));  // -log p(x | e_top, e_bottom)
    const Var top_rate = -mean(prior().log_prob(c, codes, 0, batch.labels)),
              rate = -mean(prior().log_prob(c, codes, 1, batch.labels));  // p(top) p(bottom | top)
    if (c.training) {
      top_codebook_.update(c, q.top.input, q.top.codes);
      codebook_.update(c, q.bottom.input, q.bottom.codes);
    }
    Objective o{distortion + top_rate + rate + top_codebook_.penalty(q.top) + codebook_.penalty(q.bottom),
                {terms::reconstruction(-distortion),
                 terms::kl(top_rate + rate),
                 of_bottom_.rate(rate),
                 of_top_.rate(top_rate),
                 terms::commitment(q.top.commitment + q.bottom.commitment),
                 of_bottom_.perplexity(q.bottom.perplexity),
                 of_top_.perplexity(q.top.perplexity),
                 of_bottom_.usage(codebook_.usage(c.tape)),
                 of_top_.usage(top_codebook_.usage(c.tape))}};
    report_error(o, h, batch.x);
    return o;
  }

  Index latent_dim() const override { return head_.code().size() + top_head_.code().size(); }
  std::vector<Level> levels() const override {
    return {{"bottom", 0, head_.code().size()}, {"top", head_.code().size(), latent_dim()}};
  }
  Var resample_below(const Context& c, Var z, std::size_t level, const Minibatch& given) const override {
    if (level == 0) return z;
    const Index batch = z.shape()[0];
    Codes codes;  // z are vectors of codes: the nearest are those themselves
    codes.maps[0] = top_codebook_.nearest(c, reshape(top_of(z), {-1, top_codebook_.width()}));
    return embed(c, prior().sample(c, batch, given.labels, 1, codes));
  }
  std::string describe() const override { return CodeModel::describe_with(cat("two levels, each ", config_.describe())); }

 protected:
  Chosen choose(const Context& c, Var x) const override {
    const Levels q = quantize(c, x);
    return {codes_of(q), concat({q.bottom.z, q.top.z})};
  }
  Var embed(const Context& c, const Codes& codes) const override {
    return concat({reshape(codebook_.embed(c, codes.maps[1]), {-1, head_.code().size()}),
                   reshape(top_codebook_.embed(c, codes.maps[0]), {-1, top_head_.code().size()})});
  }
  Var decoder_outputs(const Context& c, Var z) const override {
    return decode_levels(c, slice(z, 1, 0, head_.code().size()), (*top_decoder_)(c, top_of(z)));
  }
  void initialize_codes(const Context& c, Var x) override {
    const Var features = (*encoder_)(c, x), top = top_head_(c, (*top_encoder_)(c, features));
    top_codebook_.initialize(c.key.fold("top"), top);
    codebook_.initialize(c.key.fold("bottom"), bottom_input(c, features, (*top_decoder_)(c, top_codebook_(c, top).z)));
  }

 private:
  struct Levels {
    Quantized top, bottom;
    Var context;  ///< what the top codes say, as features
  };

  Levels quantize(const Context& c, Var x) const {
    Levels q;
    const Var features = (*encoder_)(c, x);
    q.top = top_codebook_(c, top_head_(c, (*top_encoder_)(c, features)));         // e_top <- E_top(x)
    q.context = (*top_decoder_)(c, q.top.z);
    q.bottom = codebook_(c, bottom_input(c, features, q.context));                // e_bottom <- E_bottom(x, e_top)
    return q;
  }
  Var bottom_input(const Context& c, Var features, Var context) const {
    return head_(c, concatenate(features, features_, context, features_));
  }
  Var decode_levels(const Context& c, Var bottom, Var context) const {            // D(e_top, e_bottom)
    return (*decoder_)(c, concatenate(context, features_, bottom, head_.code()));
  }
  Var top_of(Var z) const { return slice(z, 1, head_.code().size(), latent_dim()); }
  static Codes codes_of(const Levels& q) { return {{q.top.codes, q.bottom.codes}}; }

  /// What is reported of one level.
  struct LevelTerms {
    explicit LevelTerms(const std::string& level)
        : rate(terms::level_rate(level)),
          perplexity(terms::part_of(terms::perplexity({}), level, level + " codes")),
          usage(terms::part_of(terms::usage({}), level, level + " codes")) {}
    terms::Named rate, perplexity, usage;
  };

  LevelTerms of_bottom_{"bottom"}, of_top_{"top"};
  CodebookConfig config_;
  std::unique_ptr<Network> encoder_;
  ImageShape features_;
  std::unique_ptr<Network> top_encoder_;
  CodeHead top_head_;
  Codebook top_codebook_;
  std::unique_ptr<Network> top_decoder_;
  CodeHead head_;
  Codebook codebook_;
  std::unique_ptr<Network> decoder_;
};

}  // namespace

VAEZOO_MODEL(vq_vae_2, VqVae2, VqVae2Config, "Two maps of discrete codes, the details given the whole",
             "Razavi et al., NeurIPS 2019")
