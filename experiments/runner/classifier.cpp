#include "experiments/runner/classifier.hpp"

#include <optional>
#include <algorithm>

#include "autodiff/elementwise.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/optimizers.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "experiments/runner/feed.hpp"

namespace vaezoo {
namespace {

using namespace ad;

constexpr Index kHidden = 512, kBatch = 128;
constexpr Real kLearningRate = Real(1e-3);

class Classifier {
 public:
  Classifier(Index inputs, Index classes, Key key)
      : store_(key), network_(Parameters(store_), {inputs, kHidden, kHidden / 2, classes}, Activation::relu), adam_(store_) {}

  void step(const Context& c, const Minibatch& batch) {
    store_.zero_grad();
    labels_.assign(batch.labels.begin(), batch.labels.end());
    c.tape.backward(-mean(gather(log_softmax(network_(c, batch.x)), 1, labels_)));
    adam_.step(kLearningRate);
    c.tape.commit();
  }
  /// The likeliest class of each row of x.
  std::span<const Index> classes(const Context& c, Var x) const { return argmax(network_(c, x)); }
  /// How many of the batch it puts into the class of their label.
  Index right(const Context& c, const Minibatch& batch) const {
    const std::span<const Index> found = classes(c, batch.x);
    Index count = 0;
    for (std::size_t b = 0; b < found.size(); ++b) count += found[b] == batch.labels[b];
    return count;
  }

 private:
  ParameterStore store_;
  Mlp network_;
  Adam adam_;
  std::vector<Index> labels_;
};

/// The data with only those training examples of which both x and the label were observed; none where that is all of them.
std::optional<Dataset> with_all_observed(const Dataset& data) {
  const std::vector<Index> rows = fully_observed(data);
  if (std::ssize(rows) == data.train.size()) return std::nullopt;
  Dataset part = data;
  part.train = data.train.subset(rows);
  return part;
}

}  // namespace

std::vector<Index> fully_observed(const Dataset& data) {
  std::vector<Index> rows;
  for (Index row = 0; row < data.train.size(); ++row)
    if (data.train.labels()[static_cast<std::size_t>(row)] >= 0 && data.train.observed(row)) rows.push_back(row);
  return rows;
}

std::vector<Metric> Judgement::metrics() const {
  return {{"classifier_accuracy", classifier_accuracy, "",
           "share of real test examples that the judge of samples classifies rightly"},
          {"sample_accuracy", sample_accuracy, "",
           "share of class-conditional samples that the judge puts into the class asked for"}};
}

Judgement judge_samples(const Session& s, Index epochs, Index count) {
  AD_CHECK(s.model->conditioning() == Conditioning::labels && s.data.classes > 0, "judge_samples",
           "needs a model that is conditioned on labels");
  const Key key = s.keys.root.fold("classifier");
  Classifier classifier(s.data.shape.size(), s.data.classes, key.fold("initial"));
  const std::optional<Dataset> part = with_all_observed(s.data);
  Feed train(part ? *part : s.data, Split::train, {.batch_size = kBatch, .shuffle = true}, key.fold("order"));
  Tape tape;
  for (Index epoch = 0; epoch < epochs; ++epoch) {
    train.batches().start(epoch);
    while (train.next()) {
      tape.reset();
      classifier.step({tape, true, key}, train.batch(tape));
    }
  }

  Judgement judgement;
  Tape plain(Grad::off);
  Feed test(s.data,
            s.data.test.size() > 0         ? Split::test
            : s.data.validation.size() > 0 ? Split::validation
                                           : Split::train,
            {.batch_size = kBatch}, key);
  while (test.next()) {
    plain.reset();
    judgement.classifier_accuracy += double(classifier.right({plain, false, key}, test.batch(plain)));
  }
  judgement.classifier_accuracy /= double(test.batches().examples());

  std::vector<int> wanted(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] = static_cast<int>(i) % s.data.classes;
  for (Index done = 0; done < count; done += kBatch) {
    const Index now = std::min(kBatch, count - done);
    plain.reset();
    const Context c{plain, false, key.fold("samples").fold(static_cast<std::uint64_t>(done))};
    Minibatch given{.labels =
                        std::span<const int>(wanted).subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(now))};
    given.x = s.model->decode(c, s.model->sample_prior(c, now, given), given);
    judgement.sample_accuracy += double(classifier.right(c, given));
  }
  judgement.sample_accuracy /= double(count);
  return judgement;
}

namespace {

Var part_of(Var x, const Modality& m) { return slice(x, 1, m.begin, m.end()); }

/// One modality of those examples that have it.
struct Seen {
  std::vector<Index> rows;
  std::vector<int> labels;

