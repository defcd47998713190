#pragma once
// Normalisation of features: one fused kernel each way, the same bits for any number of threads.
#include <span>

#include "autodiff/linalg.hpp"

namespace ad {

/// Statistics of a batch per feature, in the tape's memory.
struct Moments {
  std::span<const Real> mean, variance;  ///< [D]; the variance is the biased one, divided by the number of rows
};

/// y = activation((x - mean) / sqrt(variance + epsilon) * weight + bias), with mean and variance of each feature over all rows
/// (Ioffe & Szegedy 2015).
///   x: [..., D]   weight, bias: [D], both or neither (empty Vars)   returns: [..., D] and the moments.
/// Throws ShapeError when the sizes differ or when there are fewer than two rows.
struct Normalized {
  Var y;
  Moments moments;
};
Normalized batch_norm(Var x, Var weight, Var bias, Real epsilon, Activation activation = Activation::identity);

/// The same by given moments, which are taken as constants: for evaluation. Copies them.
Var batch_norm(Var x, Var weight, Var bias, const Moments& moments, Real epsilon, Activation activation = Activation::identity);

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias, with mean and biased variance of each row (Ba et al. 2016).
///   x: [..., D]   weight, bias: [D], both or neither   returns: [..., D].
Var layer_norm(Var x, Var weight, Var bias, Real epsilon);

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias, with mean and biased variance over the positions and the channels
/// of each group of each image (Wu & He 2018).
///   x: [B, ..., C], C a multiple of groups   weight, bias: [C], both or neither   returns: [B, ..., C].
Var group_norm(Var x, Var weight, Var bias, Index groups, Real epsilon);

}  // namespace ad
