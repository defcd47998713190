#pragma once
// Priors over maps of discrete codes. Several maps are drawn one after the other, each given those before it: the top before the
// bottom level, or the quantisers of a residual code in their order.
#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "autodiff/image_layers.hpp"
#include "config/fields.hpp"
#include "models/model.hpp"

namespace vaezoo {

/// A map of height x width codes below `codes`.
struct CodeGrid {
  Index height = 1, width = 1, codes = 1;
  Index size() const { return height * width; }
};

/// The codes of a batch: map i is [B, height, width]. What the spans look at lives in a tape.
struct Codes {
  static constexpr std::size_t kMost = 16;
  std::array<std::span<const Index>, kMost> maps{};
};

struct CodePriorConfig {
  std::string name = "pixelcnn";  // pixelcnn, uniform
  std::int64_t layers = 5, channels = 64, kernel = 3;
  bool by_class = false;

  void visit(Fields& f, const char* key = "prior");
};

/// The gated PixelCNN: p(codes) = prod_i p(code_i | those above and to the left)   (van den Oord et al., "Conditional Image
/// Generation with PixelCNN Decoders", NeurIPS 2016, section 2 and figure 2). A vertical stack sees all rows above and a
/// horizontal one what is left in the row and the vertical stack's outputs, so there is no blind spot.
class PixelCnn {
 public:
  /// A model of `grid` given the maps `given`, which are brought to its size by the nearest code, and with config.by_class given
  /// the class, one of `classes`: every gated layer reads its learned vector (section 2.3).
  PixelCnn(const CodePriorConfig& config, const CodeGrid& grid, std::span<const CodeGrid> given, const ad::Parameters& p,
           Index classes = 0);

  /// Logits of the codes in the first `rows` rows: codes [B, rows, W], all of the maps `given` and, by class, the labels [B]
  /// ->  [B, rows, W, K]. Those of a position do not depend on the codes there or later. Throws Error for labels that are missing
  /// or no classes.
  Var logits(const Context& c, std::span<const Index> codes, std::span<const std::span<const Index>> given, Index rows,
             std::span<const int> labels = {}) const;

 private:
  struct Layer {
    std::unique_ptr<ad::MaskedConv2d> vertical;  // none when there is but one row
    ad::MaskedConv2d horizontal;
    std::unique_ptr<ad::Linear> across, condition;
    ad::Linear out;
  };
  /// What the layers are conditioned on at each position, [B, H, W, channels]; empty when that is nothing.
  Var condition(const Context& c, std::span<const std::span<const Index>> given, std::span<const int> labels, Index batch) const;

  CodeGrid grid_;
  std::vector<CodeGrid> given_;
  ad::Embedding embedding_;
  std::vector<ad::Embedding> given_embeddings_;
  Index classes_;  // 0: the class counts for nothing
  std::unique_ptr<ad::Embedding> class_embedding_;
  std::unique_ptr<ad::Conv2d> mix_;
  std::vector<Layer> layers_;
  ad::Linear hidden_, output_;
};

/// p(codes) of all maps of a model, or p(codes | class): then all of its functions need a label for each example. Nothing here has
/// a gradient to what chose the codes.
class CodePrior {
 public:
  CodePrior(const CodePriorConfig& config, const std::vector<CodeGrid>& grids, const ad::Parameters& p, Index classes = 0);

  /// log p(map | the maps before it), [B], nats.
  Var log_prob(const Context& c, const Codes& codes, std::size_t map, std::span<const int> labels = {}) const;
  Var log_prob(const Context& c, const Codes& codes, std::span<const int> labels = {}) const;  ///< of all maps, [B]
  /// Draws of `count` examples with c.key, position by position, on c.tape. Maps below `first` are taken from `codes`.
  Codes sample(const Context& c, Index count, std::span<const int> labels = {}, std::size_t first = 0,
               const Codes& codes = {}) const;

  const std::vector<CodeGrid>& grids() const { return grids_; }
  bool by_class() const { return by_class_; }
  std::string describe() const;

 private:
  void sample_map(const Context& c, Index count, std::size_t map, std::span<const int> labels, Codes& codes) const;

  std::vector<CodeGrid> grids_;
  bool by_class_;
  std::vector<PixelCnn> networks_;  // none: uniform
};

}  // namespace vaezoo
