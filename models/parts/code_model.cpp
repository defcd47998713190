#include "models/parts/code_model.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {

using namespace ad;

namespace {
Index inputs(const ImageShape& features) { return features.spatial() ? features.channels : features.size(); }
}  // namespace

void CodeModelConfig::fields(Fields& f) {
  encoder.visit(f, "encoder",
                "network of the code; one that ends in a map of features (\"dense\": []) gives a code for each of its pixels");
  decoder.visit(f, "decoder", "network of p(x | z); convolutions read a map of codes as it is, then \"dense\": []");
  likelihood.visit(f);
  f("positions", positions, "codes of an example, for an encoder that ends in a vector; null: 16", between(1, 65536));
  prior.visit(f);
  f("data_variance", data_variance,
    "of the values of the training data, for normalized_mse; null: measured on the first examples", more_than(0));
}

CodeHead::CodeHead(const ImageShape& features, std::optional<std::int64_t> positions, const char* key, Index width,
                   const Parameters& p)
    : features_(features),
      code_(features.spatial() ? ImageShape{features.height, features.width, width}
                               : ImageShape{1, static_cast<Index>(positions.value_or(16)), width}),
      linear_(p, inputs(features), features.spatial() ? width : code_.size(),
              LinearOptions{.initial_weight = init::truncated_normal(0, 1 / std::sqrt(static_cast<Real>(inputs(features)))),
                            .initial_bias = init::zeros()}) {
  if (features.spatial() && positions)
    throw ConfigError(cat("model.", key, ": the encoder ends in a map of ", features.height, " x ", features.width,
                          " features, each of which gives a code; leave ", key, " out"));
}

Var CodeHead::operator()(const Context& c, Var features) const {
  const Index batch = features.shape()[0];
  if (!features_.spatial()) return linear_(c, features);
  return reshape(linear_(c, reshape(features, {batch, features_.height * features_.width, features_.channels})),
                 {batch, code_.size()});
}

CodeModel::CodeModel(const CodeModelConfig& config, const DataSpec& data, const Parameters& p)
    : data_{data.height, data.width, data.channels},
      classes_(data.classes),
      unlabelled_(data.unlabelled),
      likelihood_(config.likelihood.build({data.size(), data, p / "decoder" / "likelihood"})),
      data_variance_(&p.add_buffer("data_variance", Shape{}, static_cast<Real>(config.data_variance.value_or(1)))),
      variance_given_(config.data_variance.has_value()) {
  if (data.vocabulary > 0)
    throw ConfigError(cat("model: a model of discrete codes has no decoder for the sequences of tokens of ", data.name, "; choose vae, or another model of one code"));
}

void CodeModel::set_prior(const CodePriorConfig& config, const std::vector<CodeGrid>& grids, const Parameters& p) {
  prior_ = std::make_unique<CodePrior>(config, grids, p / "prior", classes_);
  if (prior_->by_class() && unlabelled_ > 0)
    throw ConfigError(cat("model.prior.by_class: ", unlabelled_, " training examples have no label; set it to false, or leave dataset.labels out"));
}

ElboTerms CodeModel::elbo(const Context& c, const Minibatch& batch, Code) const {
  const Chosen q = choose(c, batch.x);
  return {likelihood_->log_prob(c, decoder_outputs(c, q.z), batch.x), -prior_->log_prob(c, q.codes, batch.labels), Var()};
}

Var CodeModel::log_weights(const Context& c, const Minibatch& batch, Index samples) const {
  const ElboTerms e = elbo(c, batch, Code::mean);  // q(z | x) is one point: each sample is the same
  const Index count = batch.x.shape()[0];
  return broadcast_to(reshape(e.reconstruction - e.kl, {count, 1}), {count, samples});
}

Var CodeModel::encode(const Context& c, const Minibatch& batch) const { return choose(c, batch.x).z; }
Var CodeModel::decode(const Context& c, Var z, const Minibatch&) const { return likelihood_->mean(decoder_outputs(c, z)); }
Var CodeModel::sample_x(const Context& c, Var z, const Minibatch&) const { return likelihood_->sample(c, decoder_outputs(c, z)); }
Var CodeModel::sample_prior(const Context& c, Index count, const Minibatch& given) const {
  return embed(c, prior_->sample(c, count, given.labels));
}

std::vector<CodeMap> CodeModel::code_shapes() const {
  const std::vector<CodeGrid>& grids = prior_->grids();
  std::vector<CodeMap> maps;
  for (std::size_t i = 0; i < grids.size(); ++i)
    maps.push_back({grids.size() == 1 ? "codes" : cat("codes ", i + 1), grids[i].height, grids[i].width, grids[i].codes, {}});
  return maps;
}

std::vector<CodeMap> CodeModel::code_maps(const Context& c, const Minibatch& batch) const {
  const Chosen q = choose(c, batch.x);
  std::vector<CodeMap> maps = code_shapes();
  for (std::size_t i = 0; i < maps.size(); ++i) maps[i].indices.assign(q.codes.maps[i].begin(), q.codes.maps[i].end());
  return maps;
}

Var CodeModel::embed_codes(const Context& c, const std::vector<CodeMap>& maps) const {
  const std::vector<CodeGrid>& grids = prior_->grids();
  AD_CHECK(maps.size() == grids.size(), "embed_codes", cat(maps.size(), " maps of codes; the model has ", grids.size()));
  Codes codes;
  const Index rows = std::ssize(maps[0].indices) / grids[0].size();
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const std::vector<Index>& indices = maps[i].indices;
    AD_CHECK(std::ssize(indices) == rows * grids[i].size(), "embed_codes",
             cat("map ", i, " has ", indices.size(), " codes for ", rows, " examples of ", grids[i].size()));
    for (const Index k : indices)
      AD_CHECK(k >= 0 && k < grids[i].codes, "embed_codes", cat("code ", k, " in map ", i, ", which has ", grids[i].codes));
    codes.maps[i] = indices;
  }
  return embed(c, codes);
}

/// Enough for 32 vectors for each code, and for the variance of the data.
Index CodeModel::initial_examples() const {
  Index examples = 512;
  for (const CodeGrid& grid : prior_->grids()) examples = std::max(examples, 32 * grid.codes / grid.size());
  return std::min<Index>(examples, 4096);
}

void CodeModel::initialize(const Context& c, const Minibatch& examples) {
  if (!variance_given_) data_variance_->value()[0] = std::max(var(examples.x, {}, false, false).item(), Real(1e-12));
  initialize_codes({c.tape, true, c.key}, examples.x);  // as training sees them: with the batch's statistics in batch norm
}

void CodeModel::report_error(Objective& objective, Var h, Var x) const {
  const Var squares =
      map_sum("squared_error", [](auto m, auto v) { return square(v - m); }, stop_gradient(likelihood_->mean(h)), x);
  objective.add({"normalized_mse", mean(squares) / (static_cast<Real>(data_.size()) * data_variance_->value()[0]), "",
                 "squared error of the reconstruction over the variance of the data; lower is better"});
}

std::string CodeModel::describe_with(const std::string& quantiser) const {
  std::string sizes;
  for (const CodeGrid& grid : prior_->grids())
    sizes += cat(sizes.empty() ? "" : ", ", grid.height, " x ", grid.width, " of ", grid.codes);
  return cat("-log p(x|z) - log p(codes) + penalty; codes ", sizes, "; ", quantiser, "; ", prior_->describe(), "; ",
             likelihood_->describe());
}

}  // namespace vaezoo
