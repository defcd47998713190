#pragma once
// Images made larger or smaller without weights, channels last.
#include "autodiff/tape.hpp"

namespace ad {

/// Each pixel takes the nearest of x: pixel i of the result is pixel floor(i H / height) of x, as in PyTorch's `nearest`.
///   x: [B, H, W, C]   returns: [B, height, width, C].
Var upsample_nearest(Var x, Index height, Index width);

/// Each pixel is interpolated between the four around its centre; PyTorch's `bilinear` with align_corners=False.
///   x: [B, H, W, C]   returns: [B, height, width, C].
Var upsample_bilinear(Var x, Index height, Index width);

/// Channels become pixels (Shi et al. 2016), in PyTorch's order: channel c r^2 + i r + j of pixel (h, w) goes to channel c of
/// pixel (h r + i, w r + j).
///   x: [B, H, W, C r^2]   returns: [B, H r, W r, C].
Var pixel_shuffle(Var x, Index r);

/// The inverse.   x: [B, H r, W r, C]   returns: [B, H, W, C r^2].
Var pixel_unshuffle(Var x, Index r);

}  // namespace ad
