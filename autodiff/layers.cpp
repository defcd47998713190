#include "autodiff/layers.hpp"

#include "autodiff/elementwise.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/layer_support.hpp"
#include "autodiff/normalization.hpp"
#include "autodiff/random_ops.hpp"

namespace ad {
using detail::checked, detail::on_tape;

Linear::Linear(const Parameters& p, Index in, Index out, const LinearOptions& options)
    : weight_(&p.add("weight", {checked(out, p, "Linear", "out"), checked(in, p, "Linear", "in")}, options.initial_weight)),
      activation_(options.activation) {
  if (options.bias) bias_ = &p.add("bias", {out}, options.initial_bias ? options.initial_bias : init::bias_default(in));
}

Linear::Linear(const Parameters& p, Index in, Index out, Activation activation)
    : Linear(p, in, out, LinearOptions{.activation = activation}) {}

Var Linear::operator()(const Context& context, Var x) const {
  return linear(x, on_tape(context, weight_), on_tape(context, bias_), activation_);
}

Mlp::Mlp(const Parameters& p, const std::vector<Index>& sizes, Activation activation, Activation last) {
  AD_CHECK(sizes.size() >= 2, "Mlp",
           cat(p.prefix(), ": needs at least an input and an output size, got ", sizes.size(), " sizes"));
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i)
    layers_.emplace_back(p / static_cast<Index>(i), sizes[i], sizes[i + 1], i + 2 == sizes.size() ? last : activation);
}

Var Mlp::operator()(const Context& context, Var x) const {
  for (const Linear& layer : layers_) x = layer(context, x);
  return x;
}

BatchNorm::BatchNorm(const Parameters& p, Index features, const Options& options) : options_(options) {
  const Shape shape{checked(features, p, "BatchNorm", "features")};
  if (options.affine) {
    weight_ = &p.add("weight", shape, init::ones());
    bias_ = &p.add("bias", shape, init::zeros());
  }
  running_mean_ = &p.add_buffer("running_mean", shape, 0);
  running_var_ = &p.add_buffer("running_var", shape, 1);
  batches_ = &p.add_buffer("num_batches_tracked", {}, 0);
}

Var BatchNorm::operator()(const Context& context, Var x) const {
  const Var weight = on_tape(context, weight_), bias = on_tape(context, bias_);
  const Index features = running_mean_->size();
  AD_CHECK(x.shape().rank() >= 1 && x.shape().back() == features, "BatchNorm",
           cat(running_mean_->path(), " has ", features, " features, x is ", x.shape()));
  if (!context.training) {
    const Moments running{running_mean_->value(), running_var_->value()};
    return batch_norm(x, weight, bias, running, options_.epsilon, options_.activation);
  }
  const Normalized batch = batch_norm(x, weight, bias, options_.epsilon, options_.activation);
  const auto rows = static_cast<Real>(x.size() / features);
  context.tape.after_step([this, moments = batch.moments, rows] {
    const std::span<Real> mean = running_mean_->value(), variance = running_var_->value();
    const Real unbiased = rows / (rows - 1), m = options_.momentum;
    for (std::size_t j = 0; j < mean.size(); ++j) {
      mean[j] = (1 - m) * mean[j] + m * moments.mean[j];
      variance[j] = (1 - m) * variance[j] + m * unbiased * moments.variance[j];
    }
    batches_->value()[0] += 1;
  });
  return batch.y;
}

LayerNorm::LayerNorm(const Parameters& p, Index features, Real epsilon)
    : weight_(&p.add("weight", {checked(features, p, "LayerNorm", "features")}, init::ones())),
      bias_(&p.add("bias", {features}, init::zeros())), epsilon_(epsilon) {}

Var LayerNorm::operator()(const Context& context, Var x) const {
  return layer_norm(x, on_tape(context, weight_), on_tape(context, bias_), epsilon_);
}

Dropout::Dropout(const Parameters& p, Real probability) : path_(p.prefix()), probability_(probability) {
  AD_CHECK(probability >= 0 && probability < 1, "Dropout",
           cat(p.prefix(), ": the probability must be in [0, 1), got ", probability));
}

Var Dropout::operator()(const Context& context, Var x) const {
  return dropout(x, probability_, context.key.fold(path_), context.training);
}

Var Sequential::operator()(const Context& context, Var x) const {
  for (const auto& layer : layers_) x = (*layer)(context, x);
  return x;
}

Var Residual::operator()(const Context& context, Var x) const {
  const Var y = body_(context, x);
  AD_CHECK(y.shape() == x.shape(), "Residual", cat("the body must keep the shape ", x.shape(), ", it returns ", y.shape()));
  return x + y;
}

Embedding::Embedding(const Parameters& p, Index count, Index width)
    : weight_(&p.add("weight", {checked(count, p, "Embedding", "count"), checked(width, p, "Embedding", "width")},
                     init::normal(0, 1))) {}

Var Embedding::operator()(const Context& context, std::span<const Index> indices) const {
  return embedding(context.tape.parameter(*weight_), indices);
}

}  // namespace ad
