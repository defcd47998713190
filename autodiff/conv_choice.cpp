// Which kernels compute a convolution.
#include <cstdlib>
#include <cstring>

#include "autodiff/conv.hpp"
#include "autodiff/conv_kernels.hpp"

namespace ad {
namespace {

enum class Backend { by_shape, im2col, onednn };

Backend backend() {
  static const Backend wish = [] {
    const char* name = std::getenv("VAEZOO_CONV");
    if (name == nullptr) return Backend::by_shape;
    if (std::strcmp(name, "im2col") == 0) return Backend::im2col;
    if (std::strcmp(name, "onednn") != 0)
      throw Error(cat("[conv2d] VAEZOO_CONV is \"", name, "\"; it may be \"onednn\" or \"im2col\""));
    return Backend::onednn;
  }();
  return wish;
}

}  // namespace

std::string conv_backend() { return detail::onednn_kernels() == nullptr || backend() == Backend::im2col ? "im2col" : "oneDNN"; }

detail::ConvKernels detail::conv_kernels(const ConvGeometry& g) {
  const bool depthwise = g.groups == g.channels && g.groups == g.out_channels && g.groups > 1;
  const ConvKernels* onednn = onednn_kernels();
  if (better_flipped(g)) return kFlippedKernels;
  if (narrow(g) && backend() != Backend::onednn) return kNarrowKernels;
  if (onednn == nullptr || backend() == Backend::im2col) return depthwise ? kDepthwiseKernels : kIm2colKernels;
  if (backend() == Backend::onednn || depthwise) return *onednn;
  // Measured on one core of a Xeon with AVX-512 (oneDNN 2.6.3), in GFLOP/s, im2col against oneDNN:
  //   forward:  32 -> 64, 4x4, stride 2: 126, 165;  128 -> 128, 3x3: 133, 170;  256 -> 512, 3x3 at 2 x 2 pixels: 110, 44
  //   data:     3x3, stride 2: 32 <- 32: 80, 96;  32 <- 64: 121, 121;  128 <- 256: 149, 126;  256 <- 512: 122, 77;
  //             4x4, stride 2: 32 <- 64: 126, 134;  3x3, stride 1: 128 <- 128: 145, 157
  //   weights:  3x3, stride 2: 32 -> 64: 138, 94;  256 -> 512: 105, 38;  3x3, stride 1: 128 -> 128: 139, 161
  // and the better of them against narrow: 3 -> 32: 87, 105;  1 <- 32: 23, 34;  3 <- 32: 43, 95;  weights of 3 -> 32: 70, 95.
  constexpr Index kManyWeights = 1 << 18, kSomeWeights = 1 << 15, kFewChannels = 16, kFewPixels = 4096;
  const bool many = g.weights() > kManyWeights, strided = g.stride > 1;
  const bool few = g.channels < kFewChannels;
  return {many && g.out_pixels() < kFewPixels ? kIm2colKernels.forward : onednn->forward,
          few || many || (strided && g.weights() > kSomeWeights) ? kIm2colKernels.backward_data : onednn->backward_data,
          few || (!strided && !many) ? onednn->backward_weights : kIm2colKernels.backward_weights};
}

}  // namespace ad
