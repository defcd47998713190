#pragma once
// What autoencoders with discrete codes share. The encoder chooses codes (q(z | x) is one point), the decoder gives p(x | codes)
// and a prior p(codes) is trained together with them, so
//   log p(x) >= log p(x | codes(x)) + log p(codes(x)),
// which is the ELBO: the reconstruction, and -log p(codes) in the place of the KL. What a variant adds is how codes are chosen.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/model.hpp"
#include "models/parts/code_prior.hpp"
#include "models/parts/codebook.hpp"
#include "models/likelihoods/likelihood.hpp"
#include "models/parts/networks.hpp"
#include "models/parts/terms.hpp"

namespace vaezoo {

struct CodeModelConfig {
  NetworkConfig encoder{NetworkRole::encoder}, decoder{NetworkRole::decoder};
  LikelihoodConfig likelihood;
  std::optional<std::int64_t> positions;
  CodePriorConfig prior;
  std::optional<double> data_variance;

  void fields(Fields& f);
};

/// A linear layer to `width` numbers at each place of a code: at each pixel of a map of features, or at `positions` places (16
/// when not set) from a vector.
class CodeHead {
 public:
  /// Throws ConfigError, naming model.`key`, when positions are set for a map, whose pixels are the positions.
  CodeHead(const ImageShape& features, std::optional<std::int64_t> positions, const char* key, Index width,
           const ad::Parameters& p);
  Var operator()(const Context& c, Var features) const;  ///< [B, H W C] -> [B, h w width]
  const ImageShape& code() const { return code_; }       ///< h x w x width; 1 x positions x width when it comes from a vector
  /// What a decoder reads: a map, or else a vector, whose places are no neighbours.
  ImageShape decoder_input() const { return features_.spatial() ? code_ : ImageShape{1, 1, code_.size()}; }

 private:
  ImageShape features_, code_;
  ad::Linear linear_;
};

class CodeModel : public Model {
 public:
  ElboTerms elbo(const Context& c, const Minibatch& batch, Code code) const final;
  Var log_weights(const Context& c, const Minibatch& batch, Index samples) const final;
  Var encode(const Context& c, const Minibatch& batch) const final;
  Var decode(const Context& c, Var z, const Minibatch& given) const final;
  Var sample_x(const Context& c, Var z, const Minibatch& given) const final;
  Var sample_prior(const Context& c, Index count, const Minibatch& given) const final;
  std::vector<CodeMap> code_maps(const Context& c, const Minibatch& batch) const final;
  std::vector<CodeMap> code_shapes() const final;
  Var embed_codes(const Context& c, const std::vector<CodeMap>& maps) const final;
  Index initial_examples() const final;
  void initialize(const Context& c, const Minibatch& examples) final;
  Conditioning conditioning() const final { return prior_->by_class() ? Conditioning::labels : Conditioning::none; }
  Conditioning decoder_conditioning() const final { return Conditioning::none; }

  bool has_density() const final { return true; }
  bool discrete() const final { return likelihood_->discrete(); }
  bool binary() const final { return likelihood_->binary(); }

 protected:
  CodeModel(const CodeModelConfig& config, const DataSpec& data, const ad::Parameters& p);
  /// The code's maps, and their prior.
  void set_prior(const CodePriorConfig& config, const std::vector<CodeGrid>& grids, const ad::Parameters& p);

  struct Chosen {
    Codes codes;
    Var z;  ///< [B, Z], the codes' vectors
  };
  virtual Chosen choose(const Context& c, Var x) const = 0;
  virtual Var embed(const Context& c, const Codes& codes) const = 0;  ///< z [B, Z]
  virtual Var decoder_outputs(const Context& c, Var z) const = 0;     ///< the likelihood's numbers
  /// Starts codebooks from examples.
  virtual void initialize_codes(const Context&, Var /*x*/) {}

  const Likelihood& likelihood() const { return *likelihood_; }
  const CodePrior& prior() const { return *prior_; }
  const ImageShape& data() const { return data_; }
  /// Adds what all variants report: `normalized_mse`, the mean squared error over the variance of the data (of `data_variance`,
  /// or of the first examples).
  void report_error(Objective& objective, Var h, Var x) const;
  std::string describe_with(const std::string& quantiser) const;

 private:
  ImageShape data_;
  Index classes_, unlabelled_;
  std::unique_ptr<Likelihood> likelihood_;
  std::unique_ptr<CodePrior> prior_;
  ad::Parameter* data_variance_;
  bool variance_given_;
};

}  // namespace vaezoo
