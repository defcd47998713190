#include "models/parts/condition.hpp"

#include <algorithm>

#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {

using namespace ad;

void ConditionConfig::fields(Fields& f) {
  f.choice("on", on, {"labels", "conditions"}, "what the model is conditioned on: the class, or the real numbers that each example has");
  f.choice(
      "by", by, {"concat", "embedding", "film"},
      "concat: concatenated to the inputs of both networks; embedding: the same through a learned vector; film: the learned vector modulates every hidden layer");
  f("embedding_dim", embedding_dim, "width of the learned vector (embedding, film)", between(1, 4096));
}

Var one_hot_labels(Tape& tape, std::span<const int> labels, Index classes) {
  const Var rows = tape.node("one_hot", {std::ssize(labels), classes}, {});
  std::ranges::fill(rows.value(), Real(0));
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (labels[i] >= 0) rows.data()[static_cast<Index>(i) * classes + labels[i]] = 1;
  return rows;
}

Var label_accuracy(Var scores, std::span<const int> labels) {
  const std::span<const Index> likeliest = argmax(scores);
  Index right = 0, known = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    known += labels[i] >= 0;
    right += labels[i] == likeliest[i];
  }
  return scores.tape().constant(Shape{}, static_cast<Real>(known == 0 ? 0.0 : double(right) / double(known)));
}

Condition::Condition(const ConditionConfig& config, const DataSpec& data, Parameters p)
    : config_(config), classes_(data.classes), raw_width_(config.on == "labels" ? data.classes : data.conditions),
      width_(config.by == "concat" ? raw_width_ : config.embedding_dim) {
  if (raw_width_ == 0)
    throw ConfigError(cat("model.condition.on: these data have no ", config.on, "; ",
                          config.on == "labels" && data.conditions > 0    ? "they have conditions"
                          : config.on == "conditions" && data.classes > 0 ? "they have labels"
                                                                          : "choose a model without a condition"));
  if (config.on == "labels" && data.unlabelled > 0)
    throw ConfigError(cat("model.condition.on: ", data.unlabelled, " training examples have no label; choose conditions, the model m2, or "
                          "leave dataset.labels out"));
  if (config.by != "concat") embedding_.emplace(p / "embedding", raw_width_, width_);
}

Var Condition::raw(const Context& c, const Minibatch& given) const {
  Var raw = given.conditions;
  if (config_.on == "labels") {
    const Index count = std::ssize(given.labels);
    AD_CHECK(count > 0, "condition", "the batch has no labels, and this model is conditioned on the class");
    for (Index i = 0; i < count; ++i) {
      const int label = given.labels[static_cast<std::size_t>(i)];
      AD_CHECK(label >= 0 && label < classes_, "condition",
               cat("label ", label, " of example ", i, " of the batch is not one of the ", classes_, " classes"));
    }
    raw = one_hot_labels(c.tape, given.labels, classes_);
  }
  AD_CHECK(bool(raw) && raw.shape()[1] == raw_width_, "condition", cat("the batch lacks its ", raw_width_, " conditions"));
  return raw;
}

std::string Condition::describe() const { return cat("conditioned on the ", config_.on, " by ", config_.by); }

Var concatenate_condition(Var x, Var condition, const ImageShape& shape, bool every_pixel) {
  if (!every_pixel) return concat({x, condition}, 1);
  const Index batch = x.shape()[0], pixels = shape.height * shape.width, n = condition.shape()[1];
  const Var image = reshape(x, {batch, pixels, shape.channels}),
            repeated = reshape(repeat_rows(condition, pixels), {batch, pixels, n});
  return reshape(concat({image, repeated}, 2), {batch, -1});
}

ImageShape concatenated_shape(const ImageShape& shape, Index n, bool every_pixel) {
  return every_pixel ? ImageShape{shape.height, shape.width, shape.channels + n} : ImageShape{1, 1, shape.size() + n};
}

}  // namespace vaezoo
