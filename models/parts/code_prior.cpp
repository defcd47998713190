#include "models/parts/code_prior.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/gating.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {
namespace {

using namespace ad;

/// A map of codes at the size of another, each position taking the nearest.
std::span<const Index> resized(Tape& tape, std::span<const Index> codes, const CodeGrid& from, const CodeGrid& to, Index batch) {
  if (from.height == to.height && from.width == to.width) return codes;
  Index* out = tape.scratch<Index>(batch * to.size());
  for (Index b = 0, i = 0; b < batch; ++b)
    for (Index y = 0; y < to.height; ++y)
      for (Index x = 0; x < to.width; ++x, ++i)
        out[i] = codes[static_cast<std::size_t>((b * from.height + y * from.height / to.height) * from.width +
                                                x * from.width / to.width)];
  return {out, static_cast<std::size_t>(batch * to.size())};
}

/// The labels [batch] as indices of an embedding.
std::span<const Index> checked_labels(Tape& tape, std::span<const int> labels, Index batch, Index classes) {
  AD_CHECK(std::ssize(labels) == batch, "PixelCnn",
           cat(labels.size(), " labels for ", batch, " examples, and this prior is conditioned on the class"));
  Index* out = tape.scratch<Index>(batch);
  for (Index b = 0; b < batch; ++b) {
    out[b] = labels[static_cast<std::size_t>(b)];
    AD_CHECK(out[b] >= 0 && out[b] < classes, "PixelCnn",
             cat("label ", out[b], " of example ", b, " of the batch is not one of the ", classes, " classes"));
  }
  return {out, static_cast<std::size_t>(batch)};
}

/// The code that a uniform number in [0, 1) picks by the probabilities softmax(logits).
Index draw(std::span<const Real> logits, double uniform) {
  const double largest = double(*std::max_element(logits.begin(), logits.end()));
  double total = 0;
  for (const Real l : logits) total += std::exp(double(l) - largest);
  double left = uniform * total;
  for (std::size_t k = 0; k + 1 < logits.size(); ++k) {
    left -= std::exp(double(logits[k]) - largest);
    if (left < 0) return static_cast<Index>(k);
  }
  return std::ssize(logits) - 1;
}

}  // namespace

void CodePriorConfig::visit(Fields& f, const char* key) {
  f.one_of(key, name,
           {{"pixelcnn", "a gated PixelCNN, trained together with the autoencoder, without a gradient to it",
             [this](Fields& g) {
               g("layers", layers, "gated layers", between(1, 1000));
               g("channels", channels, "channels of each", between(1, 65536));
               g("kernel", kernel, "side of the kernels, odd", between(1, 1023));
               g.require("kernel", kernel % 2 == 1 && kernel >= 3,
                         "must be odd and at least 3, so that there is something above and to the left");
               g("by_class", by_class, "p(codes | class): every gated layer reads a learned vector of the class; needs labels");
             }},
            {"uniform", "every code as likely as any other", [](Fields&) {}}},
           "p(codes)");
}

PixelCnn::PixelCnn(const CodePriorConfig& config, const CodeGrid& grid, std::span<const CodeGrid> given, const Parameters& p,
                   Index classes)
    : grid_(grid),
      given_(given.begin(), given.end()),
      embedding_(p / "embedding", grid.codes, config.channels),
      classes_(config.by_class ? classes : 0),
      hidden_(p / "hidden", config.channels, config.channels, Activation::relu),
      output_(p / "output", config.channels, grid.codes) {
  const Index width = config.channels, kernel = config.kernel;
  for (std::size_t i = 0; i < given_.size(); ++i)
    given_embeddings_.emplace_back(p / "given" / static_cast<Index>(i), given_[i].codes, width);
  if (!given_.empty())
    mix_ = std::make_unique<Conv2d>(p / "mix", width, width, 3, Conv2dOptions{.padding = 1, .activation = Activation::relu});
  if (classes_ > 0) class_embedding_ = std::make_unique<Embedding>(p / "class", classes_, width);
  for (Index i = 0; i < config.layers; ++i) {
    const Parameters q = p / "layers" / i;
    Layer layer{nullptr,
                MaskedConv2d(q / "horizontal", width, 2 * width, Kernel(1, kernel), i == 0 ? CausalMask::a : CausalMask::b),
                nullptr, nullptr, Linear(q / "out", width, width)};
    if (grid.height > 1) {
      layer.vertical = std::make_unique<MaskedConv2d>(q / "vertical", width, 2 * width, kernel,
                                                      i == 0 ? CausalMask::rows_above : CausalMask::rows);
      layer.across = std::make_unique<Linear>(q / "across", 2 * width, 2 * width);
    }
    if (!given_.empty() || class_embedding_) layer.condition = std::make_unique<Linear>(q / "condition", width, 4 * width);
    layers_.push_back(std::move(layer));
  }
}

Var PixelCnn::condition(const Context& c, std::span<const std::span<const Index>> given, std::span<const int> labels,
                        Index batch) const {
  Var total;
  for (std::size_t i = 0; i < given_.size(); ++i) {
    const Var one = given_embeddings_[i](c, resized(c.tape, given[i], given_[i], grid_, batch));
    total = total ? total + one : one;
  }
  if (total) total = (*mix_)(c, reshape(total, {batch, grid_.height, grid_.width, -1}));
  if (!class_embedding_) return total;
  const Var of_class = repeat_rows((*class_embedding_)(c, checked_labels(c.tape, labels, batch, classes_)), grid_.size());
  const Var everywhere = reshape(of_class, {batch, grid_.height, grid_.width, -1});
  return total ? total + everywhere : everywhere;
}

