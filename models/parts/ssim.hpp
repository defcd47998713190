#pragma once
// How alike two images look.
#include "autodiff/tape.hpp"
#include "models/parts/networks.hpp"

namespace vaezoo {

/// The mean structural similarity of each image over several scales, [B], from images [B, H W C] with values in [0, 1]: 1 for
/// equal ones. A Gaussian window of 11 pixels (sigma 1.5) without padding, K1 = 0.01, K2 = 0.03; each further scale halves the
/// image. The weights of the scales are the paper's, made to add up to 1. Contrast and structure below 0 count as 0.
///   Wang, Simoncelli & Bovik, "Multi-scale structural similarity for image quality assessment", 2003, eq. (7); with one scale
///   SSIM, Wang et al. 2004
ad::Var multi_scale_ssim(ad::Var x, ad::Var y, const ImageShape& shape, ad::Index scales);

/// The most scales, up to the paper's 5, at which the window still fits into the image; 0: into none.
ad::Index most_ssim_scales(const ImageShape& shape);

}  // namespace vaezoo
