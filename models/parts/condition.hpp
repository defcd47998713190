#pragma once
// What a conditional model is conditioned on, as numbers on the tape.
#include <optional>

#include "models/model.hpp"
#include "models/parts/networks.hpp"

namespace vaezoo {

/// "condition": {"on": "labels", "by": "concat"}.
struct ConditionConfig {
  std::string on = "labels";    // labels, conditions
  std::string by = "concat";    // concat, embedding, film
  std::int64_t embedding_dim = 32;

  void fields(Fields& f);
};

/// How a network receives the context's condition [B, n]: concatenated to its input, or as FiLM modulation of its hidden layers.
struct ConditionInputs {
  Index concatenated = 0;  ///< n more inputs
  Index film = 0;          ///< n numbers that modulate its hidden layers
};

/// [B, classes]: a 1 at each label, which must be below `classes`; a row of zeros where it is -1, not observed.
Var one_hot_labels(ad::Tape& tape, std::span<const int> labels, Index classes);

/// The share of the labels that were observed, those from 0 up, that are the largest of their row of scores [B, K]; 0 without any.
Var label_accuracy(Var scores, std::span<const int> labels);

/// Labels as one-hot rows or learned vectors; real conditions as they are or through a linear layer.
class Condition {
 public:
  /// Throws ConfigError when the data do not have that condition.
  Condition(const ConditionConfig& config, const DataSpec& data, ad::Parameters p);

  /// [B, width()]. Throws Error when the batch has no labels (conditions), or one outside of the classes.
  Var operator()(const Context& c, const Minibatch& given) const { return of_raw(c, raw(c, given)); }
  /// The same in two steps: one-hot rows or real numbers, [B, raw_width()], and what the networks receive of them.
  Var raw(const Context& c, const Minibatch& given) const;
  Var of_raw(const Context& c, Var raw) const { return embedding_ ? (*embedding_)(c, raw) : raw; }
  Index width() const { return width_; }
  Index raw_width() const { return raw_width_; }
  ConditionInputs inputs() const { return config_.by == "film" ? ConditionInputs{.film = width_} : ConditionInputs{.concatenated = width_}; }
  Conditioning kind() const { return config_.on == "labels" ? Conditioning::labels : Conditioning::conditions; }
  std::string describe() const;

 private:
  ConditionConfig config_;
  Index classes_, raw_width_, width_;
  std::optional<ad::Linear> embedding_;
};

/// x [B, H W C] concatenated with the condition [B, n]: n more channels of every pixel for a network of convolutions, n more
/// numbers otherwise; and the shape that comes out.
Var concatenate_condition(Var x, Var condition, const ImageShape& shape, bool every_pixel);
ImageShape concatenated_shape(const ImageShape& shape, Index n, bool every_pixel);

}  // namespace vaezoo
