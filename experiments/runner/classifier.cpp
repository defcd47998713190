#include "experiments/runner/classifier.hpp"

#include <optional>
#include <algorithm>

#include "autodiff/elementwise.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/optimizers.hpp"
#include "autodiff/reduce.hpp"
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
  /// How many of the batch it puts into the class of their label.
  Index right(const Context& c, const Minibatch& batch) const {
    const Var logits = network_(c, batch.x);
    const Index classes = logits.shape()[1];
    Index count = 0;
    for (Index b = 0; b < logits.shape()[0]; ++b) {
      const Real* row = logits.data() + b * classes;
      count += std::max_element(row, row + classes) - row == batch.labels[static_cast<std::size_t>(b)];
    }
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
  AD_CHECK(s.model->conditioning() == Conditioning::labels && s.data.classes > 0, "judge_samples", "needs a model that is conditioned on labels");
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
    Minibatch given{.labels = std::span<const int>(wanted).subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(now))};
    given.x = s.model->decode(c, s.model->sample_prior(c, now, given), given);
    judgement.sample_accuracy += double(classifier.right(c, given));
  }
  judgement.sample_accuracy /= double(count);
  return judgement;
}

}  // namespace vaezoo
