#include "experiments/runner/encoding.hpp"

#include <cmath>

#include "experiments/runner/feed.hpp"

namespace vaezoo {
namespace {

void append(std::vector<float>& to, Var x) { to.insert(to.end(), x.data(), x.data() + x.size()); }

void append_deviations(std::vector<float>& to, Var log_variance) {
  for (const Real v : log_variance.value()) to.push_back(static_cast<float>(std::exp(v / 2)));
}

/// An example's maps one after the other.
void append_indices(std::vector<Index>& to, const std::vector<CodeMap>& maps, Index count) {
  for (Index b = 0; b < count; ++b)
    for (const CodeMap& map : maps) {
      const Index size = map.height * map.width;
      to.insert(to.end(), map.indices.begin() + b * size, map.indices.begin() + (b + 1) * size);
    }
}

void append_scores(const Session& s, Tape& tape, const Feed& feed, const BatchKeys& keys, const EncodingOptions& options,
                   Encoding& to) {
  if (options.elbo) {
    tape.reset();
    const ElboTerms terms = s.model->elbo({tape, false, keys.elbo}, feed.batch(tape), Code::sample);
    for (Index i = 0; i < terms.kl.size(); ++i)
      to.elbo.push_back(double(terms.reconstruction.data()[i]) - double(terms.kl.data()[i]));
  }
  if (options.importance_samples > 0)
    for (const double log_p : importance_log_likelihood(
             *s.model, tape, [&](Tape& t) { return feed.batch(t); }, options.importance_samples, s.config.evaluate.chunk, keys.nll))
      to.nll.push_back(-log_p);
}

}  // namespace

void encode_examples(const Session& s, const Dataset& data, Split split, const std::string& called, const EncodingOptions& options,
                     Encoding& to) {
  const Key key = s.keys.evaluation(split);
  Feed feed(data, split, {.batch_size = s.config.evaluate.batch_size}, key);
  Tape tape(ad::Grad::off);
  for (std::uint64_t number = 0; const Index count = feed.next(); ++number) {
    tape.reset();
    const BatchKeys keys = batch_keys(key, number);
    const Context c{tape, false, keys.elbo};
    const Minibatch batch = feed.batch(tape);
    const DiagonalNormal q = s.model->posterior(c, batch);
    append(to.means, q.mean);
    if (q.log_variance) append_deviations(to.deviations, q.log_variance);
    append_indices(to.indices, s.model->code_maps(c, batch), count);
    to.labels.insert(to.labels.end(), batch.labels.begin(), batch.labels.end());
    if (batch.conditions) append(to.conditions, batch.conditions);
    for (const Index row : feed.batches().rows()) to.rows.push_back(data.split(split).source_row(row));
    to.splits.insert(to.splits.end(), static_cast<std::size_t>(count), called);
    append_scores(s, tape, feed, keys, options, to);
  }
}

std::vector<std::string> code_names(const Model& model) {
  const std::vector<Level> levels = model.levels();
  std::vector<std::string> names;
  for (const Level& level : levels)
    for (Index i = level.begin; i < level.end; ++i)
      names.push_back(ad::cat(levels.size() > 1 ? level.name + "_" : "", i - level.begin));
  return names;
}

std::vector<std::string> index_names(const Model& model) {
  std::vector<std::string> names;
  const std::vector<CodeMap> maps = model.code_shapes();
  for (std::size_t m = 0; m < maps.size(); ++m)
    for (Index i = 0; i < maps[m].height * maps[m].width; ++i) names.push_back(ad::cat(m, "_", i));
  return names;
}

}  // namespace vaezoo