Var PixelCnn::logits(const Context& c, std::span<const Index> codes, std::span<const std::span<const Index>> given, Index rows,
                     std::span<const int> labels) const {
  const Index batch = std::ssize(codes) / (rows * grid_.width);
  const Var x = reshape(embedding_(c, codes), {batch, rows, grid_.width, -1});
  const Var all_rows = condition(c, given, labels, batch), first_rows = all_rows ? slice(all_rows, 1, 0, rows) : Var();
  Var v = x, h = x;  // the two stacks
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const Var conditions = layer.condition ? (*layer.condition)(c, first_rows) : Var();
    Var to_h = layer.horizontal(c, h);
    if (layer.vertical) {
      const Var above = (*layer.vertical)(c, v);
      to_h = to_h + (*layer.across)(c, above);
      v = glu(conditions ? above + chunk(conditions, 2, 0) : above, Activation::tanh);
    }
    if (conditions) to_h = to_h + chunk(conditions, 2, 1);
    const Var out = layer.out(c, glu(to_h, Activation::tanh));
    h = i == 0 ? out : h + out;  // the first layer's skip would show a code its own value
  }
  return output_(c, hidden_(c, relu(h)));
}

CodePrior::CodePrior(const CodePriorConfig& config, const std::vector<CodeGrid>& grids, const Parameters& p, Index classes)
    : grids_(grids), by_class_(config.name == "pixelcnn" && config.by_class) {
  if (by_class_ && classes == 0)
    throw ConfigError("model.prior.by_class: these data have no labels; set it to false, or use data with labels");
  AD_CHECK(grids.size() <= Codes::kMost, "CodePrior", cat("at most ", Codes::kMost, " maps of codes"));
  if (config.name == "uniform") return;
  for (std::size_t i = 0; i < grids.size(); ++i)
    networks_.emplace_back(config, grids[i], std::span(grids).first(i), p / static_cast<Index>(i), classes);
}

Var CodePrior::log_prob(const Context& c, const Codes& codes, std::size_t map, std::span<const int> labels) const {
  const CodeGrid& grid = grids_[map];
  const std::span<const Index> chosen = codes.maps[map];
  const Index batch = std::ssize(chosen) / grid.size();
  if (networks_.empty()) return c.tape.constant({batch}, static_cast<Real>(-double(grid.size()) * std::log(double(grid.codes))));
  const Var logits = reshape(networks_[map].logits(c, chosen, std::span(codes.maps).first(map), grid.height, labels),
                             {batch * grid.size(), grid.codes});
  return sum(reshape(squeeze(gather(logits, 1, chosen), 1) - logsumexp(logits, 1), {batch, grid.size()}), 1);
}

Var CodePrior::log_prob(const Context& c, const Codes& codes, std::span<const int> labels) const {
  Var total = log_prob(c, codes, 0, labels);
  for (std::size_t i = 1; i < grids_.size(); ++i) total = total + log_prob(c, codes, i, labels);
  return total;
}

Codes CodePrior::sample(const Context& c, Index count, std::span<const int> labels, std::size_t first, const Codes& codes) const {
  Codes drawn = codes;
  for (std::size_t i = first; i < grids_.size(); ++i) sample_map(c, count, i, labels, drawn);
  return drawn;
}

void CodePrior::sample_map(const Context& c, Index count, std::size_t map, std::span<const int> labels, Codes& codes) const {
  const CodeGrid& grid = grids_[map];
  const Index size = grid.size();
  const std::span<Index> drawn(c.tape.scratch<Index>(count * size), static_cast<std::size_t>(count * size));
  const std::span<Real> uniforms(c.tape.scratch(count * size), drawn.size());
  fill_uniform(c.key.fold("codes").fold(map), uniforms);
  codes.maps[map] = drawn;
  if (networks_.empty()) {
    for (std::size_t i = 0; i < drawn.size(); ++i)
      drawn[i] = std::min(static_cast<Index>(double(uniforms[i]) * double(grid.codes)), grid.codes - 1);
    return;
  }
  std::fill(drawn.begin(), drawn.end(), Index(0));
  Tape tape(Grad::off);  // one pass of the rows so far for each position
  for (Index position = 0; position < size; ++position) {
    tape.reset();
    const Index rows = position / grid.width + 1, seen = rows * grid.width;
    Index* so_far = tape.scratch<Index>(count * seen);
    for (Index b = 0; b < count; ++b) std::copy_n(drawn.data() + b * size, seen, so_far + b * seen);
    const Var logits = networks_[map].logits({tape, false, c.key}, {so_far, static_cast<std::size_t>(count * seen)},
                                             std::span(codes.maps).first(map), rows, labels);
    for (Index b = 0; b < count; ++b) {
      const auto of_position = logits.value().subspan(static_cast<std::size_t>((b * seen + position) * grid.codes),
                                                      static_cast<std::size_t>(grid.codes));
      const auto i = static_cast<std::size_t>(b * size + position);
      drawn[i] = draw(of_position, double(uniforms[i]));
    }
  }
}

std::string CodePrior::describe() const {
  return networks_.empty() ? "uniform prior" : by_class_ ? "gated PixelCNN prior given the class" : "gated PixelCNN prior";
}

}  // namespace vaezoo
