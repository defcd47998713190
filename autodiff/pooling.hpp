#pragma once
// Pooling of images, channels last.
#include "autodiff/tape.hpp"

namespace ad {

/// A window of kernel x kernel pixels every `stride` pixels; stride 0: windows side by side.
struct PoolOptions {
  Index kernel = 2, stride = 0, padding = 0;
};

/// The mean of each window; pixels of the padding count as zeros (PyTorch's default).
///   x: [B, H, W, C]   returns: [B, Ho, Wo, C], Ho = (H + 2 padding - kernel) / stride + 1, rounded down.
/// Throws ShapeError when a window is larger than the image or the padding than half a window.
Var avg_pool2d(Var x, const PoolOptions& options = {});

/// The largest number of each window and channel; its gradient goes to the first of equals. Shapes as for avg_pool2d.
Var max_pool2d(Var x, const PoolOptions& options = {});

/// The mean over all pixels.   x: [B, H, W, C]   returns: [B, C].
Var global_avg_pool(Var x);

}  // namespace ad