  Minibatch of(const Minibatch& batch, const Modality& m) {
    rows.clear(), labels.clear();
    for (Index i = 0; i < std::ssize(batch.labels); ++i) {
      if (batch.mask && batch.mask.data()[i * batch.mask.shape()[1] + m.begin] == 0) continue;
      rows.push_back(i);
      labels.push_back(batch.labels[static_cast<std::size_t>(i)]);
    }
    return {.x = embedding(part_of(batch.x, m), rows), .labels = labels};
  }
};

/// The same examples with one modality only.
Minibatch only(const Minibatch& batch, const Modality& m) {
  Tape& tape = batch.x.tape();
  const Index rows = batch.x.shape()[0], width = batch.x.shape()[1];
  Real* const mask = tape.scratch(rows * width);
  for (Index i = 0; i < rows * width; ++i) mask[i] = i % width >= m.begin && i % width < m.end() ? Real(1) : Real(0);
  Minibatch part = batch;
  part.mask = tape.constant(batch.x.shape(), std::span<const Real>(mask, static_cast<std::size_t>(rows * width)));
  part.x = batch.x * part.mask;
  return part;
}

}  // namespace

std::vector<Metric> judge_modalities(const Session& s, Index epochs, Index count) {
  const std::vector<Modality>& modalities = s.data.modalities;
  AD_CHECK(!modalities.empty() && s.data.classes > 0 && s.model->takes_mask(), "judge_modalities",
           "needs modalities, labels and a model that takes masks");
  const Key key = s.keys.root.fold("classifier");
  std::vector<std::unique_ptr<Classifier>> judges;
  for (const Modality& m : modalities)
    judges.push_back(std::make_unique<Classifier>(m.shape.size(), s.data.classes, key.fold(m.name)));
  const std::optional<Dataset> labelled = with_all_observed(s.data);
  Feed train(labelled ? *labelled : s.data, Split::train, {.batch_size = kBatch, .shuffle = true}, key.fold("order"));
  Tape tape;
  Seen seen;
  for (Index epoch = 0; epoch < epochs; ++epoch) {
    train.batches().start(epoch);
    while (train.next())
      for (std::size_t m = 0; m < modalities.size(); ++m) {
        tape.reset();
        const Minibatch batch = seen.of(train.batch(tape), modalities[m]);
        if (!seen.rows.empty()) judges[m]->step({tape, true, key}, batch);
      }
  }

  const std::size_t n = modalities.size();
  std::vector<double> real(n), from(n * n);  // from[a * n + b]: b made from a
  Tape plain(Grad::off);
  Feed test(s.data, Split::test, {.batch_size = kBatch}, key);
  while (test.next())
    for (std::size_t a = 0; a < n; ++a) {
      plain.reset();
      const Context c{plain, false, key};
      const Minibatch batch = test.batch(plain), given = only(batch, modalities[a]);
      real[a] += double(judges[a]->right(c, {.x = part_of(batch.x, modalities[a]), .labels = batch.labels}));
      const Var made = s.model->decode(c, s.model->encode(c, given), given);
      for (std::size_t b = 0; b < n; ++b)
        if (b != a) from[a * n + b] += double(judges[b]->right(c, {.x = part_of(made, modalities[b]), .labels = batch.labels}));
    }
  Index agree = 0;
  for (Index done = 0; done < count; done += kBatch) {
    const Index now = std::min(kBatch, count - done);
    plain.reset();
    const Context c{plain, false, key.fold("samples").fold(static_cast<std::uint64_t>(done))};
    const Var made = s.model->decode(c, s.model->sample_prior(c, now, {}), {});
    const std::span<const Index> first = judges[0]->classes(c, part_of(made, modalities[0]));
    std::vector<bool> same(static_cast<std::size_t>(now), true);
    for (std::size_t m = 1; m < n; ++m) {
      const std::span<const Index> other = judges[m]->classes(c, part_of(made, modalities[m]));
      for (std::size_t i = 0; i < same.size(); ++i) same[i] = same[i] && other[i] == first[i];
    }
    agree += std::ranges::count(same, true);
  }

  const double examples = double(test.batches().examples());
  std::vector<Metric> metrics;
  double total = 0;
  for (std::size_t a = 0; a < n; ++a) {
    const std::string& name = modalities[a].name;
    metrics.push_back({"classifier_accuracy_" + name, real[a] / examples, "",
                       "share of real test examples that the judge of " + name + " classifies rightly"});
    for (std::size_t b = 0; b < n; ++b) {
      if (b == a) continue;
      const std::string& to = modalities[b].name;
      metrics.push_back(
          {"coherence_" + name + "_to_" + to, from[a * n + b] / examples, "",
           "share of test examples whose " + to + ", made from their " + name + ", the judge puts into their class"});
      total += from[a * n + b] / examples;
    }
  }
  metrics.push_back({"coherence", total / double(n * (n - 1)), "", "mean of coherence over pairs of modalities"});
  metrics.push_back({"coherence_of_samples", double(agree) / double(count), "",
                     "share of samples whose modalities the judges all put into one class"});
  return metrics;
}

}  // namespace vaezoo
